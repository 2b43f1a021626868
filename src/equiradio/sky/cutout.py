"""From an image of the sky to the 150 x 150 image that a network sees, by the recipe of MiraBest, with the position of every pixel kept."""

import math
import re
from typing import Any

import numpy as np

from equiradio.errors import ImageRefusal
from equiradio.sky.blanks import NoSky, blanked, check_sky
from equiradio.sky.clipping import clipped_noise
from equiradio.sky.edges import reaches_edge
from equiradio.sky.images import Cutout, SkyImage
from equiradio.sky.positions import distorted, from_pixel, north_angle, on_pixels, position
from equiradio.sky.recipe import FREQUENCY_HZ, MIRABEST, NEAR
from equiradio.sky.resample import area_mean, bilinear, on_grid
from equiradio.sky.target import SAME_SCALE, View, check_size, smaller_than_crop, view_of

__all__ = ["MAX_NONFINITE", "Cutout", "SkyImage", "cut", "noise", "position", "stretched", "to_mirabest"]
CROP = slice((MIRABEST.noise_field - MIRABEST.side) // 2, (MIRABEST.noise_field + MIRABEST.side) // 2)  # the central part of a field
MAX_NONFINITE = 0.05
PER_PIXEL = re.compile(r"pix|px", re.IGNORECASE)  # units that go by the pixel: Jy/pixel, JY/PIX, Jy pixel-1, ...


def cut(sky: SkyImage, ra_deg: float | None = None, dec_deg: float | None = None, max_nonfinite: float = MAX_NONFINITE) -> Cutout:
    """The cutout around a position (ICRS), or around the image's centre.

    Parameters
    ----------
    max_nonfinite : share of the crop's pixels, 0..1, that may be not finite (or outside the image). An image that is smaller than the
        crop is filled up with empty sky, which does not count.

    Raises
    ------
    ImageRefusal : too small, too many pixels not finite, no signal, a scale that is of no use, or a position outside the image.
    """
    return cut_view(sky, view_of(sky, ra_deg, dec_deg), max_nonfinite)


def cut_view(sky: SkyImage, view: View, max_nonfinite: float = MAX_NONFINITE) -> Cutout:
    """The cutout of a view; as `cut`, which looks for it."""
    check_size(sky, view)
    small, same = smaller_than_crop(sky, view), view.same and not (sky.wcs is not None and distorted(sky.wcs))
    corner, part = _part(sky, view, same)
    part, zeros = blanked(part)
    how, bring = ("", _window) if same else ("mean over the area of each pixel" if _fine(view) else "bilinear", _resampled)
    place, wcs = bring(sky, part, corner, view)
    _crop_wcs(wcs)
    crop = _middle(place)
    beyond = np.isnan(_middle(bring(sky, np.zeros_like(part), corner, view)[0])) if small else np.zeros(crop.shape, bool)
    _check_finite(crop[~beyond], sky.name, max_nonfinite, "not finite" + (" or blank areas of exact zeros" if zeros else ""))
    median, sigma = _noise_of_small(place) if small else noise(place)
    flags = set(sky.flags) | check_sky(part, crop, median, sigma, sky.name)
    image = stretched(crop, sigma, sky.name)
    earned = {
        "reprojected": not same,
        "zero_filled": zeros,
        "nonfinite": not np.isfinite(crop[~beyond]).all(),
        "padded": bool(beyond.any()),
        "cut_off": reaches_edge(image, beyond),
        "small_field": int(np.isfinite(place).sum()) < (1 - 2 * SAME_SCALE) * place.size,
    }
    flags |= _of_place(sky, view) | {flag for flag, yes in earned.items() if yes}
    beam = sky.beam if same or sky.beam is None or sky.beam.round else sky.beam.turned(north_angle(sky.wcs, view.column, view.row))
    ra, dec = position(wcs, (MIRABEST.side - 1) / 2, (MIRABEST.side - 1) / 2)
    scale = None if sky.wcs is None else view.scale if same else MIRABEST.scale_arcsec
    about = sky.unit, frozenset(flags), beam, how, sky.about, float(beyond.mean()), float(sigma), scale
    of_file = None if sky.wcs is None else max(view.sides)
    return Cutout(sky.name, sky.hdu, image, crop.copy(), wcs, ra, dec, *about, file_pixel_arcsec=of_file)


def _of_place(sky: SkyImage, view: View) -> set[str]:
    """Flags of position, frequency and resolution."""
    frequency = sky.frequency_hz or FREQUENCY_HZ
    of_frequency = set() if 1 / NEAR <= frequency / FREQUENCY_HZ <= NEAR else {"other_frequency"}
    other_beam = sky.beam is not None and not sky.beam.of_first
    if sky.wcs is None:
        return of_frequency | {"no_wcs"} | ({"other_beam"} if other_beam else set())
    other_scale = abs(view.scale / MIRABEST.scale_arcsec - 1) > SAME_SCALE
    return of_frequency | ({"other_beam"} if other_scale or other_beam else set())


def to_mirabest(field_pixels: np.ndarray, name: str = "image", max_nonfinite: float = MAX_NONFINITE) -> np.ndarray:
    """Pixels (300, 300) around a target, nan where there are none -> uint8 (150, 150), as MiraBest was made.

    sigma of all finite pixels, clipped at 3 sigma 5 times; pixels up to 3 sigma become 0; the centre is stretched to 0..255 and
    truncated. Source: Porter 2020 (MiraBest), found bit for bit from its published images.
    """
    crop = _middle(field_pixels)
    _check_finite(crop, name, max_nonfinite)
    return stretched(crop, noise(field_pixels)[1], name)


def noise(field_pixels: np.ndarray) -> tuple[float, float]:
    """Median and standard deviation of the finite pixels, clipped."""
    return clipped_noise(field_pixels[np.isfinite(field_pixels)], MIRABEST.clip_sigma, MIRABEST.clip_rounds)


def _noise_of_small(field_pixels: np.ndarray) -> tuple[float, float]:
    """The same of a small field, of which a source takes up much: by the pixels below the median, where none is, if that is less."""
    median, sigma = noise(field_pixels)
    below = field_pixels[field_pixels < median]
    return median, min(sigma, float(np.sqrt(np.square(below - median).mean()))) if below.size else sigma


def stretched(crop: np.ndarray, sigma: float, name: str = "image") -> np.ndarray:
    """uint8 pixels of a crop: 0 up to 3 sigma, the rest from 0 to 255."""
    lit = np.where(np.isfinite(crop) & (crop > MIRABEST.clip_sigma * sigma), crop, np.float32(0))
    low, high = lit.min(), lit.max()
    if not high > low:
        words = "no pixel of the crop stands out from the noise" if sigma > 0 else "all pixels of the image are alike"
        raise (ImageRefusal if sigma > 0 else NoSky)("blank", name, words, "a source above 3 sigma", "Recentre the cutout.")
    with np.errstate(over="ignore", invalid="ignore"):
        return np.nan_to_num((lit - low) / (high - low) * 255).astype(np.uint8)


def _fine(view: View) -> bool:
    """Whether pixels are averaged rather than interpolated."""
    return view.scale < MIRABEST.scale_arcsec * (1 - SAME_SCALE)


def _middle(field_pixels: np.ndarray) -> np.ndarray:
    return field_pixels[CROP, CROP]


def _crop_wcs(wcs: Any) -> None:
    """Make the WCS of a field that of its central part."""
    if wcs is not None:
        wcs.wcs.crpix = [wcs.wcs.crpix[0] - CROP.start, wcs.wcs.crpix[1] - CROP.start]
        wcs.pixel_shape = (MIRABEST.side, MIRABEST.side)


def _check_finite(crop: np.ndarray, name: str, most: float, what: str = "not finite") -> None:
    bad = int((~np.isfinite(crop)).sum())
    if bad > most * crop.size:
        words = f"{bad:,} of {crop.size:,} pixels ({100 * bad / crop.size:.1f} %) are {what}"
        do = "The cutout may cross the mosaic's edge; recentre it, or raise --max-nonfinite."
        raise ImageRefusal("too_many_nonfinite", name, words, f"at most {100 * most:g} %", do)


def _part(sky: SkyImage, view: View, same: bool) -> tuple[tuple[int, int], np.ndarray]:
    """The pixels that the field needs, and the (row, column) of their first."""
    half, row, column = MIRABEST.noise_field // 2, math.floor(view.row + 0.5), math.floor(view.column + 0.5)
    if same:
        spans = [(row - half, row + half), (column - half, column + half)]
    else:  # half a diagonal, so that any angle fits; more pixels where they are narrower
        reach = half * MIRABEST.scale_arcsec * math.sqrt(2) * np.hypot(*np.linalg.inv(view.matrix).T)
        spans = [(at - math.ceil(more) - 3, at + math.ceil(more) + 4) for at, more in zip((row, column), reach[::-1], strict=True)]
    starts, ends = [max(0, low) for low, _ in spans], [high for _, high in spans]
    return (starts[0], starts[1]), sky.pixels[starts[0] : max(ends[0], 0), starts[1] : max(ends[1], 0)]


def _window(sky: SkyImage, part: np.ndarray, corner: tuple[int, int], view: View) -> tuple[np.ndarray, Any]:
    """The 300 x 300 pixels that begin half a field before the target, nan outside the image, and their WCS."""
    side = MIRABEST.noise_field
    top, left = math.floor(view.row + 0.5) - side // 2, math.floor(view.column + 0.5) - side // 2
    window = np.full((side, side), np.nan, np.float32)
    row, column = corner[0] - top, corner[1] - left
    window[row : row + part.shape[0], column : column + part.shape[1]] = part
    if sky.wcs is None:
        return window, None
    return window, from_pixel(sky.wcs, left, top, side)


def _resampled(sky: SkyImage, part: np.ndarray, corner: tuple[int, int], view: View) -> tuple[np.ndarray, Any]:
    """The field on 300 x 300 pixels of 1.8 arcsec, north up, east left, gnomonic about the target, ICRS.

    Averaged over each new pixel's area where the old are finer, bilinear where coarser; Jy/pixel goes by the area of the pixels.
    """
    from astropy.wcs import WCS

    side, scale = MIRABEST.noise_field, MIRABEST.scale_arcsec
    goal = WCS(naxis=2)
    goal.wcs.ctype, goal.wcs.radesys = ["RA---TAN", "DEC--TAN"], "ICRS"
    goal.wcs.crval, goal.wcs.crpix = position(sky.wcs, view.column, view.row), [(side + 1) / 2] * 2
    goal.wcs.cdelt = [-scale / 3600, scale / 3600]
    goal.pixel_shape = (side, side)
    fine = _fine(view)
    along = np.arange(side + fine) - 0.5 * fine
    columns, rows = on_grid(lambda *pixels: on_pixels(sky.wcs, *goal.pixel_to_world_values(*pixels)), along, along)
    pixels = (area_mean if fine else bilinear)(part, columns - corner[1], rows - corner[0])
    if PER_PIXEL.search(sky.unit):
        pixels = pixels * (scale / view.scale) ** 2
    return pixels.astype(np.float32), goal
