"""What is asked of files, from the command line or from Python: refused before any is opened where it cannot be meant."""

from numbers import Integral, Real
from typing import Any

from equiradio.errors import SettingRefusal
from equiradio.sky.axes import Plane, check_plane
from equiradio.sky.beams import Beam, GivenBeam


def check_choices(
    *,
    hdu: int | None = None,
    plane: Plane = None,
    ra_deg: float | None = None,
    dec_deg: float | None = None,
    max_nonfinite: float = 0.0,
    beam: GivenBeam | None = None,
) -> None:
    """Refuse choices that no file can meet; as `equiradio.sky.fits.read_cutout` takes them.

    Raises
    ------
    SettingRefusal : a value of another kind, or out of range.
    """
    if hdu is not None and (isinstance(hdu, bool) or not isinstance(hdu, Integral)):
        raise SettingRefusal("--hdu", f"{hdu!r}", "a whole number", "For example 1.")
    check_plane(plane)
    _check_position(ra_deg, dec_deg)
    if not (_number(max_nonfinite) and 0 <= max_nonfinite <= 1):
        shown = f"{max_nonfinite:g}" if _number(max_nonfinite) else f"{max_nonfinite!r}"
        raise SettingRefusal("--max-nonfinite", shown, "a share from 0 to 1", "5 % is 0.05.")
    if beam is not None:
        Beam.of(beam)


def _check_position(ra_deg: float | None, dec_deg: float | None) -> None:
    if ra_deg is None and dec_deg is None:
        return
    if ra_deg is None or dec_deg is None:
        raise SettingRefusal("--ra --dec", "one of the two", "both or none", "Give both.")
    if not (_number(ra_deg) and _number(dec_deg)):
        raise SettingRefusal("--ra --dec", f"{ra_deg!r} {dec_deg!r}", "two numbers, degrees", "Correct the position.")
    if not (0 <= ra_deg <= 360 and -90 <= dec_deg <= 90):
        raise SettingRefusal("--ra --dec", f"{ra_deg:g} {dec_deg:g}", "0 to 360 and -90 to 90 degrees", "Correct the position.")


def _number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
