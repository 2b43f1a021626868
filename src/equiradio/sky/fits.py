"""Image files, or the bytes of an upload, to cutouts: FITS (plain, gzipped, tile-compressed), and PNG or NPY in MiraBest form.

`read_cutout` is the one call that classifying needs; `read_image` gives the whole plane; `mirabest_image` the exact MiraBest pixels.
"""

import io
import math
import re
import warnings
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from equiradio.errors import ImageRefusal
from equiradio.sky.cutout import MAX_NONFINITE, Cutout, SkyImage, cut
from equiradio.sky.pictures import NPY, PNG, picture

__all__ = ["mirabest_image", "read_cutout", "read_image"]

GZIP = b"\x1f\x8b"
CHUNK = 1 << 14  # bytes given to gzip at once: what it has not used it copies, once for every member
SUFFIXES = (".fits", ".fit", ".fts", ".fits.gz", ".fit.gz", ".fits.fz", ".png", ".npy")
KEPT_CARDS = re.compile(
    r"NAXIS|CTYPE\d|CRVAL\d|CRPIX\d|CDELT\d|CUNIT\d|CROTA\d|P[CV]\d+_\d+|CD\d_\d|PC00\d00\d|LONPOLE|LATPOLE|RADEC?SYS|EQUINOX|EPOCH|DATE-OBS|MJD-OBS"
)  # what a WCS is made of; other cards may be illegal and are never copied
CHANGED = "Fetch it again."


class Limits(NamedTuple):
    """What is read at once: ``bytes`` of a file, and after gunzip; ``pixels`` of an image. Checked before anything is decoded."""

    bytes: int = 1 << 30
    pixels: int = 200_000_000


LIMITS = Limits()


def mirabest_image(path: str | Path) -> np.ndarray:
    """The uint8 (150, 150) image that MiraBest holds of a FIRST cutout, bit for bit."""
    return read_cutout(path).image


def read_cutout(
    file: str | Path | bytes,
    name: str | None = None,
    *,
    hdu: int | None = None,
    plane: int | None = None,
    ra_deg: float | None = None,
    dec_deg: float | None = None,
    max_nonfinite: float = MAX_NONFINITE,
    limits: Limits = LIMITS,
) -> Cutout:
    """What a network is shown of a file, or of an upload's bytes.

    Parameters
    ----------
    name : for messages; by default the path as given.
    hdu, plane : which HDU, and which plane of a cube; needed only where there are several.
    ra_deg, dec_deg : ICRS position to cut around; by default the image's centre.
    max_nonfinite : share of the crop, 0..1, that may be not finite.
    limits : larger files and images are refused.

    Raises
    ------
    ImageRefusal : it cannot be read or used; its ``flag`` says in a word why.
    """
    content, name = _content(file, name, limits)
    if content.startswith((PNG, NPY)):
        return Cutout(name, 0, picture(content, name), flags=frozenset({"no_wcs"}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # illegal cards and old conventions: tolerated, and none is copied
        return cut(_from_fits(content, name, hdu, plane, limits), ra_deg, dec_deg, max_nonfinite)


def read_image(file: str | Path | bytes, name: str | None = None, *, hdu: int | None = None, plane: int | None = None) -> SkyImage:
    """The image plane of a FITS file; parameters and refusals as in `read_cutout`."""
    content, name = _content(file, name, LIMITS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _from_fits(content, name, hdu, plane, LIMITS)


def _content(file: str | Path | bytes, name: str | None, limits: Limits) -> tuple[bytes, str]:
    """Bytes after gunzip, and the name."""
    if isinstance(file, bytes):
        content, name = file, name or "upload"
    else:
        name = name or str(file)
        content = _read(Path(file), name, limits)
    if not content:
        raise ImageRefusal("empty_file", name, "0 bytes", "a FITS image", CHANGED)
    return (_gunzip(content, name, limits) if content.startswith(GZIP) else content), name


def _read(path: Path, name: str, limits: Limits) -> bytes:
    try:
        if not path.is_file():
            path.stat()  # says why: absent, a loop of links, a locked folder
            raise ImageRefusal("unreadable", name, "a folder or a device", "a file", "Name an image file.")
        size = path.stat().st_size
        if size > limits.bytes:
            raise ImageRefusal("too_large", name, f"{size:,} bytes", f"at most {limits.bytes:,}", "Cut the source out first.")
        return path.read_bytes()
    except FileNotFoundError:
        raise ImageRefusal("missing", name, "no such file", "a FITS image", "Check the path.") from None
    except (
        OSError,
        ValueError,
        RuntimeError,
    ) as error:  # a zero byte in the name; a loop of links
        found = f"cannot be opened ({getattr(error, 'strerror', None) or error})"
        raise ImageRefusal("unreadable", name, found, "a file that may be read", "Check links and permissions.") from None


def _gunzip(content: bytes, name: str, limits: Limits) -> bytes:
    """Unpacked, but never more than the limit: a small file can promise terabytes. Members behind the first are unpacked too."""
    view, at, parts, total = memoryview(content), 0, [], 0
    while view[at : at + 2] == GZIP:
        unpack = zlib.decompressobj(wbits=31)
        while not unpack.eof and at < len(view):
            piece = view[at : at + CHUNK]
            at += len(piece)
            try:
                parts.append(unpack.decompress(piece, limits.bytes + 1 - total))
            except zlib.error as error:
                raise ImageRefusal("damaged", name, f"gzip data that cannot be unpacked ({error})", "a whole file", CHANGED) from None
            total += len(parts[-1])
            if total > limits.bytes:
                raise ImageRefusal("too_large", name, f"more than {limits.bytes:,} bytes unpacked", "fewer", "Cut the source out first.")
        if not unpack.eof:
            raise ImageRefusal("truncated", name, f"gzip data cut short, {total:,} bytes unpacked", "a whole file", CHANGED)
        at -= len(unpack.unused_data)
    return b"".join(parts)


def _from_fits(content: bytes, name: str, number: int | None, plane: int | None, limits: Limits) -> SkyImage:
    from astropy.io import fits

    if not content.startswith(b"SIMPLE  ="):
        raise ImageRefusal(
            "not_an_image_file", name, f"{len(content):,} bytes that are no FITS", "a FITS, PNG or NPY image", "Choose another."
        )
    try:
        with fits.open(io.BytesIO(content), memmap=False, lazy_load_hdus=True) as hdus:
            number, hdu = _chosen(hdus, content, name, number, limits)
            pixels = _plane(hdu, name, plane)
            header = _clean(hdu.header)
            return SkyImage(name, number, pixels, _celestial(header), _beam(hdu.header), _unit(hdu.header), _ellipse(hdu.header))
    except ImageRefusal:
        raise
    except MemoryError:
        raise ImageRefusal(
            "too_large", name, "an image that does not fit into memory", "a smaller one", "Cut the source out first."
        ) from None
    except Exception as error:  # astropy meets damage in dozens of ways, and one bad file must not stop a run over thousands
        first = (str(error).splitlines() or [""])[0][:120] or type(error).__name__
        raise ImageRefusal("damaged", name, f"FITS that cannot be understood ({first})", "a whole file", CHANGED) from None


def _chosen(hdus: Any, content: bytes, name: str, number: int | None, limits: Limits) -> tuple[int, Any]:
    """The HDU that holds the image, its size checked against the file before any pixel is read."""
    found, images = [], {}
    for index, hdu in enumerate(hdus):
        shape = tuple(hdu.shape) if hdu.is_image else ()
        title = f"{index} {hdu.name or 'unnamed'}"
        kind = "an image" if shape else "empty" if hdu.is_image else f"a table of {hdu.header.get('NAXIS2', 0):,} rows"
        found.append(f"{title} is {kind}")
        if hdu.is_image and math.prod(map(float, shape or (0,))) > limits.pixels:
            words = f"its header promises {' x '.join(f'{side:,}' for side in shape)} pixels"
            raise ImageRefusal("too_large", name, words, f"at most {limits.pixels:,}", "Cut the source out first.")
        place = hdu.fileinfo() or {}
        end = place.get("datLoc", 0) + min(hdu.size, place.get("datSpan", 0))  # padding may be missing; of tiles, size is that unpacked
        if end > len(content):
            words = f"file has {len(content):,} bytes but its header promises {place['datLoc'] + place['datSpan']:,}"
            raise ImageRefusal("truncated", name, words, "a whole file", CHANGED)
        if shape and 0 not in shape:
            images[index] = hdu
    listed = ", ".join(found[:4]) + (", ..." if len(found) > 4 else "")
    if number is not None:
        if number not in images:
            raise ImageRefusal("no_image", name, f"HDU {number} holds no image ({listed})", "one 2-D image", "Choose another --hdu.")
        return number, images[number]
    if not images:
        do = "To classify the sources of a table use images cut around them." if "table" in listed else "Choose another file."
        raise ImageRefusal("no_image", name, f"no HDU holds an image ({listed})", "one 2-D image", do)
    if len(images) > 1:
        choices = " or ".join(f"--hdu {index}" for index in list(images)[:4])
        raise ImageRefusal("several_images", name, f"{len(images)} HDUs hold images ({listed})", "one 2-D image", f"Choose with {choices}.")
    return next(iter(images.items()))


def _plane(hdu: Any, name: str, plane: int | None) -> np.ndarray:
    """Axes of length 1 dropped, one plane of a cube."""
    data = np.asarray(hdu.data)
    data = data.reshape([side for side in data.shape if side > 1] or [1])
    if data.ndim == 3 and plane is not None and 0 <= plane < len(data):
        data = data[plane]
    if data.ndim != 2:
        words = f"image is {' x '.join(map(str, data.shape))} after dropping axes of length 1"
        some = " or ".join(f"--plane {index}" for index in range(min(2, len(data))))
        do = f"Choose a plane with {some}." if data.ndim == 3 else "Save one plane as a file of its own."
        raise ImageRefusal("wrong_shape", name, words, "height x width", do)
    with np.errstate(over="ignore"):
        return data.astype(np.float32)


def _clean(header: Any) -> Any:
    """A new header with the cards of the WCS alone."""
    from astropy.io import fits

    copied = fits.Header()
    for card in header.cards:
        if KEPT_CARDS.fullmatch(card.keyword):
            try:
                copied[card.keyword] = card.value
            except (ValueError, fits.VerifyError):
                continue  # a card that cannot be understood is left out
    copied["NAXIS"] = header.get("NAXIS", 2)
    for axis in range(1, int(copied["NAXIS"]) + 1):
        copied[f"NAXIS{axis}"] = header.get(f"NAXIS{axis}", 1)
    return copied


def _celestial(header: Any) -> Any:
    """The celestial axes of a WCS, or None where there are none or they give no position."""
    from astropy.wcs import WCS

    try:
        wcs = WCS(header).celestial
        if wcs.naxis != 2 or not wcs.has_celestial:
            return None
        # a copy that is (longitude, latitude) and has no other habit of the header
        sky = wcs.pixel_to_world((header["NAXIS1"] - 1) / 2, (header["NAXIS2"] - 1) / 2).icrs
        return wcs if math.isfinite(sky.ra.deg) and math.isfinite(sky.dec.deg) else None
    except Exception:  # wcslib refuses in many ways; an image without positions can still be classified
        return None


def _beam(header: Any) -> float | None:
    try:
        beam = float(header["BMAJ"]) * 3600
    except Exception:  # absent, text, or an illegal card
        return None
    return beam if math.isfinite(beam) and beam > 0 else None


def _ellipse(header: Any) -> tuple[float, float, float] | None:
    try:
        major, minor, angle = (float(header[card]) for card in ("BMAJ", "BMIN", "BPA"))
    except Exception:  # as above
        return None
    return (major * 3600, minor * 3600, angle) if 0 < minor <= major < 1 and math.isfinite(angle) else None


def _unit(header: Any) -> str:
    try:
        return str(header.get("BUNIT", "")).strip()[:40]
    except Exception:  # an illegal card
        return ""
