"""PNG and NPY files that hold an image in MiraBest form already."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np

from equiradio.errors import ImageRefusal
from equiradio.sky.beams import Beam, GivenBeam
from equiradio.sky.contents import in_words
from equiradio.sky.edges import reaches_edge
from equiradio.sky.images import Cutout
from equiradio.sky.recipe import MIRABEST

PNG, NPY = b"\x89PNG\r\n\x1a\n", b"\x93NUMPY"


def picture(content: bytes, name: str) -> np.ndarray:
    """uint8 (150, 150) from a file's bytes; sizes are checked before pixels are decoded."""
    image = _png(content, name) if content.startswith(PNG) else _npy(content, name)
    if image.max() == image.min():
        raise ImageRefusal("blank", name, f"all pixels are {image.max()}", "a source", "Choose another image.")
    return image


def from_pixels(name: str, pixels: np.ndarray, beam: GivenBeam | None = None, beyond: np.ndarray | None = None) -> Cutout:
    """An image in MiraBest form, uint8 (150, 150), as a cutout; ``beam`` as in `equiradio.sky.fits.read_cutout`.

    ``beyond`` : bool (150, 150), pixels that lie beyond the field; None where it fills the image.
    """
    stated = None if beam is None else Beam.of(beam)
    padded, other_beam = 0.0 if beyond is None else float(beyond.mean()), not (stated is None or stated.of_first)
    earned = {"no_wcs": True, "padded": padded > 0, "cut_off": reaches_edge(pixels, beyond), "other_beam": other_beam}
    flags = frozenset(flag for flag, yes in earned.items() if yes)
    return Cutout(name, 0, pixels, flags=flags, beam=stated, padded=padded, pixel_arcsec=MIRABEST.scale_arcsec)


def refuse_masked(name: str, pixels: np.ndarray) -> None:
    """Refuse an array of which pixels are masked, where a pixel has no way to be empty."""
    if np.ma.is_masked(pixels):
        found = f"{np.ma.count_masked(pixels):,} of {pixels.size:,} pixels are masked"
        do = "Fill them with 0, the level of empty sky, or write a FITS file with NaN there."
        raise ImageRefusal("too_many_nonfinite", name, found, "a number in every pixel", do)


def nan_where_masked(pixels: np.ndarray) -> np.ndarray:
    """A plain array: floating point and nan where pixels are masked, so that nobody reads what lies below; others as they are."""
    if not np.ma.is_masked(pixels):
        return np.asarray(pixels)
    return np.ma.filled(pixels.astype(np.result_type(pixels, np.float32)), np.nan)


def refuse_choices(name: str, *, hdu: Any = None, plane: Any = None, ra_deg: Any = None, dec_deg: Any = None, **others: Any) -> None:
    """Refuse what can be chosen of a FITS file alone: another HDU than its first, a plane, a position on the sky."""
    if hdu:
        raise ImageRefusal("no_image", name, f"--hdu {hdu} of an image without HDUs", "no --hdu", "Drop --hdu.")
    if plane is not None and str(plane).strip() != "0":
        raise ImageRefusal("wrong_shape", name, f"--plane {plane} of an image that has no planes", "no --plane", "Drop --plane.")
    if ra_deg is not None or dec_deg is not None:
        raise ImageRefusal("outside", name, "no sky position in it", "a FITS file with a WCS", "Drop --ra --dec.")


def _png(content: bytes, name: str) -> np.ndarray:
    from PIL import Image

    with in_words(name, "a PNG that cannot be read"), Image.open(io.BytesIO(content), formats=("PNG",)) as file:
        _check(file.size[::-1], name)
        if file.mode.startswith(("I", "F")):  # Pillow would clip what is above 255
            raise ImageRefusal("wrong_shape", name, "a PNG of more than 8 bits", "8 bits, pixels 0 to 255", "Give the FITS file instead.")
        return np.array(file.convert("L"))


def _npy(content: bytes, name: str) -> np.ndarray:
    def check(shape: tuple[int, ...], kind: np.dtype) -> None:
        _check(shape, name)
        if kind != np.uint8:
            raise ImageRefusal("wrong_shape", name, f"an array of {kind}", "uint8, pixels 0 to 255", "Store it as uint8.")

    return read_npy(content, name, check)


def read_npy(content: bytes, name: str, check: Callable[[tuple[int, ...], np.dtype], None]) -> np.ndarray:
    """The array in an NPY file's bytes, of which ``check`` may refuse shape and type before memory is taken for it."""
    file = io.BytesIO(content)
    with in_words(name, "an NPY file that cannot be read"):
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, kind = read(file)
        check(shape, kind)
        file.seek(0)
        array: np.ndarray = np.lib.format.read_array(file, allow_pickle=False)
        return array


def _check(shape: tuple[int, ...], name: str) -> None:
    if tuple(shape) != (MIRABEST.side, MIRABEST.side):
        found = f"image is {' x '.join(map(str, shape)) or 'a single number'}"
        raise ImageRefusal(
            "wrong_shape", name, found, f"{MIRABEST.side} x {MIRABEST.side} pixels in MiraBest form", "Give the FITS file instead."
        )
