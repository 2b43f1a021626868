"""A mosaic, opened once and cut at many positions: each cutout is that of `read_cutout` with the same position, bit for bit."""

import os
import warnings
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType

import numpy as np

from equiradio.errors import ImageRefusal
from equiradio.sky.axes import Plane
from equiradio.sky.beams import GivenBeam
from equiradio.sky.blanks import blank_zeros
from equiradio.sky.contents import SIMPLE, FileBytes, Limits, in_words
from equiradio.sky.cutout import MAX_NONFINITE, cut, cut_view
from equiradio.sky.fits import image_in, read_image
from equiradio.sky.images import Cutout, SkyImage
from equiradio.sky.own import Plane as OwnPlane
from equiradio.sky.own import own_cutout, same_scale
from equiradio.sky.positions import nominal_scale, on_pixels
from equiradio.sky.recipe import MIRABEST, Recipe
from equiradio.sky.target import View, of_use, views_of

WITHOUT = "Sources are looked for by position; images of one source without any are for 'equiradio classify'."
LIMITS = Limits(bytes=1 << 50, pixels=1 << 48)  # of a file that is never read as a whole


class Mosaic:
    """An image file of any size. A plain FITS file stays on disk, and of each cutout its own pixels are read, or its tiles where they are
    compressed and many; what is gzipped, or compressed and small, is unpacked once, within the limits of `read_image`.

    Parameters
    ----------
    hdu, plane, beam : as in `equiradio.sky.fits.read_cutout`.

    Attributes
    ----------
    image : the plane, its WCS, beam and flags.

    Raises
    ------
    ImageRefusal : it cannot be read, holds no image or several, or has no position on the sky.
    """

    def __init__(self, path: str | Path, *, hdu: int | None = None, plane: Plane = None, beam: GivenBeam | None = None) -> None:
        self.path = Path(path)
        with ExitStack() as opened:  # what was opened is closed where anything is refused
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # illegal cards and old conventions: tolerated, and none is copied
                image = self._image(opened, str(path), hdu, plane)
            if image.wcs is None:
                raise ImageRefusal("outside", image.name, "no sky position in the header", "a mosaic with a WCS", WITHOUT)
            self.image = image.with_beam(beam)
            self._opened = opened.pop_all()

    def _image(self, opened: ExitStack, name: str, hdu: int | None, plane: Plane) -> SkyImage:
        """The plane, its pixels left in the file where that is possible."""
        from astropy.io import fits

        if os.path.exists(self.path) and not os.path.isfile(self.path):  # opening a pipe waits for whoever writes into it
            return read_image(self.path, name, hdu=hdu, plane=plane)
        try:
            content = FileBytes(self.path, name)
        except OSError:  # `read_image` says what is wrong
            return read_image(self.path, name, hdu=hdu, plane=plane)
        opened.callback(content.close)
        if content[: len(SIMPLE)] != SIMPLE:
            return read_image(self.path, name, hdu=hdu, plane=plane)
        with in_words(name, "FITS that cannot be understood"):
            hdus = opened.enter_context(fits.open(self.path, memmap=False, lazy_load_hdus=True))
            return image_in(hdus, content, name, hdu, plane, LIMITS)

    def cutout(self, ra_deg: float, dec_deg: float, *, max_nonfinite: float = MAX_NONFINITE, recipe: Recipe = MIRABEST) -> Cutout:
        """The cutout around a position (ICRS); refusals as of `cut`, or of `own_cutout` where the recipe is another."""
        return self._cutout((ra_deg, dec_deg), None, max_nonfinite, recipe)

    def cutouts(
        self, ra_deg: np.ndarray, dec_deg: np.ndarray, *, max_nonfinite: float = MAX_NONFINITE, recipe: Recipe = MIRABEST
    ) -> list[Cutout | ImageRefusal]:
        """The cutouts around positions, float64 (count,), each that of `cutout`, or what that would raise."""
        made: list[Cutout | ImageRefusal] = []
        for ra, dec, view in zip(ra_deg, dec_deg, self._views(ra_deg, dec_deg, recipe), strict=True):
            if isinstance(view, ImageRefusal):
                made.append(view)
                continue
            try:
                made.append(self._cutout((float(ra), float(dec)), view, max_nonfinite, recipe))
            except ImageRefusal as refusal:
                made.append(refusal)
        return made

    def _views(self, ra_deg: np.ndarray, dec_deg: np.ndarray, recipe: Recipe) -> Sequence[View | ImageRefusal | None]:
        """All views at once; None where each has to be looked for alone: for another recipe, or where one position upsets the others."""
        if recipe == MIRABEST:
            with warnings.catch_warnings(), suppress(Exception):  # each alone then says what is wrong, in words
                warnings.simplefilter("ignore")
                return views_of(self.image, ra_deg, dec_deg)
        return [None] * len(ra_deg)

    def _cutout(self, place: tuple[float, float], view: View | None, max_nonfinite: float, recipe: Recipe) -> Cutout:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with in_words(self.image.name, "an image that cannot be cut"):
                if recipe != MIRABEST:
                    return own_cutout(OwnPlane(self.image, False), recipe, *place, max_nonfinite)
                return cut(self.image, *place, max_nonfinite) if view is None else cut_view(self.image, view, max_nonfinite)

    def serves(self, recipe: Recipe) -> bool:
        """Whether pixels of this size can be brought to those of a recipe."""
        scale = nominal_scale(self.image.wcs)
        return of_use(scale) if recipe == MIRABEST else same_scale(scale, recipe)

    def places(self, ra_deg: np.ndarray, dec_deg: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Columns and rows of positions (ICRS), float64 (count,), counted from the centre of the first pixel; nan where there is none."""
        return on_pixels(self.image.wcs, ra_deg, dec_deg)

    def margins(self, ra_deg: np.ndarray, dec_deg: np.ndarray) -> np.ndarray:
        """How many pixels positions lie from the nearest edge: float64 (count,), below 0 outside, nan where there is no place."""
        height, width = self.image.pixels.shape
        columns, rows = self.places(ra_deg, dec_deg)
        return np.asarray(np.min([columns + 0.5, rows + 0.5, width - 0.5 - columns, height - 0.5 - rows], axis=0))

    def covers(self, ra_deg: np.ndarray, dec_deg: np.ndarray) -> np.ndarray:
        """Whether positions lie in the image: bool (count,)."""
        return self.margins(ra_deg, dec_deg) >= 0

    def finite_shares(self, ra_deg: np.ndarray, dec_deg: np.ndarray, side_arcsec: float = MIRABEST.size_arcsec) -> np.ndarray:
        """Share, 0..1, of a square around each position that was seen: finite, and no zeros of a blank area; float64 (count,)."""
        side = max(1, round(side_arcsec / nominal_scale(self.image.wcs)))
        tops, lefts = (np.floor(places + 0.5).astype(int) - side // 2 for places in reversed(self.places(ra_deg, dec_deg)))
        counts, (down, across) = np.empty(len(ra_deg), int), (tops // side, lefts // side)
        order = np.lexsort((across, down))  # neighbours together, from top to bottom: what they share is read once
        for some in np.split(order, np.flatnonzero(np.diff(down[order]) | np.diff(across[order])) + 1) if len(order) else []:
            counts[some] = self._usable(tops[some], lefts[some], side)
        return counts / side**2

    def _usable(self, tops: np.ndarray, lefts: np.ndarray, side: int) -> np.ndarray:
        """How many pixels of squares that begin within a side of each other were seen: int (count,)."""
        height, width = self.image.pixels.shape
        ends = np.clip(np.stack([tops, tops + side]), 0, height), np.clip(np.stack([lefts, lefts + side]), 0, width)
        (top, left), (bottom, right) = [each.min() for each in ends], [each.max() for each in ends]
        part = self.image.pixels[top:bottom, left:right]
        kind = np.int32 if part.size < 1 << 31 else np.int64  # a fifth of the time
        sums = np.zeros((bottom - top + 1, right - left + 1), kind)
        np.cumsum(np.isfinite(part) & ~blank_zeros(part), 0, kind, out=sums[1:, 1:])
        np.cumsum(sums, 1, out=sums)
        (high, low), (near, far) = ends[0] - top, ends[1] - left
        return np.asarray(sums[low, far] - sums[high, far] - sums[low, near] + sums[high, near])

    def close(self) -> None:
        """Close the file."""
        self._opened.close()

    def __enter__(self) -> "Mosaic":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
