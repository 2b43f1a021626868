"""Names and units of columns in forms that do not take every word: FITS has ASCII and 68 letters, IDs of VOTable are those of XML."""

import re
from collections.abc import Sequence

from equiradio.printable import apart, as_ascii

LONGEST = 60  # letters of a column's name in FITS, some of which are written as two
XML_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
MICRO = re.compile("[\u00b5\u03bc]")  # the sign, and the Greek letter


def in_fits(names: Sequence[str]) -> list[str]:
    """Names in ASCII, none too long and none twice, letters' case aside; most stay as they are."""
    wanted = [as_ascii(name)[:LONGEST] or "unnamed" for name in names]
    taken = {one.lower() for one, name in zip(wanted, names, strict=True) if one == name}
    return [one if one == name else _apart(one, taken) for one, name in zip(wanted, names, strict=True)]


def unit_in_fits(unit: str) -> str:
    """In ASCII: u for micro."""
    return as_ascii(MICRO.sub("u", unit))


def xml_ids(names: Sequence[str]) -> list[str]:
    """An ID for each name, the name itself where it can be one."""
    wanted = [re.sub(r"^(?![A-Za-z_])", "_", re.sub(r"[^A-Za-z0-9_.-]", "_", name)) for name in names]
    taken = {name.lower() for name in names if XML_ID.fullmatch(name)}
    return [name if XML_ID.fullmatch(name) else _apart(one, taken) for one, name in zip(wanted, names, strict=True)]


def _apart(name: str, taken: set[str]) -> str:
    """The name, or with a number behind where another has it, letters' case aside; then it is taken."""
    one = apart(name, taken, "{}_{}", case=False)
    taken.add(one.lower())
    return one
