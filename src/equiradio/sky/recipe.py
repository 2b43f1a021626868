"""The recipe of an image that networks see: scale, side, clipping. One frozen value, stored in every card."""

from dataclasses import asdict, dataclass
from typing import Any

STRETCHES = ("mirabest", "asinh", "linear")
UNKNOWN_AS_ZERO = ("scale_arcsec", "beam_arcsec")


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
    stretch : from what is left to 0..255: ``mirabest`` linear from 0; ``asinh`` the same of asinh(pixel / clipping level); ``linear`` from
        the faintest to the brightest pixel, without clipping.

    A scale or beam of 0 is unknown: images are taken pixel by pixel.
    """

    side: int = 150
    scale_arcsec: float = 1.8
    noise_field: int = 300
    clip_sigma: float = 3.0
    clip_rounds: int = 5
    beam_arcsec: float = 5.4
    stretch: str = "mirabest"

    @property
    def size_arcsec(self) -> float:
        """Side of the image on the sky."""
        return self.side * self.scale_arcsec

    def as_card(self) -> dict[str, Any]:
        """What a card holds; null for what is unknown."""
        return asdict(self) | {name: None for name in UNKNOWN_AS_ZERO if not getattr(self, name)}


MIRABEST = Recipe()
"""Of MiraBest and of every network here: FIRST's pixels and beam. Source: Porter 2020, found bit for bit from its published images."""

FREQUENCY_HZ, NEAR = 1.4e9, 1.5  # of FIRST, and by what factor another may differ: sources were seen at no other


def recipe_of(stored: dict[str, Any]) -> Recipe:
    """The recipe that a card or a data set holds; that of MiraBest where it holds none, as older ones do.

    Raises
    ------
    ValueError : a part that is no part of a recipe, or out of range.
    """
    parts: dict[str, Any] = {name: value or 0.0 if name in UNKNOWN_AS_ZERO else value for name, value in stored.items()}
    recipe = Recipe(**parts)
    whole = {"side": (16, 4096), "noise_field": (16, 8192), "clip_rounds": (0, 100)}
    for name, (low, high) in whole.items():
        if type(getattr(recipe, name)) is not int or not low <= getattr(recipe, name) <= high:
            raise ValueError(f"{name} is {getattr(recipe, name)!r}, not {low} to {high}")
    for name in ("clip_sigma", *UNKNOWN_AS_ZERO):
        if not isinstance(getattr(recipe, name), int | float) or not 0 <= getattr(recipe, name) < 1e9:
            raise ValueError(f"{name} is {getattr(recipe, name)!r}, not 0 or more")
    if recipe.side % 2 or recipe.stretch not in STRETCHES:
        raise ValueError(f"side {recipe.side}, stretch {recipe.stretch!r}; an even side and one of {', '.join(STRETCHES)} would do")
    return recipe


def apart(one: Recipe, other: Recipe) -> str:
    """How two recipes make different pixels of a file, such as ``stretch asinh and linear``; empty where they make the same."""
    odd = other_than(other, one.as_card())
    return ", ".join(f"{name} {ours} and {theirs}" for name, (ours, theirs) in odd.items() if name != "beam_arcsec")


def in_place_of(recipe: Recipe, stored: dict[str, Any]) -> str:
    """What a recipe has in place of a card's, such as ``scale_arcsec 1.5 in place of 1.8``; empty where images are made alike."""
    odd = other_than(recipe, stored)
    return "; ".join(f"{name} {ours} in place of {theirs}" for name, (theirs, ours) in odd.items())


def _words(value: Any) -> str:
    return "unknown" if value is None else f"{value:g}" if isinstance(value, float) else f"{value}"


def other_than(recipe: Recipe, stored: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """What a card's recipe has otherwise, in words: name -> (in the card, in ``recipe``). What an older card does not name is as it was."""
    ours = recipe.as_card()
    return {name: (_words(value), _words(ours.get(name))) for name, value in sorted(stored.items()) if ours.get(name) != value}
