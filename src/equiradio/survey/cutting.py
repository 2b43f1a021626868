"""Positions in images to cutouts, by the very recipe of ``classify``. No torch, so that reading processes start fast."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from equiradio.errors import ImageRefusal
from equiradio.sky.images import Cutout
from equiradio.sky.mosaic import Mosaic
from equiradio.sky.recipe import Recipe

OPEN = 2  # images that a process holds open
UNREADABLE = "unreadable"  # flag of what may be read another time


class Place(NamedTuple):
    """Where to cut: a file, and a position in degrees, ICRS."""

    file: str
    ra_deg: float
    dec_deg: float


class Cutter:
    """Cuts at many positions; the last few images stay open.

    Parameters
    ----------
    recipe : of the networks that are to be asked.
    options : of `equiradio.sky.mosaic.Mosaic`: hdu, plane, beam.
    max_nonfinite : share of a crop, 0..1, that may be not finite.
    """

    def __init__(self, recipe: Recipe, options: Mapping[str, Any], max_nonfinite: float) -> None:
        self.recipe, self.options, self.max_nonfinite = recipe, dict(options), max_nonfinite
        self.mosaics: dict[str, Mosaic | ImageRefusal] = {}

    def cutouts(self, places: Sequence[Place]) -> list[Cutout | ImageRefusal]:
        """A cutout for each place, its shape measured, or what is wrong with it."""
        made: list[Cutout | ImageRefusal] = []
        for file, some in groupby(places, lambda place: place.file):
            made += self._cutouts(file, list(some))
        for each in made:
            _ = each.shape if isinstance(each, Cutout) else None
        return made

    def _cutouts(self, file: str, places: Sequence[Place]) -> Sequence[Cutout | ImageRefusal]:
        """Of one image."""
        mosaic = self._opened(file)
        if isinstance(mosaic, ImageRefusal):
            return [mosaic] * len(places)
        ra, dec = (np.array([getattr(place, name) for place in places]) for name in ("ra_deg", "dec_deg"))
        return mosaic.cutouts(ra, dec, max_nonfinite=self.max_nonfinite, recipe=self.recipe)

    def _opened(self, file: str) -> Mosaic | ImageRefusal:
        """The image, or why it cannot be opened, which is not tried again for every position unless it is the disk's doing."""
        if file not in self.mosaics:
            while len(self.mosaics) >= OPEN:
                self._close(next(iter(self.mosaics)))
            try:
                self.mosaics[file] = Mosaic(Path(file), **self.options)
            except ImageRefusal as refusal:
                if refusal.flag == UNREADABLE:
                    return refusal
                self.mosaics[file] = refusal
        return self.mosaics[file]

    def _close(self, file: str) -> None:
        mosaic = self.mosaics.pop(file)
        if isinstance(mosaic, Mosaic):
            mosaic.close()

    def close(self) -> None:
        """Close all images."""
        for file in list(self.mosaics):
            self._close(file)
