"""Images of one's own, of any side and kind, by a recipe of one's own: FITS, NPY, PNG and JPEG to planes, planes to uint8 cutouts.

Other than `equiradio.sky.cutout`, which brings every image to the pixels of MiraBest, this takes pixels as they are: no resampling, no
turning. Positions of the sky stay where they were.
"""

import io
import math
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from equiradio.errors import ImageRefusal
from equiradio.sky.beams import GivenBeam
from equiradio.sky.blanks import AREA, NoSky, blanked, check_sky, in_areas, was_clipped
from equiradio.sky.choices import check_choices
from equiradio.sky.clipping import clipped_noise
from equiradio.sky.contents import LIMITS, Limits, content_of, in_words, not_fits
from equiradio.sky.cutout import MAX_NONFINITE
from equiradio.sky.fits import FITS, from_fits
from equiradio.sky.images import Cutout, SkyImage
from equiradio.sky.pictures import NPY, PNG, nan_where_masked, read_npy
from equiradio.sky.positions import from_pixel, nominal_scale, on_pixels, position
from equiradio.sky.recipe import MIRABEST, Recipe
from equiradio.sky.stored import Pixels
from equiradio.sky.target import LEAST_FIELD

SUFFIXES = (*FITS, ".png", ".jpg", ".jpeg", ".npy")
JPEG = b"\xff\xd8\xff"
EDGE = LEAST_FIELD / 2 / MIRABEST.size_arcsec  # of a cutout's side, from a position to the image's edge: 30 of MiraBest's 270 arcsec
DARKEST = 5.0  # per cent of the pixels: in a map of noise these are hardly darker than the others
GREYS = 255  # the brightest grey level
DARK_TO_BRIGHT = 100.0  # asinh of an image without noise bends at this part of its brightest pixel


class Plane(NamedTuple):
    """An image, and whether it is a picture: grey levels that somebody has clipped and stretched already."""

    sky: SkyImage
    picture: bool

    @property
    def scale_arcsec(self) -> float:
        """Of a pixel; 0 where unknown."""
        return 0.0 if self.sky.wcs is None else float(nominal_scale(self.sky.wcs))


def read_plane(file: str | Path | bytes, name: str | None = None, limits: Limits = LIMITS, **choices: Any) -> Plane:
    """The image in a file, or in an upload's bytes; ``choices`` (hdu, plane) as in `equiradio.sky.fits.read_image`.

    Raises
    ------
    ImageRefusal : it cannot be read, is no plane of numbers, or a picture in colours.
    """
    content, name = content_of(file, name, limits)
    if content.startswith(NPY):
        return of_array(_array(content, name, limits.pixels), name)
    if content.startswith((PNG, JPEG)):
        return Plane(SkyImage(name, 0, _grey(content, name, limits.pixels)), True)
    if not content.startswith(b"SIMPLE  ="):
        refusal = not_fits(content, name)
        raise ImageRefusal("not_an_image_file", name, refusal.found, "a FITS, NPY, PNG or JPEG image", refusal.do)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Plane(from_fits(content, name, limits, **choices), False)


def of_array(pixels: np.ndarray, name: str) -> Plane:
    """An array as an image; axes of length 1 are dropped, what is masked is nan, and uint8 is taken for a picture."""
    flat = pixels.squeeze()
    if flat.ndim != 2 or flat.dtype.kind not in "uif":
        found = f"an array of {flat.dtype}, {' x '.join(map(str, pixels.shape)) or 'a single number'}"
        raise ImageRefusal("wrong_shape", name, found, "numbers, height x width", "Store one image a file.")
    with np.errstate(over="ignore"):
        return Plane(SkyImage(name, 0, nan_where_masked(flat).astype(np.float32)), flat.dtype == np.uint8)


def cutout_of(
    source: str | Path | bytes | np.ndarray,
    recipe: Recipe,
    *,
    name: str | None = None,
    ra_deg: float | None = None,
    dec_deg: float | None = None,
    max_nonfinite: float = MAX_NONFINITE,
    beam: GivenBeam | None = None,
    limits: Limits = LIMITS,
    **choices: Any,
) -> Cutout:
    """The cutout of a file, an upload's bytes or an array by a recipe; see `own_cutout`. ``beam``: as of `SkyImage.with_beam`.

    uint8 arrays and pictures of its side are taken as they are, where the recipe clips: they were made by it.
    """
    check_choices(ra_deg=ra_deg, dec_deg=dec_deg, max_nonfinite=max_nonfinite, beam=beam, **choices)
    plane = of_array(source, name or "array") if isinstance(source, np.ndarray) else read_plane(source, name, limits, **choices)
    if plane.picture and plane.sky.pixels.shape == (recipe.side, recipe.side):
        recipe = replace(recipe, stretch="linear")
    return own_cutout(plane._replace(sky=plane.sky.with_beam(beam)), recipe, ra_deg, dec_deg, max_nonfinite)


def own_cutout(
    plane: Plane, recipe: Recipe, ra_deg: float | None = None, dec_deg: float | None = None, max_nonfinite: float = MAX_NONFINITE
) -> Cutout:
    """The cutout around a position (ICRS), or around the image's centre, by a recipe.

    Where the image ends, empty sky follows; a position lies at least a ninth of the cutout's side inside. The noise is that of
    `Recipe.noise_field` pixels around the target, or of as many as there are.

    Raises
    ------
    ImageRefusal : a position outside the image or at its edge, too many pixels not finite, pixels of another scale, a map of noise, or
        nothing that stands out.
    """
    sky = plane.sky
    _check_scale(plane, recipe)
    row, column = _target(sky, recipe.side, ra_deg, dec_deg)
    field, zeros = _observed(plane, row, column, recipe.noise_field)
    crop, inside, (top, left) = _window(sky.pixels, row, column, recipe.side)
    if zeros:
        crop[_blank(sky.pixels, row, column, recipe.side)] = np.nan
    bad = int((~np.isfinite(crop[inside])).sum())
    if bad > max_nonfinite * max(int(inside.sum()), 1):
        what = "not finite" + (" or blank areas of exact zeros" if zeros else "")
        found = f"{bad:,} of {int(inside.sum()):,} pixels ({100 * bad / inside.sum():.1f} %) are {what}"
        raise ImageRefusal("too_many_nonfinite", sky.name, found, f"at most {100 * max_nonfinite:g} %", "Leave it out, or mend it.")
    median, sigma = clipped_noise(field[np.isfinite(field)], 3.0, recipe.clip_rounds)
    of_sky = sky.wcs is not None and sigma > 0 and recipe.stretch != "linear"  # what has no place or no noise may be drawn
    flags = check_sky(field, crop, median, sigma, sky.name) if of_sky and not _has_sky(field, median) else set[str]()
    image = stretched_by(crop, float(sigma), recipe, sky.name)
    flags |= set(sky.flags) | ({"no_wcs"} if sky.wcs is None else set()) | (set() if inside.all() else {"padded"})
    flags |= ({"nonfinite"} if bad else set()) | ({"zero_filled"} if zeros else set())
    numbers: dict[str, Any] = {"padded": float(1 - inside.mean()), "noise": float(sigma), "measurable": not plane.picture}
    numbers |= {"pixel_arcsec": plane.scale_arcsec or recipe.scale_arcsec or None, "file_pixel_arcsec": plane.scale_arcsec or None}
    wcs, ra, dec = _place(sky, top, left, recipe.side)
    pixels = None if plane.picture else crop
    return Cutout(sky.name, sky.hdu, image, pixels, wcs, ra, dec, sky.unit, frozenset(flags), sky.beam, about=sky.about, **numbers)


def _observed(plane: Plane, row: float, column: float, side: int) -> tuple[np.ndarray, bool]:
    """Pixels (side, side) about the target, nan where nothing was seen, and whether zeros were that; what was clipped keeps its own."""
    field, inside, _ = _window(plane.sky.pixels, row, column, side)
    part = np.ix_(inside.any(1), inside.any(0))
    if plane.picture or was_clipped(field[part]):
        return field, False
    field[part], zeros = blanked(field[part])
    return field, zeros


def _blank(pixels: Pixels, row: float, column: float, side: int) -> np.ndarray:
    """Which pixels of a window lie in areas of zeros, by what is around it as well; bool (side, side)."""
    around = AREA - 1
    return in_areas(_window(pixels, row, column, side + 2 * around)[0] == 0)[around:-around, around:-around]


def _has_sky(field: np.ndarray, median: float) -> bool:
    """Is a median above zero that of a source which fills the image? Then the darkest pixels, of the sky beside it, are far below."""
    return median > 0 and bool(np.nanpercentile(field, DARKEST) < median / 2)


def _place(sky: SkyImage, top: int, left: int, side: int) -> tuple[Any, float, float]:
    """WCS of the cutout that begins at a pixel, and ICRS of its centre; None and nan where there is none."""
    if sky.wcs is None:
        return None, math.nan, math.nan
    wcs = from_pixel(sky.wcs, left, top, side)
    return wcs, *position(wcs, (side - 1) / 2, (side - 1) / 2)


def stretched_by(crop: np.ndarray, sigma: float, recipe: Recipe, name: str = "image") -> np.ndarray:
    """uint8 pixels of a crop in which nan is nothing: clipped and stretched by a recipe, 255 the brightest."""
    finite = np.isfinite(crop)
    if recipe.stretch == "linear":
        low = crop[finite].min() if finite.any() else np.float32(0)
        lit = np.where(finite, crop - low, 0)
        if lit.max() == GREYS:  # a picture that is stretched already stays as it is
            return lit.astype(np.uint8)
    else:
        level = recipe.clip_sigma * sigma
        lit = np.where(finite & (crop > level), crop, 0)
        if recipe.stretch == "asinh" and lit.max() > 0:
            lit = np.arcsinh(lit / (level or lit.max() / DARK_TO_BRIGHT))
    if not lit.max() > 0:
        words = "no pixel of the crop stands out from the noise" if sigma > 0 else "all pixels of the image are alike"
        raise (ImageRefusal if sigma > 0 else NoSky)("blank", name, words, "a source", "Recentre the cutout, or leave it out.")
    with np.errstate(over="ignore", invalid="ignore"):
        return np.nan_to_num(lit / lit.max() * GREYS).astype(np.uint8)


def same_scale(scale_arcsec: float, recipe: Recipe) -> bool:
    """Whether pixels are those of a recipe; 0 where either is unknown."""
    return not (scale_arcsec and recipe.scale_arcsec) or abs(scale_arcsec / recipe.scale_arcsec - 1) <= 0.01


def _check_scale(plane: Plane, recipe: Recipe) -> None:
    scale = plane.scale_arcsec
    if not same_scale(scale, recipe):
        found, do = f"pixels of {scale:.4g} arcsec", "Bring all images to one scale."
        raise ImageRefusal("absurd_scale", plane.sky.name, found, f"{recipe.scale_arcsec:.4g} arcsec, as the others", do)


def _target(sky: SkyImage, side: int, ra_deg: float | None, dec_deg: float | None) -> tuple[float, float]:
    """Row and column of the pixel's corner or centre about which is cut: that before which half of a cutout lies."""
    if ra_deg is None or dec_deg is None:
        return sky.pixels.shape[0] // 2, sky.pixels.shape[1] // 2
    if sky.wcs is None:
        raise ImageRefusal("outside", sky.name, "no sky position in it", "a FITS file with a WCS", "Leave out the position.")
    (column,), (row,) = on_pixels(sky.wcs, np.array([ra_deg]), np.array([dec_deg]))
    height, width = sky.pixels.shape
    if not (-0.5 <= row < height - 0.5 and -0.5 <= column < width - 0.5):
        raise ImageRefusal("outside", sky.name, f"{ra_deg:.5f} {dec_deg:+.5f} is not in it", "a position inside", "Correct the position.")
    edge = min(row, column, height - 1 - row, width - 1 - column) + 0.5
    if edge < EDGE * side:
        words = f"{ra_deg:.5f} {dec_deg:+.5f} lies {edge:.1f} pixels from the edge of {width} x {height}"
        expected = f"{EDGE * side:.1f} or more, a ninth of the cutout's side"
        raise ImageRefusal("too_small", sky.name, words, expected, "Take a file that has the target farther inside.")
    return math.floor(row + 0.5), math.floor(column + 0.5)


def _window(pixels: Pixels, row: float, column: float, side: int) -> tuple[np.ndarray, np.ndarray, tuple[int, int]]:
    """Pixels (side, side) whose middle lies before (row, column), nan beyond the image; which lie inside; and the first one's place."""
    top, left = int(row) - side // 2, int(column) - side // 2
    window, inside = np.full((side, side), np.nan, np.float32), np.zeros((side, side), bool)
    (first, last), (start, stop) = ((max(at, 0), min(at + side, full)) for at, full in zip((top, left), pixels.shape, strict=True))
    if first < last and start < stop:
        place = slice(first - top, last - top), slice(start - left, stop - left)
        window[place], inside[place] = pixels[first:last, start:stop], True
    return window, inside, (top, left)


def _grey(content: bytes, name: str, most: int) -> np.ndarray:
    """Grey levels of a picture, first row on top as it is stored; colours are refused unless all are alike."""
    from PIL import Image

    with in_words(name, "a picture that cannot be read"), Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as file:
        _check_size(file.size, name, most)
        grey = file.mode.startswith(("L", "I", "F", "1"))
        channels = np.asarray(file if grey and file.mode != "LA" else file.convert("L" if grey else "RGB"), dtype=np.float32)
    if channels.ndim == 3 and (channels != channels[..., :1]).any():
        found = f"{channels.shape[0]} x {channels.shape[1]} pixels in 3 colours that differ"
        raise ImageRefusal("wrong_shape", name, found, "one grey level a pixel", "Give the FITS files, or grey pictures.")
    return channels[..., 0] if channels.ndim == 3 else channels


def _array(content: bytes, name: str, most: int) -> np.ndarray:
    return read_npy(content, name, lambda shape, kind: _check_size(shape, name, most))


def _check_size(shape: tuple[int, ...], name: str, most: int) -> None:
    """Refuse more pixels than are allowed."""
    if math.prod(shape) > most:
        raise ImageRefusal("too_large", name, f"{' x '.join(f'{side:,}' for side in shape)} pixels", f"at most {most:,}", "Cut it.")
