"""The recipe of an image that networks see: scale, side, clipping. One frozen value, stored in every card."""

from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Recipe:
    """How a field of the sky becomes an image of uint8 pixels.

    Attributes
    ----------
    side : pixels of the image.
    scale_arcsec : of a pixel.
    noise_field : side of the field, in pixels, that the noise is measured on.
    clip_sigma, clip_rounds : pixels up to so many sigma become 0, with sigma of the field clipped there as often.
    beam_arcsec : full width at half maximum of the beam that the images of this recipe were made with.
    """

    side: int = 150
    scale_arcsec: float = 1.8
    noise_field: int = 300
    clip_sigma: float = 3.0
    clip_rounds: int = 5
    beam_arcsec: float = 5.4

    @property
    def size_arcsec(self) -> float:
        """Side of the image on the sky."""
        return self.side * self.scale_arcsec

    def as_card(self) -> dict[str, Any]:
        """What a card holds."""
        return asdict(self)


MIRABEST = Recipe()
"""Of MiraBest and of every network here: FIRST's pixels and beam. Source: Porter 2020, found bit for bit from its published images."""


def other_than(recipe: Recipe, stored: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What a card's recipe has otherwise: name -> (in the card, in ``recipe``). A part that an older card does not name is as it was."""
    ours = {spec.name: getattr(recipe, spec.name) for spec in fields(recipe)}
    return {name: (value, ours.get(name)) for name, value in sorted(stored.items()) if ours.get(name) != value}
