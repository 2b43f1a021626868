"""Cutouts as they go from a reading process to the one that answers: without physical pixels, and with a WCS that keeps every bit.

astropy pickles a WCS as the cards of a header, which have fewer digits than the numbers; and the position of an attention peak must not
depend on which process read the image.
"""

from dataclasses import replace
from typing import Any, NamedTuple

from equiradio.errors import ImageRefusal
from equiradio.sky.images import Cutout
from equiradio.sky.positions import tpv_header

NUMBERS = ("crval", "crpix", "cdelt", "lonpole", "latpole", "equinox", "mjdobs", "restfrq", "restwav", "velref")


class Packed(NamedTuple):
    """A cutout without its WCS and physical pixels, and what the WCS is made of (None where there is none)."""

    cutout: Cutout
    wcs: dict[str, Any] | None


Read = Packed | ImageRefusal


def packed(cutout: Cutout | ImageRefusal) -> Read:
    """A cutout for the way; its shape is measured before."""
    if isinstance(cutout, ImageRefusal):
        return cutout
    light = replace(cutout, pixels=None, wcs=None)
    vars(light)["shape"] = cutout.shape  # of the pixels that stay behind
    return Packed(light, None if cutout.wcs is None else wcs_parts(cutout.wcs))


def unpacked(read: Read) -> Cutout | ImageRefusal:
    """The cutout again."""
    if isinstance(read, ImageRefusal):
        return read
    cutout = replace(read.cutout, wcs=None if read.wcs is None else wcs_of(read.wcs))
    vars(cutout)["shape"] = vars(read.cutout)["shape"]
    return cutout


def wcs_parts(wcs: Any) -> dict[str, Any]:
    """What `wcs_of` makes the same WCS of, bit for bit (of the projection TPV to a header's digits): plain numbers, texts and arrays."""
    inner = wcs.wcs
    if (header := tpv_header(wcs)) is not None:
        return {"header": header, "shape": wcs.pixel_shape}
    plain = lambda value: value.copy() if hasattr(value, "copy") else value
    parts: dict[str, Any] = {name: [str(each) for each in getattr(inner, name)] for name in ("ctype", "cunit")}
    parts |= {name: str(getattr(inner, name)) for name in ("radesys", "dateobs")}
    parts |= {name: plain(getattr(inner, name)) for name in NUMBERS}
    matrix = "cd" if inner.has_cd() else "crota" if inner.has_crota() else "pc"
    parts |= {"matrix": matrix, matrix: plain(getattr(inner, matrix))}
    parts |= {"pv": inner.get_pv(), "ps": inner.get_ps(), "shape": wcs.pixel_shape}
    sip = wcs.sip
    parts["sip"] = None if sip is None else tuple(plain(each) for each in (sip.a, sip.b, sip.ap, sip.bp, sip.crpix))
    return parts


def wcs_of(parts: dict[str, Any]) -> Any:
    """An astropy WCS of two axes."""
    from astropy.io import fits
    from astropy.wcs import WCS, Sip

    if "header" in parts:
        wcs = WCS(fits.Header.fromstring(parts["header"]))
        wcs.pixel_shape = parts["shape"]
        return wcs
    wcs = WCS(naxis=2)
    inner = wcs.wcs
    for name in ("ctype", "cunit", "radesys", "dateobs", *NUMBERS, parts["matrix"]):
        setattr(inner, name, parts[name])
    inner.set_pv(parts["pv"])
    inner.set_ps(parts["ps"])
    if parts["sip"] is not None:
        wcs.sip = Sip(*parts["sip"])
    inner.set()
    wcs.pixel_shape = parts["shape"]
    return wcs
