"""The beam of an image, in every form that radio software writes it, and whether it is one of FIRST's."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from textwrap import shorten
from typing import Any

from equiradio.errors import SettingRefusal
from equiradio.sky.cards import Cards
from equiradio.sky.recipe import MIRABEST

SMALLEST, LARGEST = 0.1, 3600  # arcsec, of a beam that a user gives; no pixel of the recipe could tell a smaller one from none
SHARE = 0.2  # a beam that differs by more than this share is another one
FIRST_SOUTH = ((6.4, 5.4), (6.8, 5.4))  # arcsec, major axis north to south. Source: description of the FIRST catalogue
SOUTH_SHARE = 0.05
NUMBER = rb"\s*([-+0-9.eE]+)"
AIPS = re.compile(rb"CLEAN\s+BMAJ\s*=" + NUMBER + rb"\s+BMIN\s*=" + NUMBER + rb"\s+BPA\s*=" + NUMBER)
CASA = re.compile(rb"restoration\s*:" + NUMBER + rb"\s+by" + NUMBER + rb"\s+\(arcsec\)[^0-9+-]*at pa" + NUMBER)
CARDS = (("BMAJ", "BMIN", "BPA"), ("CLEANBMJ", "CLEANBMN", "CLEANBPA"))  # degrees; the second form is Obit's


@dataclass(frozen=True)
class Beam:
    """Full widths at half maximum in arcsec, and the position angle of the major axis in degrees from north through east.

    ``minor`` and ``angle`` are nan where the file does not say; the angle of a circle is 0.
    """

    major: float
    minor: float = math.nan
    angle: float = math.nan

    @classmethod
    def of(cls, given: "GivenBeam", where: str = "--beam") -> "Beam":
        """Of what a user gives; ``where`` is the user's name for it.

        Raises SettingRefusal where that is no beam.
        """
        if isinstance(given, Beam):
            return given
        numbers = beam_numbers(given, where)
        minor = numbers[1] if len(numbers) > 1 else numbers[0]
        made = _made(numbers[0], minor, numbers[2] if len(numbers) > 2 else 0.0 if len(numbers) == 1 else None)
        assert made is not None
        return made

    @property
    def ellipse(self) -> tuple[float, float, float] | None:
        """Major, minor, angle; None where one of them is unknown."""
        return None if math.isnan(self.minor + self.angle) else (self.major, self.minor, self.angle)

    @property
    def round(self) -> bool:
        """Whether it is a circle, which looks the same in every frame."""
        return self.minor == self.major

    def turned(self, by_deg: float) -> "Beam":
        """In a frame where the old north lies at this position angle."""
        return self if self.round else Beam(self.major, self.minor, math.remainder(self.angle + by_deg, 180.0))

    def width(self, angle_deg: float) -> float:
        """Full width at half maximum in arcsec along a position angle; the major axis where minor axis or angle are not stated."""
        if self.ellipse is None:
            return self.major
        off = math.radians(angle_deg - self.angle)
        return self.major * self.minor / math.hypot(self.minor * math.cos(off), self.major * math.sin(off))

    @property
    def axes(self) -> tuple[float, float]:
        """Major and minor; a minor axis that is not stated is the major one."""
        return self.major, self.major if math.isnan(self.minor) else self.minor

    @property
    def of_first(self) -> bool:
        """Whether it is within 20 % of FIRST's 5.4 arcsec in both axes, or one of FIRST's southern beams."""
        return all(_near(size, MIRABEST.beam_arcsec, SHARE) for size in self.axes) or self.of_first_south

    @property
    def of_first_south(self) -> bool:
        """Whether it is one of FIRST's southern beams, within 5 %."""
        major, minor = self.axes
        return any(_near(major, a, SOUTH_SHARE) and _near(minor, b, SOUTH_SHARE) for a, b in FIRST_SOUTH)


GivenBeam = float | str | Sequence[float] | Beam  # full widths in arcsec, one of a circle or two, and position angle in degrees


def beam_numbers(given: float | str | Sequence[float], where: str = "--beam") -> list[float]:
    """The one, two or three numbers of a beam that is given: alone, in a row, or as text with commas between.

    Raises SettingRefusal where they are none of a beam.
    """
    try:
        if isinstance(given, bool | dict):
            raise TypeError
        parts: Any = given.split(",") if isinstance(given, str) else [given] if isinstance(given, Real) else given
        numbers = [float(part) for part in parts]
    except (TypeError, ValueError):
        found = shorten(repr(given), 60, placeholder=" ...")
        raise SettingRefusal(where, found, "numbers with commas between", f"For example {where} 6.4,5.4,0.") from None
    widths = numbers[:2]
    if not 1 <= len(numbers) <= 3 or not all(width > 0 for width in widths):
        shown = ",".join(f"{number:g}" for number in numbers) or "nothing"
        expected = "major axis, minor axis (arcsec, above 0) and position angle (degrees), or the width of a round one"
        raise SettingRefusal(where, shown, expected, f"For example {where} 6.4,5.4,0 or {where} 5.4.")
    usual = lambda width: SMALLEST <= width < LARGEST
    odd, degrees = [width for width in widths if not usual(width)], [3600 * width for width in widths]
    if odd:
        shown = ",".join(f"{number:.6g}" for number in [*degrees, *numbers[2:]])
        do = f"If these are degrees: {where} {shown}." if all(map(usual, degrees)) else "Give it in arcsec."
        raise SettingRefusal(where, f"{odd[0]:g} arcsec", f"{SMALLEST:g} to {LARGEST:,} arcsec", do)
    return numbers


def beam_of(cards: Cards, text: bytes, table: Any = None, plane: tuple[int, int] = (0, 0)) -> Beam | None:
    """The beam that a file states, the most particular statement first; None where there is none.

    Parameters
    ----------
    text : the header as bytes, for its HISTORY.
    table : the HDU that casa writes for images whose beam differs from plane to plane: it wins over BMAJ, which is then a stale one.
    plane : of this image, along frequency and polarisation.
    """
    own = None if table is None else _from_table(table, plane)
    if own is not None:
        return own
    for keys in CARDS:
        major, minor, angle = (cards.number(key) for key in keys)
        if major is not None and (made := _made(major * 3600, minor and minor * 3600, angle)):
            return made
        if major is not None and major != 0:  # zero is how some say that there is none
            cards.unusable.add(keys[0])
    for pattern, unit in ((CASA, 1.0), (AIPS, 3600.0)):
        if stated := pattern.findall(text):
            try:
                major, minor, angle = (float(value) for value in stated[-1])  # the last of several is that of the image
            except ValueError:
                continue
            if made := _made(major * unit, minor * unit, angle):
                return made
    return None


def history(text: bytes) -> bytes:
    """What the HISTORY cards of a header say, without the line breaks between them."""
    return b"".join(text[at + 8 : at + 80].rstrip() + b" " for at in range(0, len(text), 80) if text[at : at + 8] == b"HISTORY ")


def _near(size: float, of: float, share: float) -> bool:
    return abs(size / of - 1) <= share


def _made(major: float, minor: float | None, angle: float | None) -> Beam | None:
    if not 0 < major < 3600:
        return None
    if minor is None or not 0 < minor < 3600:
        return Beam(major)
    if minor > major * 1.000001:  # swapped, and of which axis the angle is nobody knows
        return _made(minor, major, None)
    return Beam(major, minor, angle if angle is not None and math.isfinite(angle) else 0.0 if minor > 0.99 * major else math.nan)


def _from_table(table: Any, plane: tuple[int, int]) -> Beam | None:
    """The row for a plane of a table BEAMS (columns BMAJ, BMIN, BPA, CHAN, POL)."""
    try:
        rows, names = table.data, {name.upper() for name in table.columns.names}
        for row in rows:
            if all(int(row[key]) == number for key, number in zip(("CHAN", "POL"), plane, strict=True) if key in names):
                units = {column.name.upper(): (column.unit or "").strip().lower() for column in table.columns}
                widths = [float(row[key]) * (3600 if units[key].startswith("deg") else 1) for key in ("BMAJ", "BMIN")]
                return _made(widths[0], widths[1], float(row["BPA"]) * (180 / math.pi if units["BPA"].startswith("rad") else 1))
    except Exception:  # a table that is not what its name says
        return None
    return None
