"""From an image of the sky to the 150 x 150 image that a network sees, by the recipe of MiraBest, with the position of every pixel kept."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from equiradio.errors import ImageRefusal
from equiradio.sky.beams import Beam
from equiradio.sky.blanks import blanked, check_sky
from equiradio.sky.positions import distorted, nominal_scale, north_angle, position, steps
from equiradio.sky.recipe import MIRABEST
from equiradio.sky.resample import area_mean, bilinear

SAME_SCALE, SAME_ANGLE_DEG = 0.01, 0.5  # within these an image is taken as it is
SCALES_ARCSEC = (0.1, 20.0)  # pixels that can be brought to 1.8 arcsec
NO_RADIO_IMAGE = 3600.0  # arcsec: coarser pixels are an error of the header
MAX_NONFINITE = 0.05
PER_PIXEL = re.compile(r"pix|px", re.IGNORECASE)  # units that go by the pixel: Jy/pixel, JY/PIX, Jy pixel-1, ...


@dataclass(frozen=True)
class SkyImage:
    """One plane of an image file.

    Attributes
    ----------
    name, hdu : the user's name for the file, and which HDU.
    pixels : float32 (height, width), physical values.
    wcs : astropy's, two celestial axes in the file's own frame; None where there is none.
    beam : None where the file does not say.
    unit : BUNIT as it stands, or empty.
    flags : quality flags that the header earned.
    about : cards that products keep: OBJECT, TELESCOP, DATE-OBS, RESTFRQ, ...
    """

    name: str
    hdu: int
    pixels: np.ndarray
    wcs: Any = None
    beam: Beam | None = None
    unit: str = ""
    flags: frozenset[str] = frozenset()
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Cutout:
    """What a network is shown.

    Attributes
    ----------
    image : uint8 (150, 150), raw MiraBest pixels.
    pixels : float32 (150, 150), the same pixels in physical units; None for pictures that come in MiraBest form.
    wcs : of these 150 x 150 pixels, or None.
    ra_deg, dec_deg : ICRS of the crop's centre, nan where unknown.
    flags : names of quality flags (`equiradio.artefacts.flags`).
    ellipse : of the beam: major and minor axis in arcsec, position angle in degrees in the crop's frame; None where unknown.
    about : as in `SkyImage`.
    """

    name: str
    hdu: int
    image: np.ndarray
    pixels: np.ndarray | None = None
    wcs: Any = None
    ra_deg: float = math.nan
    dec_deg: float = math.nan
    unit: str = ""
    flags: frozenset[str] = field(default_factory=frozenset)
    ellipse: tuple[float, float, float] | None = None
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _View:
    """An image about the target: where it is in pixels, and arcsec towards (east, north) by one pixel along (column, row)."""

    column: float
    row: float
    matrix: np.ndarray

    @property
    def sides(self) -> tuple[float, float]:
        """Width and height of a pixel in arcsec."""
        width, height = np.hypot(*self.matrix)
        return float(width), float(height)

    @property
    def scale(self) -> float:
        """Side of a square of a pixel's area, in arcsec."""
        return math.sqrt(abs(float(np.linalg.det(self.matrix))))

    @property
    def same(self) -> bool:
        """Whether the pixels can be taken as they are: 1.8 arcsec, ICRS north up and east left."""
        off = np.abs(self.matrix - self.scale * np.diag([-1.0, 1.0])).max()
        upright = off <= self.scale * max(SAME_SCALE, math.sin(math.radians(SAME_ANGLE_DEG)))
        return bool(upright) and abs(self.scale / MIRABEST.scale_arcsec - 1) <= SAME_SCALE


def of_use(scale_arcsec: float) -> bool:
    """Whether pixels of this side can be brought to those of the networks."""
    return SCALES_ARCSEC[0] <= scale_arcsec <= SCALES_ARCSEC[1]


def cut(sky: SkyImage, ra_deg: float | None = None, dec_deg: float | None = None, max_nonfinite: float = MAX_NONFINITE) -> Cutout:
    """The cutout around a position (ICRS), or around the image's centre.

    Parameters
    ----------
    max_nonfinite : share of the crop's pixels, 0..1, that may be not finite (or outside the image).

    Raises
    ------
    ImageRefusal : too small, too many pixels not finite, no signal, a scale that is of no use, or a position outside the image.
    """
    view = _view(sky, *_target(sky, ra_deg, dec_deg))
    _check_size(sky, view)
    same = view.same and not (sky.wcs is not None and distorted(sky.wcs))
    corner, part = _part(sky, view, same)
    part, zeros = blanked(part)
    place, wcs = (_window if same else _resampled)(sky, part, corner, view)
    crop = _middle(place)
    _check_finite(crop, sky.name, max_nonfinite, "not finite" + (" or blank areas of exact zeros" if zeros else ""))
    median, sigma = noise(place)
    flags = set(sky.flags) | check_sky(part, crop, median, sigma, sky.name)
    image = stretched(crop, sigma, sky.name)
    other = sky.wcs is not None and (
        abs(view.scale / MIRABEST.scale_arcsec - 1) > SAME_SCALE or not (sky.beam is None or sky.beam.of_first)
    )
    earned = {
        "no_wcs": sky.wcs is None,
        "other_beam": other,
        "reprojected": not same,
        "zero_filled": zeros,
        "nonfinite": not np.isfinite(crop).all(),
        "small_field": int(np.isfinite(place).sum()) < (1 - 2 * SAME_SCALE) * place.size,
    }
    flags |= {flag for flag, yes in earned.items() if yes}
    beam = sky.beam if same or sky.beam is None else sky.beam.turned(north_angle(sky.wcs, view.column, view.row))
    start = MIRABEST.noise_field // 2 - MIRABEST.side // 2
    wcs = None if wcs is None else wcs[start : start + MIRABEST.side, start : start + MIRABEST.side]
    ra, dec = position(wcs, (MIRABEST.side - 1) / 2, (MIRABEST.side - 1) / 2)
    ellipse = None if beam is None else beam.ellipse
    return Cutout(sky.name, sky.hdu, image, crop.copy(), wcs, ra, dec, sky.unit, frozenset(flags), ellipse, sky.about)


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
    from astropy.stats import sigma_clipped_stats

    finite = field_pixels[np.isfinite(field_pixels)]
    _, median, sigma = sigma_clipped_stats(finite, sigma=MIRABEST.clip_sigma, maxiters=MIRABEST.clip_rounds)
    return median, sigma


def stretched(crop: np.ndarray, sigma: float, name: str = "image") -> np.ndarray:
    """uint8 pixels of a crop: 0 up to 3 sigma, the rest from 0 to 255."""
    lit = np.where(np.isfinite(crop) & (crop > MIRABEST.clip_sigma * sigma), crop, np.float32(0))
    low, high = lit.min(), lit.max()
    if not high > low:
        words = "no pixel of the crop stands out from the noise" if sigma > 0 else "all pixels of the image are alike"
        raise ImageRefusal("blank", name, words, "a source above 3 sigma", "Recentre the cutout.")
    with np.errstate(over="ignore", invalid="ignore"):
        return np.nan_to_num((lit - low) / (high - low) * 255).astype(np.uint8)


def _middle(field_pixels: np.ndarray) -> np.ndarray:
    start = MIRABEST.noise_field // 2 - MIRABEST.side // 2
    return field_pixels[start : start + MIRABEST.side, start : start + MIRABEST.side]


def _check_finite(crop: np.ndarray, name: str, most: float, what: str = "not finite") -> None:
    bad = int((~np.isfinite(crop)).sum())
    if bad > most * crop.size:
        words = f"{bad:,} of {crop.size:,} pixels ({100 * bad / crop.size:.1f} %) are {what}"
        do = "The cutout may cross the mosaic's edge; recentre it, or raise --max-nonfinite."
        raise ImageRefusal("too_many_nonfinite", name, words, f"at most {100 * most:g} %", do)


def _target(sky: SkyImage, ra_deg: float | None, dec_deg: float | None) -> tuple[float, float]:
    """Column and row of the target, counted from the centre of the first pixel."""
    height, width = sky.pixels.shape
    if ra_deg is None or dec_deg is None:
        return width // 2 - 0.5, height // 2 - 0.5
    where = f"{ra_deg:.5f} {dec_deg:+.5f}"
    if sky.wcs is None:
        raise ImageRefusal("outside", sky.name, "no sky position in the header", f"a WCS that {where} can be found by", "Drop --ra --dec.")
    from astropy.coordinates import SkyCoord

    column, row = (float(value) for value in sky.wcs.world_to_pixel(SkyCoord(ra_deg, dec_deg, unit="deg", frame="icrs")))
    if not (-0.5 <= column <= width - 0.5 and -0.5 <= row <= height - 0.5):
        ra, dec = position(sky.wcs, (width - 1) / 2, (height - 1) / 2)
        words = f"{where} is not in the image (centre {ra:.5f} {dec:+.5f})"
        raise ImageRefusal("outside", sky.name, words, "a position inside", "Choose the file that covers it.")
    return column, row


def _view(sky: SkyImage, column: float, row: float) -> _View:
    if sky.wcs is None:
        return _View(column, row, MIRABEST.scale_arcsec * np.diag([-1.0, 1.0]))
    view = _View(column, row, steps(sky.wcs, column, row))
    if not math.isfinite(view.scale):
        raise ImageRefusal("absurd_scale", sky.name, "a WCS that gives no position at the target", "one that does", "Correct the header.")
    return view


def _check_size(sky: SkyImage, view: _View) -> None:
    """Refuse a field that is too small, and pixels that cannot be brought to 1.8 arcsec."""
    (height, width), needed = sky.pixels.shape, MIRABEST.size_arcsec
    wide, high = width * view.sides[0], height * view.sides[1]
    across = f"{view.scale:.3g}" if max(view.sides) < 1.01 * min(view.sides) else f"{view.sides[0]:.3g} x {view.sides[1]:.3g}"
    if min(wide, high) < needed * (1 - SAME_SCALE):
        size = f"{wide:.3g} x {high:.3g} arcsec, {width} x {height} pixels of {across}"
        if sky.wcs is None:
            size = f"{width} x {height} pixels without a scale in the header, taken as {MIRABEST.scale_arcsec}"
        expected = f"at least {MIRABEST.side} x {MIRABEST.side} pixels of {MIRABEST.scale_arcsec} arcsec"
        raise ImageRefusal("too_small", sky.name, f"field smaller than {needed:.0f} arcsec ({size})", expected, "Take a larger cutout.")
    for scale in (view.scale,) if sky.wcs is None else (nominal_scale(sky.wcs), view.scale):
        if not of_use(scale):
            if scale > NO_RADIO_IMAGE:
                words, do = f"pixels of {scale:.3g} arcsec", "Correct CDELT or CD in the header."
            elif scale > SCALES_ARCSEC[1]:
                words, do = f"pixels of {scale:.3g} arcsec, too coarse for the networks", "Take an image of finer resolution."
            else:
                words, do = f"pixels of {scale:.3g} arcsec, too fine", "Average them first."
            raise ImageRefusal("absurd_scale", sky.name, words, f"{SCALES_ARCSEC[0]:g} to {SCALES_ARCSEC[1]:g}", do)


def _part(sky: SkyImage, view: _View, same: bool) -> tuple[tuple[int, int], np.ndarray]:
    """The pixels that the field needs, and the (row, column) of their first."""
    half, row, column = MIRABEST.noise_field // 2, math.floor(view.row + 0.5), math.floor(view.column + 0.5)
    if same:
        spans = [(row - half, row + half), (column - half, column + half)]
    else:  # half a diagonal, so that any angle fits; more pixels where they are narrower
        reach = half * MIRABEST.scale_arcsec * math.sqrt(2) * np.hypot(*np.linalg.inv(view.matrix).T)
        spans = [(at - math.ceil(more) - 3, at + math.ceil(more) + 4) for at, more in zip((row, column), reach[::-1], strict=True)]
    starts, ends = [max(0, low) for low, _ in spans], [high for _, high in spans]
    return (starts[0], starts[1]), sky.pixels[starts[0] : max(ends[0], 0), starts[1] : max(ends[1], 0)]


def _window(sky: SkyImage, part: np.ndarray, corner: tuple[int, int], view: _View) -> tuple[np.ndarray, Any]:
    """The 300 x 300 pixels that begin half a field before the target, nan outside the image, and their WCS."""
    side = MIRABEST.noise_field
    top, left = math.floor(view.row + 0.5) - side // 2, math.floor(view.column + 0.5) - side // 2
    window = np.full((side, side), np.nan, np.float32)
    row, column = corner[0] - top, corner[1] - left
    window[row : row + part.shape[0], column : column + part.shape[1]] = part
    if sky.wcs is None:
        return window, None
    wcs = sky.wcs.deepcopy()
    wcs.wcs.crpix = [wcs.wcs.crpix[0] - left, wcs.wcs.crpix[1] - top]
    wcs.pixel_shape = (side, side)
    return window, wcs


def _resampled(sky: SkyImage, part: np.ndarray, corner: tuple[int, int], view: _View) -> tuple[np.ndarray, Any]:
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
    fine = view.scale < scale * (1 - SAME_SCALE)
    rows, columns = np.indices((side + fine, side + fine)) - 0.5 * fine
    columns, rows = sky.wcs.world_to_pixel(goal.pixel_to_world(columns, rows))
    pixels = (area_mean if fine else bilinear)(part, columns - corner[1], rows - corner[0])
    if PER_PIXEL.search(sky.unit):
        pixels = pixels * (scale / view.scale) ** 2
    return pixels.astype(np.float32), goal
