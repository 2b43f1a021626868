"""What a user names of a catalogue: its columns, and the table where a file holds several."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from equiradio.datasets.imports.mixins import positions_in
from equiradio.datasets.imports.tables import DEC, RA, usual_column
from equiradio.errors import DataRefusal
from equiradio.printable import some_of

OPTION = "--table"
SHOWN = 4  # tables that a line names


@dataclass(frozen=True)
class Chosen:
    """Columns, and the table, that the user names; None: the usual names, and the one table with positions, are looked for."""

    ra: str | None = None
    dec: str | None = None
    id: str | None = None
    group: str | None = None
    table: str | None = None


class Held(NamedTuple):
    """A table of a file: its number there, its name (may be empty), its columns and how many rows it has."""

    number: int
    name: str
    columns: Sequence[str]
    rows: int

    def __str__(self) -> str:
        return f"{self.number} {self.name or 'unnamed'}"


def one_of(path: Path, tables: Sequence[Held], chosen: Chosen) -> int:
    """Place of the catalogue among the tables of a file: the one that is named, the only one, or the only one with rows and positions.

    Raises
    ------
    DataRefusal : no table of that name or number, or which is meant is not clear.
    """
    listed = some_of(tables, SHOWN)
    if chosen.table is not None:
        if not (named := _named(tables, chosen.table)):
            raise DataRefusal(path, f"no table '{chosen.table}' ({OPTION})", f"one of {listed}", "Give its name or number.")
        if len(named) > 1:
            numbers = " or ".join(f"{OPTION} {tables[place].number}" for place in named[:SHOWN])
            raise DataRefusal(path, f"{len(named)} tables are called '{chosen.table}' ({listed})", "one", f"Choose with {numbers}.")
        return named[0]
    if len(tables) == 1:
        return 0
    placed = [place for place, table in enumerate(tables) if has_positions(table.columns, chosen)]
    placed = [place for place in placed if tables[place].rows] or placed
    if len(placed) == 1:
        return placed[0]
    among = [tables[place] for place in placed] or tables
    choices = " or ".join(f"{OPTION} {_shortest(table, tables)}" for table in among[:SHOWN])
    if placed:
        raise DataRefusal(path, f"{len(placed)} of {len(tables)} tables hold positions ({listed})", "one", f"Choose with {choices}.")
    found = f"none of {len(tables)} tables has columns of right ascension and declination ({listed})"
    do = f"Choose with {choices}, and name them by --ra and --dec."
    raise DataRefusal(path, found, "ICRS positions in degrees, such as ra and dec", do)


def refuse_table(path: Path, chosen: Chosen) -> None:
    """Refuse the name of a table where a file, or a folder, is one."""
    if chosen.table is not None:
        raise DataRefusal(path, f"one table, and {OPTION} {chosen.table}", "a FITS file or VOTable beside it", f"Drop {OPTION}.")


def has_positions(columns: Sequence[str], chosen: Chosen) -> bool:
    """Whether there are columns of positions: those that are named, or of the usual names, letters' case aside."""
    if chosen.ra is not None and chosen.dec is not None:
        return {chosen.ra, chosen.dec} <= set(columns)
    return bool(positions_in(columns)) or None not in (usual_column(columns, RA), usual_column(columns, DEC))


def _named(tables: Sequence[Held], wanted: str) -> list[int]:
    """Places of the tables of that name, letters' case aside; of none, the one of that number."""
    named = [place for place, table in enumerate(tables) if table.name.strip().lower() == wanted.strip().lower()]
    return named or [place for place, table in enumerate(tables) if str(table.number) == wanted.strip()]


def _shortest(table: Held, tables: Sequence[Held]) -> str:
    """By what a table is chosen: its name, or its number where others have that name, too, or it is none for a command line."""
    alone = _named(tables, table.name) == [tables.index(table)] and table.name.isprintable() and len(table.name.split()) == 1
    return table.name if table.name and alone else str(table.number)
