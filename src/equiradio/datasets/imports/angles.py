"""Units of positions as people write them: ``deg``, ``Degrees``, ``deg (J2000)``; and the frames that some of them name."""

import re

DEGREES = {"deg", "degs", "degree", "degrees", "d", "\u00b0"}
HOURS, HOUR = {"h", "hr", "hrs", "hour", "hours", "hourangle"}, 15.0
ADDED = {"decimal", "equinox", "icrs", "fk5", "j2000", "2000"}  # what changes nothing: positions are ICRS, or FK5 J2000
FRAME = re.compile(r"[jb]?(?:19|20)\d\d(?:\.\d+)?|fk4|galactic|ecliptic")


def degrees_in(unit: str) -> float | None:
    """How many degrees a unit has; 1 for none, None for what is no angle. VOTable knows no hours: astropy writes "15 deg"."""
    words = [word for word in _words(unit) if word not in ADDED and not FRAME.fullmatch(word)]
    if not unit.strip() or (len(words) == 1 and words[0] in DEGREES):
        return 1.0
    if len(words) == 1 and words[0] in HOURS:
        return HOUR
    from astropy import units

    for spelt in (unit.strip(), unit.strip().lower()):
        try:
            return float(units.Unit(spelt, parse_strict="silent").to(units.deg))
        except (units.UnitsError, ValueError, TypeError):
            continue
    return None


def frame_in(unit: str) -> str:
    """The frame or equinox other than ICRS and J2000 that a unit names, as in ``deg (B1950)``; else nothing."""
    named = next((word for word in _words(unit) if word not in ADDED and FRAME.fullmatch(word)), "")
    return named if named.isalpha() else named.upper()


def _words(unit: str) -> list[str]:
    """In small letters, without brackets, stops and zeros behind a year."""
    words = (word.rstrip(".") for word in re.split(r"[\s()\[\],;:_=]+", unit.lower()))
    return [re.sub(r"\.0+$", "", word) for word in words if word]
