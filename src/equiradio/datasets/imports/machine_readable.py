"""Machine-readable tables of the AAS journals and of CDS: fixed columns, described byte by byte in the file or in a ReadMe beside it."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from equiradio.datasets.imports.compressed import opened
from equiradio.errors import DataRefusal

DESCRIPTION = b"Byte-by-byte Description"  # in any case of letters
README = "ReadMe"
BEFORE = 1 << 20  # bytes of a file within which its description begins
HOURS = ("RAh", "RAm", "RAs")
ANGLES = ("DEd", "DEm", "DEs")
SIGN = "DE-"
MOST = {"RAh": 24, "DEd": 90}  # of minutes and seconds 60
OLD = re.compile(r"\b(FK4|B?1950(\.0)?)\b", re.IGNORECASE)
DO = "Give it the suffix .csv or .tsv where commas or tabs stand between its columns; of CDS keep the ReadMe beside it."


def read_machine_readable(path: Path) -> tuple[Any, dict[str, str]]:
    """An astropy table, with RAdeg and DEdeg where positions are in hours, minutes and seconds; and frames other than ICRS by column.

    The standard of both: https://cds.unistra.fr/doc/catstd-3.htx.

    Raises
    ------
    DataRefusal : it describes no columns and no ReadMe lies beside it, or minutes or the like beyond their range.
    """
    from astropy.table import Table

    readme = path.parent / README
    with opened(path) as file:
        described = DESCRIPTION.lower() in file.read(BEFORE).lower()
    if not described and not readme.is_file():
        found = f"no '{DESCRIPTION.decode()}' in it, and no {README} beside it"
        raise DataRefusal(path, found, "a machine-readable table (CDS, AAS)", DO)
    table = Table.read(path, format="ascii.cds", **({} if described else {"readme": str(readme)}))
    frames = {name: "FK4" for name in table.colnames if OLD.search(table[name].description or "")}
    _add_degrees(path, table, HOURS, "RAdeg", frames)
    _add_degrees(path, table, ANGLES, "DEdeg", frames)
    return table, frames


def _add_degrees(path: Path, table: Any, parts: tuple[str, ...], name: str, frames: dict[str, str]) -> None:
    """Add a column of degrees, after hours or degrees with minutes and seconds; none where it is there, or its parts are not.

    The sign of a declination stands in a column of its own, as that of -0 degrees must.
    """
    from astropy.table import MaskedColumn

    there = [part for part in parts if part in table.colnames]
    if name in table.colnames or there[:2] != list(parts[:2]) or (parts == ANGLES and SIGN not in table.colnames):
        return
    degrees = np.ma.zeros(len(table))
    for place, part in enumerate(there):
        values: np.ma.MaskedArray = np.ma.asarray(table[part], float)
        most = MOST.get(part, 60)
        within = np.ma.filled((values >= 0) & (values <= most), True)
        _refuse_others(path, part, values.data, within, f"0 to {most}")
        degrees += values / 60**place
    if parts == HOURS:
        degrees *= 15
    else:
        degrees = degrees * _signs(path, table)
    table[name] = MaskedColumn(degrees, unit="deg", description=f"from {', '.join(there)}")
    if any(part in frames for part in there):
        frames[name] = "FK4"


def _signs(path: Path, table: Any) -> np.ndarray:
    """-1 where the column of signs has a minus, else 1."""
    signs = [str(sign).strip() for sign in np.ma.filled(np.ma.asarray(table[SIGN]), "")]
    _refuse_others(path, SIGN, signs, np.isin(signs, ("", "+", "-")), "+, - or nothing")
    return np.array([-1.0 if sign == "-" else 1.0 for sign in signs])


def _refuse_others(path: Path, name: str, cells: Sequence[Any] | np.ndarray, right: np.ndarray, expected: str) -> None:
    """Refuse a column of which not every cell is right, by the first that is not."""
    wrong = np.flatnonzero(~right)
    if len(wrong):
        first = cells[wrong[0]]
        word = f"'{first}'" if isinstance(first, str) else f"{first:g}"
        found = f"{name} is {word} in row {wrong[0] + 1} ({len(wrong):,} of {len(cells):,} rows)"
        raise DataRefusal(path, found, expected, "Correct the table.")
