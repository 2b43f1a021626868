"""Quality flags of a classified source: bit, name and meaning."""

from collections.abc import Iterable
from typing import NamedTuple


class Flag(NamedTuple):
    """A bit of the column ``flags``; ``fatal`` ones leave the source without an answer."""

    bit: int
    name: str
    fatal: bool
    meaning: str


FLAGS = tuple(
    Flag(1 << number, name, fatal, meaning)
    for number, (name, fatal, meaning) in enumerate(
        (
            ("reprojected", False, "scale or orientation differ from 1.8 arcsec, north up, east left: pixels were interpolated"),
            ("other_beam", False, "beam or pixel scale differ from FIRST, which the networks learned from"),
            ("no_wcs", False, "no usable sky position in the header: pixels were taken as they are"),
            ("nonfinite", False, "some pixels of the crop are not finite or lie outside the image; they count as empty sky"),
            ("small_field", False, "noise measured on less than 300 x 300 pixels around the target"),
            ("unusual", False, "unlike the sources that the network was checked on (out of distribution)"),
            ("uncalibrated", False, "the network has no temperature, threshold nor distance chosen on validation"),
            ("missing", True, "no such file, or it vanished while the run went on"),
            ("unreadable", True, "the file cannot be opened"),
            ("empty_file", True, "0 bytes"),
            ("not_an_image_file", True, "neither FITS, PNG nor NPY"),
            ("truncated", True, "shorter than its header promises"),
            ("damaged", True, "cannot be unpacked or understood"),
            ("too_large", True, "more bytes or pixels than are read at once"),
            ("no_image", True, "no HDU holds an image"),
            ("several_images", True, "several HDUs hold images and none was chosen"),
            ("wrong_shape", True, "not height x width"),
            ("too_small", True, "smaller than the crop"),
            ("too_many_nonfinite", True, "too many pixels of the crop are not finite"),
            ("blank", True, "no pixel of the crop stands out from the noise"),
            ("absurd_scale", True, "pixel scale or position that no radio image has"),
            ("outside", True, "the position asked for is not in the image"),
        )
    )
)
BITS = {flag.name: flag.bit for flag in FLAGS}
FATAL = sum(flag.bit for flag in FLAGS if flag.fatal)


def bits(names: Iterable[str]) -> int:
    """Named flags as one integer."""
    return sum(BITS[name] for name in set(names))


def names(flags: int) -> list[str]:
    """The names of the bits that are set, lowest first."""
    return [flag.name for flag in FLAGS if flags & flag.bit]
