"""From an image of the sky to the 150 x 150 image that a network sees, by the recipe of MiraBest, with the position of every pixel kept."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from equiradio.errors import ImageRefusal
from equiradio.sky.recipe import MIRABEST

BEAM_SHARE = 0.2  # a beam that differs by more than this share is another one
SAME_SCALE, SAME_ANGLE_DEG = 0.01, 0.5  # within these an image is taken as it is
SCALES_ARCSEC = (0.1, 20.0)  # pixels that a radio image of a galaxy may have
FINE = 0.5  # pixels below this share of 1.8 arcsec are averaged, not sampled
MAX_NONFINITE = 0.05


@dataclass(frozen=True)
class SkyImage:
    """One plane of an image file.

    Attributes
    ----------
    name, hdu : the user's name for the file, and which HDU.
    pixels : float32 (height, width), physical values.
    wcs : astropy's, two celestial axes in the file's own frame; None where there is none.
    beam_arcsec : major axis of the beam, None where the header does not say.
    unit : BUNIT as it stands, or empty.
    ellipse : of the beam: major and minor axis in arcsec, position angle in degrees; None where the header does not say.
    """

    name: str
    hdu: int
    pixels: np.ndarray
    wcs: Any = None
    beam_arcsec: float | None = None
    unit: str = ""
    ellipse: tuple[float, float, float] | None = None


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
    ellipse : of the beam, as in `SkyImage`.
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


def cut(sky: SkyImage, ra_deg: float | None = None, dec_deg: float | None = None, max_nonfinite: float = MAX_NONFINITE) -> Cutout:
    """The cutout around a position (ICRS), or around the image's centre.

    Parameters
    ----------
    max_nonfinite : share of the crop's pixels, 0..1, that may be not finite (or outside the image).

    Raises
    ------
    ImageRefusal : too small, too many pixels not finite, no signal, an absurd scale, or a position outside the image.
    """
    flags = set()
    column, row = _target(sky, ra_deg, dec_deg)
    scale, upright = (MIRABEST.scale_arcsec, True) if sky.wcs is None else _geometry(sky, column, row)
    same = upright and abs(scale / MIRABEST.scale_arcsec - 1) <= SAME_SCALE
    if min(sky.pixels.shape) * scale < MIRABEST.side * MIRABEST.scale_arcsec * (1 - SAME_SCALE):
        height, width = sky.pixels.shape
        found = f"image is {height} x {width} pixels of {scale:.3g} arcsec"
        raise ImageRefusal(
            "too_small", sky.name, found, f"at least {MIRABEST.side} x {MIRABEST.side} of {MIRABEST.scale_arcsec}", "Take a larger cutout."
        )
    if sky.wcs is None:
        flags.add("no_wcs")
    elif abs(scale / MIRABEST.scale_arcsec - 1) > SAME_SCALE or (
        sky.beam_arcsec is not None and abs(sky.beam_arcsec / MIRABEST.beam_arcsec - 1) > BEAM_SHARE
    ):
        flags.add("other_beam")
    if same:
        field_pixels, wcs = _window(sky, math.floor(row + 0.5), math.floor(column + 0.5))
    else:
        flags.add("reprojected")
        field_pixels, wcs = _reprojected(sky, row, column, scale)
    start = MIRABEST.noise_field // 2 - MIRABEST.side // 2
    crop = field_pixels[start : start + MIRABEST.side, start : start + MIRABEST.side]
    image = to_mirabest(field_pixels, sky.name, max_nonfinite)
    if not np.isfinite(crop).all():
        flags.add("nonfinite")
    if field_pixels.size > _covered(sky, row, column, scale):
        flags.add("small_field")
    wcs = None if wcs is None else wcs[start : start + MIRABEST.side, start : start + MIRABEST.side]
    ra, dec = position(wcs, (MIRABEST.side - 1) / 2, (MIRABEST.side - 1) / 2)
    return Cutout(sky.name, sky.hdu, image, crop.copy(), wcs, ra, dec, sky.unit, frozenset(flags), sky.ellipse)


def to_mirabest(field_pixels: np.ndarray, name: str = "image", max_nonfinite: float = MAX_NONFINITE) -> np.ndarray:
    """Pixels (300, 300) around a target, nan where there are none -> uint8 (150, 150), as MiraBest was made.

    sigma of all finite pixels, clipped at 3 sigma 5 times; pixels up to 3 sigma become 0; the centre is stretched to 0..255 and
    truncated. Source: Porter 2020 (MiraBest), found bit for bit from its published images.
    """
    from astropy.stats import sigma_clipped_stats

    start = MIRABEST.noise_field // 2 - MIRABEST.side // 2
    crop = field_pixels[start : start + MIRABEST.side, start : start + MIRABEST.side]
    bad = int((~np.isfinite(crop)).sum())
    if bad > max_nonfinite * crop.size:
        found = f"{bad:,} of {crop.size:,} pixels ({100 * bad / crop.size:.1f} %) are not finite"
        do = "The cutout may cross the mosaic's edge; recentre it, or raise --max-nonfinite."
        raise ImageRefusal("too_many_nonfinite", name, found, f"at most {100 * max_nonfinite:g} %", do)
    sigma = sigma_clipped_stats(field_pixels[np.isfinite(field_pixels)], sigma=MIRABEST.clip_sigma, maxiters=MIRABEST.clip_rounds)[2]
    lit = np.where(np.isfinite(crop) & (crop > MIRABEST.clip_sigma * sigma), crop, np.float32(0))
    low, high = lit.min(), lit.max()
    if not high > low:
        found = "no pixel of the crop stands out from the noise" if sigma > 0 else "all pixels of the image are alike"
        raise ImageRefusal("blank", name, found, "a source above 3 sigma", "Recentre the cutout.")
    with np.errstate(over="ignore", invalid="ignore"):
        return np.nan_to_num((lit - low) / (high - low) * 255).astype(np.uint8)


def position(wcs: Any, column: float, row: float) -> tuple[float, float]:
    """ICRS of a pixel in degrees; nan where there is no WCS."""
    if wcs is None:
        return math.nan, math.nan
    sky = wcs.pixel_to_world(column, row).icrs
    return float(sky.ra.deg), float(sky.dec.deg)


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
        found = f"{where} is not in the image (centre {ra:.5f} {dec:+.5f})"
        raise ImageRefusal("outside", sky.name, found, "a position inside", "Choose the file that covers it.")
    return column, row


def _geometry(sky: SkyImage, column: float, row: float) -> tuple[float, bool]:
    """Pixel scale in arcsec at the target, and whether ICRS north is up and east left there within `SAME_ANGLE_DEG`."""
    nominal = math.sqrt(abs(float(np.linalg.det(sky.wcs.pixel_scale_matrix)))) * 3600
    matrix = _steps(sky.wcs, column, row)
    scale = math.sqrt(abs(float(np.linalg.det(matrix))))
    for found in (nominal, scale):
        if not SCALES_ARCSEC[0] <= found <= SCALES_ARCSEC[1]:
            expected = f"{SCALES_ARCSEC[0]:g} to {SCALES_ARCSEC[1]:g}"
            raise ImageRefusal("absurd_scale", sky.name, f"pixels of {found:.3g} arcsec", expected, "Correct CDELT or CD in the header.")
    straight = scale * np.diag([-1.0, 1.0])
    return scale, bool(np.abs(matrix - straight).max() <= scale * max(SAME_SCALE, math.sin(math.radians(SAME_ANGLE_DEG))))


def _steps(wcs: Any, column: float, row: float) -> np.ndarray:
    """Arcsec towards (east, north) by one pixel along (column, row) at a place of the image; nan where it has no position.

    The linear matrix of a header says so only at its reference point and in its own frame.
    """
    sky = wcs.pixel_to_world([column, column + 1, column], [row, row, row + 1]).icrs
    ra, dec = sky.ra.rad[0], sky.dec.rad[0]
    east = (-math.sin(ra), math.cos(ra), 0.0)
    north = (-math.sin(dec) * math.cos(ra), -math.sin(dec) * math.sin(ra), math.cos(dec))
    places = sky.cartesian.xyz.value
    return np.degrees(np.array([east, north]) @ (places[:, 1:] - places[:, :1])) * 3600


def _window(sky: SkyImage, row: int, column: int) -> tuple[np.ndarray, Any]:
    """The 300 x 300 pixels that begin half a field before (row, column), nan outside the image, and their WCS."""
    top, left = row - MIRABEST.noise_field // 2, column - MIRABEST.noise_field // 2
    height, width = sky.pixels.shape
    window = np.full((MIRABEST.noise_field, MIRABEST.noise_field), np.nan, np.float32)
    rows, columns = (
        slice(max(top, 0), min(top + MIRABEST.noise_field, height)),
        slice(max(left, 0), min(left + MIRABEST.noise_field, width)),
    )
    window[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = sky.pixels[rows, columns]
    if sky.wcs is None:
        return window, None
    wcs = sky.wcs.deepcopy()
    wcs.wcs.crpix = [wcs.wcs.crpix[0] - left, wcs.wcs.crpix[1] - top]
    wcs.pixel_shape = (MIRABEST.noise_field, MIRABEST.noise_field)
    return window, wcs


def _covered(sky: SkyImage, row: float, column: float, scale: float) -> float:
    """Pixels of 1.8 arcsec of the field that the image can cover, as if it were upright."""
    height, width = sky.pixels.shape
    half = MIRABEST.noise_field / 2 * MIRABEST.scale_arcsec / scale
    sides = [max(0.0, min(at + 0.5 + half, side) - max(at + 0.5 - half, 0)) for at, side in ((row, height), (column, width))]
    return (sides[0] * sides[1]) * (scale / MIRABEST.scale_arcsec) ** 2 * (1 + 2 * SAME_SCALE)


def _reprojected(sky: SkyImage, row: float, column: float, scale: float) -> tuple[np.ndarray, Any]:
    """The field on 300 x 300 pixels of 1.8 arcsec, north up, east left, gnomonic about the target, ICRS."""
    from astropy.wcs import WCS
    from reproject import reproject_adaptive, reproject_interp

    ra, dec = position(sky.wcs, column, row)
    if not (math.isfinite(ra) and math.isfinite(dec)):
        raise ImageRefusal("absurd_scale", sky.name, "a WCS that gives no position", "one that does", "Correct the header.")
    goal = WCS(naxis=2)
    goal.wcs.ctype, goal.wcs.radesys = ["RA---TAN", "DEC--TAN"], "ICRS"
    goal.wcs.crval, goal.wcs.crpix = [ra, dec], [(MIRABEST.noise_field + 1) / 2] * 2
    goal.wcs.cdelt = [-MIRABEST.scale_arcsec / 3600, MIRABEST.scale_arcsec / 3600]
    goal.pixel_shape = (MIRABEST.noise_field, MIRABEST.noise_field)
    reach = math.ceil(MIRABEST.noise_field / math.sqrt(2) * MIRABEST.scale_arcsec / scale) + 3  # half a diagonal, so that any angle fits
    rows = slice(max(0, int(row) - reach), int(row) + reach + 1)
    columns = slice(max(0, int(column) - reach), int(column) + reach + 1)
    part, wcs = sky.pixels[rows, columns], sky.wcs[rows, columns]
    if scale < FINE * MIRABEST.scale_arcsec:
        pixels, _ = reproject_adaptive((part, wcs), goal, shape_out=(MIRABEST.noise_field, MIRABEST.noise_field))
    else:
        pixels, _ = reproject_interp((part, wcs), goal, shape_out=(MIRABEST.noise_field, MIRABEST.noise_field), order="bilinear")
    return pixels.astype(np.float32), goal
