"""Uploaded bytes to a source: FITS (plain or gzipped), or PNG and NPY in MiraBest form. Sizes are checked before anything is decoded."""

import io
import threading
import warnings
import zlib
from typing import Any

import numpy as np

from equiradio.data.preprocess import SIDE
from equiradio.data.simulated import clipped_sigma
from equiradio.errors import DataRefusal
from equiradio.serve.held import ARCSEC_PER_PIXEL, Held, position_in

MOST_PIXELS = 16_000_000  # of an image plane
MOST_BYTES = 136_000_000  # of a file after gunzip
MOST_BLANK = 0.05  # share of pixels that may be not finite
CLIP = 3.0  # standard deviations below which the sky is set to zero
GZIP, PNG, NPY = b"\x1f\x8b", b"\x89PNG\r\n\x1a\n", b"\x93NUMPY"
ONE_AT_A_TIME = threading.Lock()  # which warnings are shown is a setting of the whole process
FORMS = "a FITS image (plain or gzipped), or a 150 x 150 PNG or NPY in MiraBest form"


def read_source(content: bytes, name: str, key: str) -> Held:
    """The source in a file's bytes.

    Raises
    ------
    DataRefusal : nothing that can be read, too many pixels, or no image of a source.
    """
    if not content:
        raise DataRefusal(name, "an empty file", FORMS, "Fetch it again.")
    if content.startswith(GZIP):
        content = gunzip(content, name)
    if content.startswith(PNG):
        return Held(key, name, from_png(content, name), position=position_in(name), arcsec_per_pixel=None)
    if content.startswith(NPY):
        return Held(key, name, from_npy(content, name), position=position_in(name), arcsec_per_pixel=None)
    if not content.startswith(b"SIMPLE  ="):
        raise DataRefusal(name, f"{len(content):,} bytes that are no image known here", FORMS, "Choose another file.")
    with ONE_AT_A_TIME, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd cards are no reason to bother the viewer's user
        return from_fits(content, name, key)


def gunzip(content: bytes, name: str) -> bytes:
    """Unpacked, but never more than `MOST_BYTES`: a small file can promise terabytes."""
    unpack = zlib.decompressobj(wbits=31)
    try:
        plain = unpack.decompress(content, MOST_BYTES + 1)
    except zlib.error as error:
        raise DataRefusal(name, f"gzip data that cannot be unpacked ({error})", "a whole file", "Fetch it again.") from None
    if len(plain) > MOST_BYTES:
        raise DataRefusal(name, f"more than {MOST_BYTES:,} bytes after gunzip", "a smaller image", "Cut the source out first.")
    if not unpack.eof:
        raise DataRefusal(name, f"gzip data cut short after {len(content):,} bytes", "a whole file", "Fetch it again.")
    return plain


def from_png(content: bytes, name: str) -> np.ndarray:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content), formats=("PNG",)) as picture:
            _check_form(picture.size[::-1], name)
            return np.array(picture.convert("L"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataRefusal(name, f"a PNG that cannot be read ({error})", "a whole PNG", "Write it anew.") from None


def from_npy(content: bytes, name: str) -> np.ndarray:
    file = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, kind = read(file)
        _check_form(shape, name)
        if kind != np.uint8:
            raise DataRefusal(name, f"an array of {kind}", "uint8, pixels 0 to 255", "Store it as uint8.")
        file.seek(0)
        return np.lib.format.read_array(file, allow_pickle=False)
    except (ValueError, EOFError, OSError, MemoryError, RecursionError) as error:
        raise DataRefusal(name, f"an NPY file that cannot be read ({type(error).__name__})", "a whole file", "Write it anew.") from None


def _check_form(shape: tuple[int, ...], name: str) -> None:
    if tuple(shape) != (SIDE, SIDE):
        found = f"image is {' x '.join(map(str, shape)) or 'a single number'}"
        raise DataRefusal(name, found, f"{SIDE} x {SIDE} pixels in MiraBest form", "Upload the FITS file instead.")


def from_fits(content: bytes, name: str, key: str) -> Held:
    """The first image of a FITS file: axes of length 1 dropped, centre cut out, clipped and stretched as MiraBest was."""
    from astropy.io import fits

    try:
        with fits.open(io.BytesIO(content), memmap=False, lazy_load_hdus=True) as hdus:
            hdu, plane = first_image(hdus, name)
            return from_plane(plane, hdu.header, name, key)
    except (OSError, ValueError, TypeError, KeyError, IndexError, EOFError, OverflowError, MemoryError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataRefusal(name, f"a FITS file that cannot be read ({first[:120]})", "a whole file", "Fetch it again.") from None


def first_image(hdus: Any, name: str) -> tuple[Any, np.ndarray]:
    """The first HDU that holds an image, and its plane of two axes; refused from the header alone where that promises too much."""
    seen = []
    for number, hdu in enumerate(hdus):
        shape = hdu.shape if hdu.is_image else ()
        if not shape:
            seen.append(f"{number} {hdu.name or 'unnamed'} is {'empty' if hdu.is_image else 'a table'}")
            continue
        if np.prod([float(side) for side in shape]) > MOST_PIXELS:
            found = f"{' x '.join(f'{side:,}' for side in shape)} pixels"
            raise DataRefusal(name, found, f"at most {MOST_PIXELS:,}", "Cut the source out first.")
        long = [side for side in shape if side > 1]
        if len(long) != 2:
            found = f"image is {' x '.join(map(str, shape))} before dropping axes of length 1"
            raise DataRefusal(name, found, "height x width", "Save one plane as a file of its own.")
        return hdu, np.asarray(hdu.data, dtype=np.float32).reshape(long)
    raise DataRefusal(name, f"no HDU holds an image ({', '.join(seen[:4])})", "one 2-D image", "Choose the file of the image.")


def from_plane(plane: np.ndarray, header: Any, name: str, key: str) -> Held:
    """Source: the recipe of MiraBest (Porter 2020): zero below 3 sigma, centre crop, to 0..255 by truncation."""
    if min(plane.shape) < SIDE:
        found = f"image is {plane.shape[0]} x {plane.shape[1]}"
        raise DataRefusal(name, found, f"at least {SIDE} x {SIDE} pixels", "Take a larger cutout.")
    top, left = (side // 2 - SIDE // 2 for side in plane.shape)
    crop = plane[top : top + SIDE, left : left + SIDE]
    blank = int((~np.isfinite(crop)).sum())
    if blank > MOST_BLANK * crop.size:
        found = f"{blank:,} of {crop.size:,} pixels ({100 * blank / crop.size:.1f} %) are not finite"
        raise DataRefusal(name, found, f"at most {100 * MOST_BLANK:.0f} %", "The cutout may cross the mosaic's edge; recentre it.")
    sigma = clipped_sigma(plane[np.isfinite(plane)])
    kept = np.where(np.isfinite(crop) & (crop > np.float32(CLIP * sigma)), crop, np.float32(0))
    if not kept.max() > kept.min():
        raise DataRefusal(name, "no pixel above 3 sigma in the centre", "a source there", "Recentre the cutout.")
    stretched = (kept - kept.min()) / (kept.max() - kept.min()) * 255
    wcs = celestial(header, top, left)
    scale, flags = pixel_scale(wcs), {}
    if blank:
        flags["blank_pixels"] = f"{blank:,} pixels are not finite; they are shown and classified as empty sky"
    if wcs is None:
        flags["no_wcs"] = "the header gives no position on the sky"
    if scale is not None and abs(scale / ARCSEC_PER_PIXEL - 1) > 0.01:
        flags["other_scale"] = f"pixels of {scale:.3g} arcsec; the networks learned from {ARCSEC_PER_PIXEL} arcsec"
    unit = str(header.get("BUNIT", "")).strip()[:24]
    beam, angle = beam_of(header)
    pixels = stretched.astype(np.uint8)
    return Held(key, name, pixels, crop.astype(np.float32), unit, wcs, None, scale, beam, angle, flags=flags)


def celestial(header: Any, top: int, left: int) -> Any:
    """The WCS of the crop, two axes, or None."""
    from astropy.wcs import WCS

    try:
        wcs = WCS(header).celestial
        if wcs.naxis != 2:
            return None
        wcs = wcs[top : top + SIDE, left : left + SIDE]
        return wcs if np.isfinite(wcs.wcs_pix2world([[0, 0], [SIDE, SIDE]], 0)).all() else None
    except Exception:  # wcslib refuses in many ways; a picture without positions is still a picture
        return None


def pixel_scale(wcs: Any) -> float | None:
    """Arcsec per pixel."""
    if wcs is None:
        return None
    from astropy.wcs.utils import proj_plane_pixel_scales

    scale = float(np.mean(proj_plane_pixel_scales(wcs)) * 3600)
    return scale if np.isfinite(scale) and scale > 0 else None


def beam_of(header: Any) -> tuple[tuple[float, float] | None, float]:
    """Axes of the beam in arcsec and its position angle in degrees, as the header's cards have them."""
    try:
        major, minor, angle = (float(header.get(card, 0)) for card in ("BMAJ", "BMIN", "BPA"))
    except (TypeError, ValueError):
        return None, 0.0
    fit = np.isfinite([major, minor, angle]).all() and 0 < minor <= major < 1
    return ((major * 3600, minor * 3600), angle) if fit else (None, 0.0)
