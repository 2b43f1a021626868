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
            (
                "reprojected",
                False,
                "scale or orientation differ from 1.8 arcsec, north up, east left: pixels were averaged or interpolated",
            ),
            ("other_beam", False, "beam or pixel scale differ from FIRST, which the networks learned from"),
            ("no_wcs", False, "no usable sky position in the header: pixels were taken as they are"),
            ("nonfinite", False, "some pixels of the crop are not finite or lie outside the image; they count as empty sky"),
            ("small_field", False, "noise measured on less than 300 x 300 pixels around the target (2 % may be missing)"),
            ("unusual", False, "unlike the sources that the network was checked on (out of distribution)"),
            ("uncalibrated", False, "no temperature, threshold or distance was chosen on validation for such answers"),
            ("missing", True, "no such file, or it vanished while the run went on"),
            ("unreadable", True, "the file cannot be opened"),
            ("empty_file", True, "0 bytes"),
            ("not_an_image_file", True, "neither FITS, PNG nor NPY"),
            ("truncated", True, "shorter than its header promises"),
            ("damaged", True, "cannot be unpacked or understood"),
            ("too_large", True, "more bytes or pixels than are read at once"),
            ("no_image", True, "no HDU holds an image"),
            ("several_images", True, "several HDUs hold images and none was chosen"),
            ("wrong_shape", True, "no plane of the sky, or several and none chosen"),
            ("too_small", True, "field smaller than 60 arcsec, or of one below 270 less than 30 on a side of the target"),
            ("too_many_nonfinite", True, "too many pixels of the crop are not finite"),
            ("blank", True, "no source stands out from the noise"),
            ("absurd_scale", True, "pixels that cannot be brought to 1.8 arcsec, or no position"),
            ("outside", True, "the position asked for is not in the image"),
            ("zero_filled", False, "areas of exact zeros, as mosaics leave them where they saw nothing: they count as not finite"),
            ("unknown_frame", False, "unknown RADESYS or EQUINOX: positions are taken by the one that is known, or as ICRS"),
            ("unusable_cards", False, "cards of beam, unit or planes are there and cannot be understood"),
            ("raised_sky", False, "more than half of the field lies above 3 sigma: the network sees the background too"),
            ("distorted", True, "positions are bent by header terms that are not followed"),
            ("not_finite_answer", True, "the network answers with numbers that are not finite"),
            ("padded", False, "field smaller than the crop of 270 arcsec: the rest was filled with empty sky"),
            ("cut_off", False, "a source reaches the edge of the field: it may go on beyond"),
            ("unresolved", False, "fewer beams across than the classes can be told apart from: the network abstains"),
            (
                "beam_untested",
                False,
                "a beam through which the network was not found to tell classes apart (or none stated, and pixels too coarse for one "
                "that was): it abstains",
            ),
            (
                "no_beam",
                False,
                "the file states no beam (option or field beam does): whether the network was tested through it is not known",
            ),
            ("no_position", True, "the catalogue of a survey gives no position, or one that is no number"),
            ("duplicate_id", False, "several rows of a survey's catalogue have this name; each is answered at its own position"),
            ("not_detected", False, "no island above 3 sigma with a peak above 5: what the network sees may be noise, and it abstains"),
            ("off_target", False, "nothing stands out within a beam of the target: what is seen is a neighbour, and the network abstains"),
            ("lowered_sky", False, "half of the field lies below -1 sigma: flux and size are too low"),
            ("other_frequency", False, "a frequency more than 1.5 times above or below FIRST's 1.4 GHz, at which nothing was tested"),
            ("other_quantity", False, "no total intensity, by STOKES or BTYPE (polarisation, a spectral index): the network abstains"),
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
