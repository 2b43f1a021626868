"""Images in MiraBest form as they would be under other conditions: through another beam, with more noise, in a smaller field.

A level of an image stands for brightness in units of its noise, since its faintest lit pixel is at 3 sigma. What lies below is gone, and
noise takes its place, of the beam's correlation and cut off at 3 sigma, before anything else is done. Then the recipe makes the image anew.

No image says what a finer beam would have shown of its source. Shrunk, it is that of a smaller source of the same shape through a beam
that is finer by as much.
"""

import math
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from equiradio.errors import ImageRefusal, SettingRefusal
from equiradio.sky.beams import Beam
from equiradio.sky.cutout import stretched
from equiradio.sky.degrade import in_field, through_beam, with_noise
from equiradio.sky.images import Cutout
from equiradio.sky.levels import MOST_LOST, ROUNDING
from equiradio.sky.pictures import from_pixels
from equiradio.sky.recipe import MIRABEST
from equiradio.sky.resample import area_mean
from equiradio.sky.target import LEAST_FIELD

OWN = Beam(MIRABEST.beam_arcsec, MIRABEST.beam_arcsec, 0.0)
RANGES = {"beam": (MIRABEST.beam_arcsec, 60.0), "noise": (1.0, 100.0), "field": (LEAST_FIELD, MIRABEST.size_arcsec)}
UNITS = {"beam": " arcsec", "noise": " times", "field": " arcsec"}
FORM = re.compile(r"(beam|noise|field):([^:]+)")


@dataclass(frozen=True)
class Condition:
    """One thing that is otherwise: ``kind`` beam (round, arcsec), noise (times the image's) or field (side, arcsec); empty for none.

    Through a beam below the image's own the source is smaller by as much.
    """

    kind: str = ""
    value: float = math.nan

    def __str__(self) -> str:
        return f"{self.kind} {self.value:g}{UNITS[self.kind]}" if self.kind else "as it is"

    @property
    def beam(self) -> Beam:
        """Of images under this condition."""
        return Beam(self.value, self.value, 0.0) if self.kind == "beam" else OWN


def is_condition(text: str) -> bool:
    """Is it meant as conditions, such as ``beam:8,15``?"""
    return FORM.fullmatch(text) is not None


def conditions(texts: list[str]) -> list[Condition]:
    """What ``beam:8,15 noise:2`` stands for, in the order given; before all the image as it is.

    Raises
    ------
    SettingRefusal : another form, or a value out of range.
    """
    asked = [Condition()]
    for text in " ".join(texts).split():
        match = FORM.fullmatch(text)
        if match is None:
            raise SettingRefusal(
                "--through", f"'{text}'", "beam:, noise: or field: and numbers", "For example beam:8,15 noise:2 field:120."
            )
        kind, (low, high) = match[1], RANGES[match[1]]
        for word in match[2].split(","):
            try:
                value = float(word)
            except ValueError:
                value = math.nan
            if not low <= value <= high:
                raise SettingRefusal("--through", f"{kind}:{word}", f"{low:g} to {high:g}{UNITS[kind]}", "Choose a value in that range.")
            asked.append(Condition(kind, value))
    return list(dict.fromkeys(asked))


def seen(name: str, image: np.ndarray, condition: Condition, seed: int) -> Cutout:
    """An image, uint8 (150, 150), as a cutout under a condition; the same ``seed`` gives the same noise.

    Raises
    ------
    ImageRefusal : no pixel stands out any more.
    """
    if condition.kind:
        sky, sigma = _changed(image, condition, seed)
        image = stretched(sky.astype(np.float32), sigma * (1 - ROUNDING), name)
    of_field = condition.kind == "field"
    beyond = np.isnan(in_field(np.zeros(image.shape), MIRABEST.scale_arcsec, condition.value)) if of_field else None
    cutout = from_pixels(name, image, (condition.beam.major,), beyond)
    return replace(cutout, flags=cutout.flags - {"no_wcs"})


def all_seen(names: Iterable[object], images: np.ndarray, condition: Condition) -> tuple[list[int], list[Cutout]]:
    """The rows of images (count, 150, 150) of which something stands out under a condition, and their cutouts; noise by the row."""
    rows, cutouts = [], []
    for row, (name, image) in enumerate(zip(names, images, strict=True)):
        with suppress(ImageRefusal):
            cutouts.append(seen(str(name), image, condition, row))
            rows.append(row)
    return rows, cutouts


def in_sigma(image: np.ndarray) -> np.ndarray:
    """Brightness in units of the noise, float64: the middle of each level; 0 where nothing is lit."""
    lit = image > 0
    faintest = float(image[lit].min()) + 0.5 if lit.any() else 1.0
    return np.where(lit, image + 0.5, 0.0) * (MIRABEST.clip_sigma / faintest)


def _changed(image: np.ndarray, condition: Condition, seed: int) -> tuple[np.ndarray, float]:
    """Brightness in sigma of the image under a condition, and the noise that it then has."""
    light, scale, nothing = in_sigma(image), MIRABEST.scale_arcsec, np.zeros(image.shape)
    if condition.kind == "field":
        return in_field(light, scale, condition.value), 1.0
    noise = np.minimum(with_noise(nothing, scale, OWN, 1.0, 2 * seed), MOST_LOST)
    sky = np.where(light > 0, light, noise)
    if condition.kind == "beam" and condition.value < OWN.major:
        return shrunk(sky, condition.value / OWN.major), 1.0
    if condition.kind == "beam":
        return through_beam(sky, scale, OWN, condition.beam), condition.value / OWN.major
    more = math.sqrt(condition.value**2 - 1)
    return with_noise(sky, scale, OWN, more, 2 * seed + 1), condition.value


def shrunk(image: np.ndarray, factor: float) -> np.ndarray:
    """An image (height, width) ``factor`` (0..1) times as wide about its middle on the same pixels, and empty beyond."""
    corners = [(np.arange(side + 1) - side / 2) / factor + (side - 1) / 2 for side in image.shape]
    rows, columns = np.meshgrid(*corners, indexing="ij")
    return np.nan_to_num(area_mean(image, columns, rows))
