"""Units of brightness: how many Jy per beam and per pixel a value of an image is."""

import math
import re
import warnings
from functools import lru_cache
from typing import NamedTuple

BEAM_AREA = math.pi / (4 * math.log(2))  # of a Gaussian, times the product of its full widths at half maximum
ARCSEC = math.pi / 180 / 3600  # radians
SPELLINGS = ((r"jy", "Jy"), (r"beams?|bm\b", "beam"), (r"pixels?|pix\b|px\b", "pix"), (r"\bsr\b", "sr"))


class Scale(NamedTuple):
    """What a pixel's value is multiplied by to be in Jy per beam, and in Jy per pixel; None where that cannot be had."""

    to_beam: float | None = None
    to_pixel: float | None = None


def scale_of(unit: str, beam_pixels: float | None, pixel_arcsec: float | None) -> Scale:
    """Scale of an image in ``unit``, as BUNIT has it.

    Parameters
    ----------
    beam_pixels : the beam's area in pixels, as `beam_area` has it; None where it is unknown.
    pixel_arcsec : side of a pixel; None where it is unknown.
    """
    janskys, per = _janskys(unit)
    if janskys is None:
        return Scale()
    if per == "beam":
        return Scale(janskys, janskys / beam_pixels if beam_pixels else None)
    if per == "sr":
        janskys = None if pixel_arcsec is None else janskys * (pixel_arcsec * ARCSEC) ** 2
    return Scale(janskys * beam_pixels if janskys and beam_pixels else None, janskys)


def beam_area(major_arcsec: float, minor_arcsec: float, pixel_arcsec: float) -> float:
    """Area of a beam in pixels, by its full widths at half maximum; FIRST's is 10.2 pixels."""
    return BEAM_AREA * major_arcsec * minor_arcsec / pixel_arcsec**2


@lru_cache(maxsize=256)
def _janskys(unit: str) -> tuple[float | None, str]:
    """Jy in a unit, and per what it is: beam, pix or sr; None for other units, such as K, and for those that could be either of two."""
    from astropy import units

    if re.match(r"\s*MJY\s*/?\s*(BEAM|BM|PIX)", unit):
        return None, ""  # all in capitals: milli or mega, nobody knows
    text = unit
    for spelling, name in SPELLINGS:
        text = re.sub(spelling, name, text, flags=re.IGNORECASE)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parsed = units.Unit(text)
    except (ValueError, TypeError):
        return None, ""
    for per in ("beam", "pix", "sr"):
        try:
            return float((parsed * units.Unit(per)).to(units.Jy)), per
        except units.UnitConversionError:
            continue
    return None, ""
