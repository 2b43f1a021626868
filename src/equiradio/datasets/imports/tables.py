"""Tables as people write them: CSV, ECSV, IPAC, AAS, CDS, Parquet, FITS and VOTable to plain columns; and which is what."""

import csv
import math
import warnings
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import StringIO
from itertools import dropwhile
from pathlib import Path
from typing import Any

import numpy as np

from equiradio.datasets.imports import described
from equiradio.datasets.imports.angles import degrees_in, frame_in
from equiradio.datasets.imports.compressed import opened, suffix_of
from equiradio.datasets.imports.frames import frames_in_cards, frames_in_votable
from equiradio.datasets.imports.mixins import MARKS, as_plain, in_parquet, positions_in
from equiradio.datasets.sources import SUM_TO_ONE, check_soft
from equiradio.errors import DataRefusal, nearest, refused_as

LINES, VOTABLES, FITS = (".csv", ".tsv"), (".vot", ".votable", ".xml"), (".fits", ".fit")
SUFFIXES = (*LINES, *described.SUFFIXES, ".parquet", *FITS, *VOTABLES)  # a .gz behind them aside
NOTES = (".txt", ".dat")  # of tables that are named; in a folder such files are notes as often
# Positions in degrees, first choice first. PyBDSF, Aegean: ra; Selavy: ra_deg_cont; CDS: RAdeg; VizieR: RAJ2000, RA_ICRS.
RA = ("ra_deg", "ra_deg_cont", "ra", "raj2000", "ra_j2000", "_raj2000", "ra_icrs", "radeg", "alpha_j2000")
DEC = (
    "dec_deg",
    "dec_deg_cont",
    "dec",
    "dej2000",
    "decj2000",
    "dec_j2000",
    "_dej2000",
    "de_icrs",
    "dec_icrs",
    "dedeg",
    "delta_j2000",
    "de",
)
# Names of sources, first choice first. PyBDSF: Source_id (of Gaussians Gaus_id); Selavy: component_id (of islands island_id); Aegean: uuid.
ID = (
    "gaus_id",
    "gaussian_id",
    "component_id",
    "component_name",
    "uuid",
    "source_id",
    "source_ids",
    "source_name",
    "island_id",
    "id",
    "name",
    "names",
    "source",
    "object",
)
USUAL = {  # what a column holds -> names that it often has, in small letters
    "file": ("file", "filename", "file_name", "path", "image", "image_file"),
    "label": ("label", "labels", "class", "classes", "morphology", "type", "y", "target"),
    "split": ("split", "splits", "subset", "set"),
    "source_id": ID,
    "ra": RA,
    "dec": DEC,
    "row": ("row", "index", "number"),
}
WIDE_HOURS, WIDE_DEG = 12.0, 20.0  # a sky as wide as this in declination is wider in right ascension than 24 degrees
FIX = "Correct the table."


@dataclass(frozen=True)
class Columns:
    """A table: its name, values by column (None where there is none), and units of the columns that have one."""

    where: str
    values: dict[str, list[Any]]
    units: dict[str, str] = field(default_factory=dict)
    frames: dict[str, str] = field(default_factory=dict)  # other than ICRS, by column; of "" that of columns which state none

    def __len__(self) -> int:
        return len(next(iter(self.values.values()), []))

    def column(self, what: str, named: str | None = None, option: str = "--labels") -> str | None:
        """The name of the column that holds ``what``: the one that is named, or one of its usual names; None where there is none."""
        if named is not None:
            if named not in self.values:
                do = nearest(named, list(self.values))
                raise DataRefusal(self.where, f"no column '{named}' ({option})", ", ".join(self.values), do)
            return named
        usual = usual_column(list(self.values), USUAL[what])
        pairs = positions_in(self.values) if usual is None and what in ("ra", "dec") else []
        return pairs[0][what == "dec"] if len(pairs) == 1 else usual

    def text(self, name: str) -> list[str]:
        """A column as words; an empty cell is an empty word, and a whole number has no decimals."""
        return [_word(value) for value in self.values[name]]


def usual_column(names: Sequence[str], usual: Sequence[str]) -> str | None:
    """The first of the usual names that a table's columns have, letters' case and spaces around aside; None where they have none."""
    small = {name.strip().lower(): name for name in reversed(names)}
    return next((small[name] for name in usual if name in small), None)


def is_table(path: Path, named: bool = False) -> bool:
    """Does the name of a file end as a table's does? ``named`` by somebody, not come upon in a folder."""
    suffix = suffix_of(path)
    return suffix in SUFFIXES and (named or suffix not in NOTES)


def read_table(path: Path) -> Columns:
    """The columns of a table file.

    Raises
    ------
    DataRefusal : it cannot be read, or has no rows.
    """
    with refused_as(DataRefusal, path, "a table (CSV, TSV, ECSV, IPAC, AAS or CDS, Parquet, FITS or VOTable)", "Check the file."):
        values, units, frames = {".csv": _csv, ".tsv": _csv, ".parquet": _parquet}.get(suffix_of(path), _astropy)(path)
    columns = Columns(str(path), values, units, frames)
    if not len(columns):
        raise DataRefusal(path, f"no rows, columns {', '.join(values) or 'none'}", "a row for each source", "Check the file.")
    return columns


def positions(table: Columns) -> tuple[np.ndarray, np.ndarray] | None:
    """Right ascension and declination in degrees, nan where a cell is empty; None where the table has no such columns.

    Raises
    ------
    DataRefusal : hours, sexagesimal text, or no degrees of the sky.
    """
    names = table.column("ra"), table.column("dec")
    if names[0] is None or names[1] is None:
        return None
    stated = [table.frames.get(name, table.frames.get("")) for name in names if name is not None]
    frames = [frame or frame_in(table.units.get(name or "", "")) for name, frame in zip(names, stated, strict=True)]
    if frame := next(filter(None, frames), ""):
        do = "Convert them, with topcat or astropy's SkyCoord."
        raise DataRefusal(table.where, f"positions in {frame}", "ICRS (or FK5 J2000)", do)
    ra, dec = (_numbers(table, name, "decimal degrees") for name in names if name is not None)
    for name, values in zip(names, (ra, dec), strict=True):
        factor = degrees_in(table.units.get(name or "", ""))
        if factor != 1:
            do = f"Multiply it by {factor:.8g}." if factor else "Convert it, and its unit."
            raise DataRefusal(table.where, f"{name} is in {table.units[name or '']} (up to {np.nanmax(values):g})", "degrees", do)
    if names[0] not in table.units and np.isfinite(ra).any() and np.isfinite(dec).any():
        refuse_hours(table.where, (names[0], names[1]), ra, dec)
    for name, values, (low, high) in ((names[0], ra, (0, 360)), (names[1], dec, (-90, 90))):
        wrong = np.flatnonzero((values < low) | (values > high))
        if len(wrong):
            found = f"{name} is {values[wrong[0]]:g} in row {wrong[0] + 1} ({len(wrong):,} of {len(values):,} rows)"
            raise DataRefusal(table.where, found, f"degrees, {low} to {high}", FIX)
    return ra, dec


def refuse_hours(where: object, names: tuple[str, str], ra: np.ndarray, dec: np.ndarray) -> None:
    """Refuse right ascensions that state no unit and by their range are hours; ``names`` of both columns, which hold some numbers."""
    low, high = np.nanmin(ra), np.nanmax(ra)
    if low >= 0 and high < 24 and _wide(ra) > WIDE_HOURS and _wide(dec) > WIDE_DEG:
        spans = f"{names[0]} lies between {low:g} and {high:g}, {names[1]} between {np.nanmin(dec):g} and {np.nanmax(dec):g}"
        do = "Multiply it by 15; where they are degrees, say so by the unit of a FITS or VOTable column."
        raise DataRefusal(where, f"{spans}: hours?", "degrees", do)


def soft_labels(table: Columns, classes: Sequence[str]) -> dict[str, np.ndarray]:
    """Columns that say how probable each class is, by its name: those named as ``classes``, or all that begin with ``p_``; else none.

    All that begin with ``p_`` also where the named ones are some of them and do not add up to 1.

    Raises
    ------
    DataRefusal : no numbers, or none that add up to 1.
    """
    columns = {name: next((each for each in (name, f"p_{name}") if each in table.values), None) for name in classes}
    every = {name[2:]: name for name in table.values if name.startswith("p_") and len(name) > 2}
    if not classes:
        columns = dict(every)
    there = {name: column for name, column in columns.items() if column is not None}
    if len(there) < 2 or len(there) < len(columns):
        return {}
    shares = {name: _numbers(table, column, "probabilities") for name, column in there.items()}
    if set(shares) < set(every) and not (np.abs(sum(shares.values()) - 1) <= SUM_TO_ONE).all():
        shares = {name: _numbers(table, column, "probabilities") for name, column in every.items()}
    check_soft(table.where, np.stack(list(shares.values()), 1), None, FIX)
    return shares


def refuse_other_order(table: Columns) -> None:
    """Refuse a table whose rows are numbered otherwise than from 0 or 1 on: images of an array go by their place."""
    name = table.column("row")
    if name is None:
        return
    words = table.text(name)
    numbers = [int(word) if word.isdecimal() else -1 for word in words]
    start = numbers[0] if numbers[0] in (0, 1) else 0
    odd = [place for place, number in enumerate(numbers) if number != start + place]
    if odd:
        found = f"{name} is {words[odd[0]] or 'empty'} in row {odd[0] + 1} ({len(odd):,} of {len(words):,} rows)"
        raise DataRefusal(table.where, found, "rows in the order of the images, numbered from 0 or 1", "Sort the table by it.")


def _numbers(table: Columns, name: str, expected: str) -> np.ndarray:
    """A column of numbers, nan where it is empty."""
    numbers = []
    for place, word in enumerate(table.text(name), 1):
        try:
            numbers.append(float(word or "nan"))
        except ValueError:
            kind = "sexagesimal" if len(word.replace(":", " ").split()) >= 3 or "h" in word else "no number"
            raise DataRefusal(table.where, f"{name} is '{word}' in row {place}: {kind}", expected, "Convert it.") from None
    return np.array(numbers)


def _wide(values: np.ndarray) -> float:
    return float(np.nanmax(values) - np.nanmin(values))


def _word(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


Read = tuple[dict[str, list[Any]], dict[str, str], dict[str, str]]  # values, units, and frames other than ICRS, by column


def _csv(path: Path) -> Read:
    lines = list(dropwhile(lambda line: line.startswith("#"), _lines(path)))  # comments stand before the heading alone
    marks = "\t" if suffix_of(path) == ".tsv" else MARKS
    rows = list(csv.reader(lines, delimiter=max(marks, key=lines[0].count), skipinitialspace=True)) if lines else []
    if not rows:
        return {}, {}, {}
    names, body = [name.strip() for name in rows[0]], [row for row in rows[1:] if row and row != [described.END]]
    if twice := [name for place, name in enumerate(names) if name in names[:place]]:
        raise DataRefusal(path, f"column {twice[0] or 'without a name'} occurs {names.count(twice[0])} times", "each name once", FIX)
    odd = [place for place, row in enumerate(body, 1) if len(row) != len(names)]
    if odd:
        found = f"row {odd[0]} has {len(body[odd[0] - 1])} cells ({len(odd):,} of {len(body):,} rows)"
        raise DataRefusal(path, found, f"{len(names)}, as its heading", FIX)
    below = described.units_below(names, *body[:2]) if len(body) > 1 else None
    body, units = body[2:] if below else body, {name: unit for name, unit in zip(names, below or [], strict=False) if unit}
    return {name: [row[place].strip() or None for row in body] for place, name in enumerate(names)}, units, {}


def _lines(path: Path) -> StringIO:
    """The lines of a text file, which is UTF-8, or what spreadsheets call Unicode text."""
    with opened(path) as file:
        content = file.read()
    try:
        return StringIO(content.decode("utf-16" if content[:2] in (BOM_UTF16_LE, BOM_UTF16_BE) else "utf-8-sig"), newline="")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        do = "Save it as UTF-8; of Latin-1 with: iconv -f latin1 -t utf-8 OLD > NEW."
        raise DataRefusal(path, f"line {line} has a byte that is no UTF-8 (0x{content[error.start]:02x})", "text in UTF-8", do) from None


def _parquet(path: Path) -> Read:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        table, units, frames = in_parquet(file.read())
    return table.to_pydict(), units, frames


def _astropy(path: Path) -> Read:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table, frames = _columns(path)
    units = {name: str(table[name].unit) for name in table.colnames if table[name].unit is not None}
    return {name: _plain(table[name]) for name in table.colnames}, units, frames


def _columns(path: Path) -> tuple[Any, dict[str, str]]:
    """An astropy table with plain columns alone, and frames other than ICRS."""
    from astropy.io import votable
    from astropy.table import Table

    if suffix_of(path) in described.SUFFIXES:
        return described.read_described(path)
    if suffix_of(path) in VOTABLES:
        whole = votable.parse(path)
        return Table.read(whole, format="votable", use_names_over_ids=True), frames_in_votable(whole, whole.get_first_table())
    table, frames = as_plain(Table.read(path, format="fits"))
    return table, frames_in_cards(table.meta) | frames


def _plain(column: Any) -> list[Any]:
    values = column.tolist()
    masked: np.ndarray = np.ma.getmaskarray(column) if hasattr(column, "mask") else np.zeros(len(values), bool)
    gone = np.any(masked.reshape(len(values), -1), axis=-1).tolist()
    return [None if empty else value for value, empty in zip(values, gone, strict=True)]
