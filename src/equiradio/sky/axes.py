"""Axes of a FITS image by name: which two are the sky's, whichever place they have, and which plane of the others is meant."""

import math
import re
from typing import Any, NamedTuple

import numpy as np

from equiradio.errors import ImageRefusal, SettingRefusal
from equiradio.sky.cards import Cards

LONGITUDE, LATITUDE = re.compile(r"(RA|[A-Z]LON|[A-Z]{2}LN)(-|$)"), re.compile(r"(DEC|[A-Z]LAT|[A-Z]{2}LT)(-|$)")
OTHER = re.compile(
    r"FREQ|VELO|FELO|VRAD|VOPT|ZOPT|BETA|WAVE|AWAV|WAVN|ENER|LAMBDA|SPEC|STOKES|COMPLEX|TIME|UT|UU|VV|WW|FDEP|FARADAY|ANGLE|OFFSET"
)
SPECTRAL = ("FREQ", "WAVE", "LAMBDA", "VRAD", "VOPT", "VELO")
TERMS = ("SPECLNMF", "SPECLOGF")  # Obit's: brightness at one frequency, in Hz, then terms of the spectrum or bands about it
UNITS = {"FREQ": "Hz", "VELO": "m/s", "FELO": "m/s", "VRAD": "m/s", "VOPT": "m/s", "WAVE": "m", "AWAV": "m", "LAMB": "m", "ENER": "J"}
BENT = re.compile(r"FELO|SPECL(OGF|NMF)|.{4}-(LOG|TAB|GR[IA]|[FWVA]2[FWVA])")  # planes whose values are not evenly spaced
STOKES = {1: "I", 2: "Q", 3: "U", 4: "V", -1: "RR", -2: "LL", -3: "RL", -4: "LR", -5: "XX", -6: "YY", -7: "XY", -8: "YX"}
POLARISED = {2, 3, 4, -3, -4, -7, -8, *range(5, 10)}  # Stokes codes of what is no total intensity; AIPS's 5 to 9 are maps made of others
QUANTITY = re.compile(r"spectral|optical|rotation|polari|fraction|angle|error|rms|veloc|dispersion", re.IGNORECASE)  # in BTYPE
VALUE = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([A-Za-z].*)")
Plane = int | str | None


class Axis(NamedTuple):
    """An axis as FITS counts it, from 1; ``kind`` is its CTYPE, empty where the header has none."""

    number: int
    kind: str
    length: int

    @property
    def title(self) -> str:
        """Its place, name and planes."""
        return f"axis {self.number} ({self.kind + ', ' if self.kind else ''}0 to {self.length - 1:,})"


class Axes(NamedTuple):
    """Columns and rows of an image, the other axes, and whether the first two are longitude and latitude."""

    columns: Axis
    rows: Axis
    others: list[Axis]
    celestial: bool


def axes_of(cards: Cards, shape: tuple[int, ...], name: str) -> Axes:
    """Tell the axes of an array of this (numpy) shape apart.

    Raises
    ------
    ImageRefusal : the two axes of the image are not both of the sky.
    """
    lengths = shape[::-1]
    every = [Axis(number, cards.text(f"CTYPE{number}").upper(), length) for number, length in enumerate(lengths, 1)]
    lon = next((axis for axis in every if LONGITUDE.match(axis.kind)), None)
    lat = next((axis for axis in every if LATITUDE.match(axis.kind)), None)
    if lon and lat:
        return Axes(lon, lat, [axis for axis in every if axis not in (lon, lat)], True)
    long = [axis for axis in every if axis.length > 1]
    if len(long) < 2:
        found = f"image is {' x '.join(map(str, shape))} pixels, no two axes longer than 1"
        raise ImageRefusal("wrong_shape", name, found, "height x width", "Choose another file.")
    if any(axis.length > 1 for axis in (lon, lat) if axis) or any(OTHER.match(axis.kind) for axis in long[:2]):
        found = f"axes are {long[0].kind or 'unnamed'} and {long[1].kind or 'unnamed'}, as of a position-velocity image"
        raise ImageRefusal("wrong_shape", name, found, "two axes of the sky (RA and DEC, or GLON and GLAT)", "Choose an image of the sky.")
    return Axes(long[0], long[1], [axis for axis in every if axis not in long[:2]], False)


def check_plane(plane: Plane) -> None:
    """Refuse what is neither a number of a plane nor a value with a unit, before any file is opened."""
    for word in _words(plane):
        if re.fullmatch(r"\d+", word) or word.upper() in STOKES.values() or (VALUE.fullmatch(word) and _quantity(word) is not None):
            continue
        raise SettingRefusal(
            "--plane", f"'{word}'", "a number from 0, or a value with its unit", "For example --plane 0 or --plane 1.42GHz."
        )


def planes_of(axes: Axes, cards: Cards, plane: Plane, name: str, about: str = "") -> dict[int, int]:
    """Which plane of each other axis is meant: number of the axis -> index.

    Parameters
    ----------
    plane : index, or value with a unit, or a Stokes letter; of several axes longer than 1 one for each, with commas between.
    about : what else a refusal says of the image.

    Raises
    ------
    ImageRefusal : several planes and none chosen, or one chosen that is not there.
    """
    check_plane(plane)
    chosen = {axis.number: 0 for axis in axes.others}
    words, long = _words(plane), [axis for axis in axes.others if axis.length > 1]
    if not long and words:  # an axis of one plane is there to be checked
        long = [axis for axis in axes.others if _at(axis, cards, words[0]) is not None][:1] if len(words) == 1 else []
        if not long and words != ["0"]:
            found = f"--plane {plane} of an image that has {'one plane' if axes.others else 'no planes'}"
            listed = ", ".join(f"axis {axis.number} is {_range(axis, cards) or axis.kind}" for axis in axes.others if axis.kind)
            raise ImageRefusal("wrong_shape", name, found + (f" ({listed})" if listed else ""), "no --plane", "Drop --plane.")
    elif len(words) != len(long):
        raise _unchosen(long, cards, name, about)
    for axis, word in zip(long, words, strict=False):
        index = _at(axis, cards, word)
        if index is None:
            spread = _range(axis, cards)
            found = f"--plane {word} is not on {axis.title}" + (f", which is {spread}" if spread else "")
            raise ImageRefusal("wrong_shape", name, found, "a plane of that axis", f"Choose --plane 0 to --plane {axis.length - 1}.")
        chosen[axis.number] = index
    return chosen


def frequency_of(axes: Axes, cards: Cards, chosen: dict[int, int], rest: float | None) -> float | None:
    """That of the plane in Hz, by its axis of frequency, wavelength or velocity, else ``rest``, in Hz; None where none can be used.

    casa gives images of the continuum the rest frequency of HI and, by default, an axis of velocities about it. Of an axis that the image
    has no more, as cutouts have it, the reference counts.
    """
    from astropy import units

    rest = rest if rest and rest > 0 else None
    for axis in (*axes.others, *_described(axes, cards)):
        values, unit = _values(axis, cards), _unit(axis, cards)
        if axis.number not in chosen or axis.kind.startswith(TERMS):
            reference, unit = cards.number(f"CRVAL{axis.number}"), unit or ("Hz" if axis.kind.startswith(TERMS) else "")
            values = None if reference is None else np.full(axis.length, reference)
        if values is None or not axis.kind.startswith((*SPECTRAL, *TERMS)):
            continue
        doppler = units.doppler_radio if axis.kind.startswith("VRAD") else units.doppler_optical
        ways = units.spectral() if rest is None else [*units.spectral(), *doppler(rest * units.Hz)]
        try:
            frequency = units.Quantity(values[chosen.get(axis.number, 0)], unit).to_value("Hz", ways)
        except (ValueError, TypeError):  # a unit that is none, or of something else
            continue
        if 0 < frequency < math.inf:
            return float(frequency)
    return rest


def is_intensity(axes: Axes, cards: Cards, chosen: dict[int, int]) -> bool:
    """Is the plane one of total intensity, as far as STOKES and BTYPE say? Parallel hands (RR, LL, XX, YY) look like one.

    Of Obit's SPECLNMF the first of NTERM planes is the image, and the others of these are terms of its spectrum.
    """
    terms = [chosen[axis.number] for axis in axes.others if axis.kind.startswith(TERMS[0])]
    if QUANTITY.search(cards.text("BTYPE")) or any(0 < plane < (cards.number("NTERM") or 0) for plane in terms):
        return False
    stokes = [axis for axis in (*axes.others, *_described(axes, cards)) if axis.kind.startswith("STOKES")]
    codes = {axis.number: _values(axis, cards) for axis in stokes}
    return not any(of is not None and float(np.round(of[chosen.get(number, 0)])) in POLARISED for number, of in codes.items())


def _described(axes: Axes, cards: Cards) -> list[Axis]:
    """Axes beyond those of the array, of which the header's cards are left."""
    first = 3 + len(axes.others)
    return [Axis(number, kind, 1) for number in range(first, first + 3) if (kind := cards.text(f"CTYPE{number}").upper())]


def image_of(data: np.ndarray, axes: Axes, chosen: dict[int, int]) -> np.ndarray:
    """One plane (rows, columns), axes moved by name."""
    numbers = range(data.ndim, 0, -1)
    plane = data[tuple(chosen.get(number, slice(None)) for number in numbers)]
    return plane.T if axes.columns.number > axes.rows.number else plane


def _unchosen(long: list[Axis], cards: Cards, name: str, about: str) -> ImageRefusal:
    """What to say of a cube without a plane chosen, or with too few or too many."""
    listed = " and ".join(f"{axis.length:,} planes along {axis.title}" for axis in long)
    example = ",".join("0" for _ in long)
    last = ",".join(str(axis.length - 1) for axis in long)
    do = f"Choose one with --plane {example} {'or' if last.strip('1,') == '' else 'to'} --plane {last}"
    spread = _range(long[0], cards) if len(long) == 1 else ""
    return ImageRefusal("wrong_shape", name, f"image has {listed}{about}", "one plane", do + (f" ({spread})." if spread else "."))


def _words(plane: Plane) -> list[str]:
    return [] if plane is None else [word.strip() for word in str(plane).split(",")]


def _quantity(word: str) -> Any:
    """A value with a unit, or None."""
    from astropy import units

    match = VALUE.fullmatch(word)
    try:
        return None if match is None else float(match[1]) * units.Unit(match[2])
    except ValueError:
        return None


def _at(axis: Axis, cards: Cards, word: str) -> int | None:
    """Index of a plane by its number, its value or its Stokes letter."""
    if re.fullmatch(r"\d+", word):
        return int(word) if int(word) < axis.length else None
    if axis.kind.startswith("STOKES"):
        codes = _values(axis, cards)
        names = [] if codes is None else [STOKES.get(round(float(code))) for code in codes]
        return names.index(word.upper()) if word.upper() in names else None
    values, quantity, unit = _values(axis, cards), _quantity(word), _unit(axis, cards)
    if values is None or quantity is None or not unit:
        return None
    from astropy import units

    try:
        value = quantity.to_value(unit, units.spectral())
    except units.UnitConversionError:
        return None
    index = int(np.abs(values - value).argmin())
    step = abs(cards.number(f"CDELT{axis.number}") or 0.0) if len(values) == 1 else np.abs(np.diff(values)).max()
    return index if abs(values[index] - value) <= 0.5 * step * (1 + 1e-9) else None


def _unit(axis: Axis, cards: Cards) -> str:
    return cards.text(f"CUNIT{axis.number}") or UNITS.get(axis.kind[:4], "")


def _values(axis: Axis, cards: Cards) -> np.ndarray | None:
    """Value of each plane in the axis' unit; None where the header does not give it, or not evenly spaced."""
    number = axis.number
    start, at, step = (cards.number(f"{key}{number}") for key in ("CRVAL", "CRPIX", "CDELT"))
    step = cards.number(f"CD{number}_{number}") if step is None else step
    step = 1.0 if not step and axis.length == 1 and at in (None, 1.0) else step  # the one plane is at the reference
    if start is None or not step or BENT.match(axis.kind):
        return None
    return start + (np.arange(1, axis.length + 1) - (at or 0.0)) * step


def _range(axis: Axis, cards: Cards) -> str:
    """First and last value with the unit."""
    values, unit = _values(axis, cards), _unit(axis, cards)
    if values is None:
        return ""
    if axis.kind.startswith("STOKES"):
        return "Stokes " + ", ".join(STOKES.get(round(float(code)), "?") for code in values[:8])
    if not unit:
        return ""
    scale, unit = (1e9, "GHz") if unit.lower() == "hz" else (1e3, "km/s") if unit == "m/s" else (1.0, unit)
    return f"{values[0] / scale:.6g} {unit}" if len(values) == 1 else f"{values[0] / scale:.6g} to {values[-1] / scale:.6g} {unit}"
