"""What a catalogue says of each source: its name and position, or one clear line about why it cannot be used."""

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from equiradio.artefacts.csv_columns import MISSING
from equiradio.datasets.imports.angles import HOUR, degrees_in, frame_in
from equiradio.datasets.imports.mixins import positions_in
from equiradio.datasets.imports.tables import DEC, ID, RA, refuse_hours, usual_column
from equiradio.errors import DataRefusal, SettingRefusal, nearest
from equiradio.printable import some_of
from equiradio.survey.choice import Chosen
from equiradio.survey.tables import FIX, TABLE, bytes_as_words, frame_of, read_catalogue

ELSEWHERE = {  # columns of positions that are not taken: first name of a pair -> what it is
    "glon": "galactic",
    "gal_lon": "galactic",
    "l": "galactic",
    "elon": "ecliptic",
    "rab1950": "B1950",
    "ra_b1950": "B1950",
    "_rab1950": "B1950",
}
HOUR_MARK = re.compile(r"\d\s*h", re.IGNORECASE)
DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+")
ONE_NAME = 0.5  # of the rows may share their name with another


@dataclass(frozen=True)
class Sources:
    """A catalogue with what is needed of it.

    Attributes
    ----------
    table : all input columns.
    names : str (rows,), of the sources; "row-N", counted from 1, where the catalogue has none.
    ra_deg, dec_deg : float64 (rows,), ICRS, nan where a cell is empty.
    columns : which columns these are, None for names of no column; and which table, None where the file holds one.
    """

    table: pa.Table
    names: np.ndarray
    ra_deg: np.ndarray
    dec_deg: np.ndarray
    columns: Chosen


def sources_of(path: Path, chosen: Chosen) -> Sources:
    """The sources of a catalogue.

    Raises
    ------
    DataRefusal, SettingRefusal : it cannot be read, has no positions in ICRS degrees, or names that are none; one line says what to do.
    """
    if (chosen.ra is None) != (chosen.dec is None):
        raise SettingRefusal("--ra --dec", "one of the two", "both columns or none", "Give both.")
    table = read_catalogue(path, *ID, *filter(None, (chosen.id, chosen.group)), chosen=chosen)
    pairs = positions_in(table.column_names)
    ra, dec = pairs[0] if len(pairs) == 1 else (None, None)
    columns = Chosen(
        _column(path, table, chosen.ra, RA, "--ra") or ra,
        _column(path, table, chosen.dec, DEC, "--dec") or dec,
        _column(path, table, chosen.id, ID, "--id"),
        _column(path, table, chosen.group, (), "--group"),
        (table.schema.metadata or {}).get(TABLE, b"").decode() or None,
    )
    ra_deg, dec_deg = _positions(path, table, columns)
    names = _names(path, table, columns)
    return Sources(table, names, ra_deg, dec_deg, columns)


def _column(path: Path, table: pa.Table, given: str | None, usual: tuple[str, ...], option: str) -> str | None:
    """The column that is named, or the first of the usual names that there is, letters' case aside."""
    if given is not None:
        if given not in table.column_names:
            there = table.column_names
            raise DataRefusal(path, f"no column '{given}' ({option})", some_of(there, 20), nearest(given, there))
        return given
    return usual_column(table.column_names, usual)


def _positions(path: Path, table: pa.Table, columns: Chosen) -> tuple[np.ndarray, np.ndarray]:
    if columns.ra is None or columns.dec is None:
        small = {name.lower().rpartition(".")[2]: name for name in table.column_names}
        other = next((f"{kind} {small[name]}" for name, kind in ELSEWHERE.items() if name in small), "")
        found = f"no columns of right ascension and declination ({other or some_of(table.column_names, 8)})"
        do = "Convert the positions to ICRS." if other else "Name them by --ra and --dec."
        if pairs := positions_in(table.column_names):
            do = f"Name them by --ra and --dec, for example {' and '.join(pairs[0])}."
        raise DataRefusal(path, found, "ICRS positions in degrees, such as ra and dec", do)
    frame = frame_of(table, columns.ra) or ELSEWHERE.get(columns.ra.lower().rpartition(".")[2], "")
    frame = frame or frame_in(_unit(table, columns.ra)) or frame_in(_unit(table, columns.dec))
    if frame:
        raise DataRefusal(path, f"positions in {frame}", "ICRS (or FK5 J2000)", "Convert them, with topcat or astropy's SkyCoord.")
    ra, dec = _degrees(path, table, columns.ra), _degrees(path, table, columns.dec)
    if not np.isfinite(ra + dec).any():
        raise DataRefusal(path, f"{columns.ra} and {columns.dec} hold no position in {len(ra):,} rows", "positions in degrees", FIX)
    unit = _unit(table, columns.ra)
    if degrees_in(unit) == HOUR:
        raise DataRefusal(path, f"{columns.ra} is in {unit} (up to {np.nanmax(ra):g})", "degrees", "Multiply it by 15.")
    if not unit:
        refuse_hours(path, (columns.ra, columns.dec), ra, dec)
    for name, values, (low, high) in ((columns.ra, ra, (0, 360)), (columns.dec, dec, (-90, 90))):
        wrong = np.flatnonzero((values < low) | (values > high))
        if len(wrong):
            found = f"{name} is {values[wrong[0]]:g} in row {wrong[0] + 1:,} ({len(wrong):,} of {len(values):,} rows)"
            do = "Add 360 to negative ones." if name == columns.ra and values[wrong].max() < 0 else FIX
            raise DataRefusal(path, found, f"degrees, {low} to {high}", do)
    return ra, dec


def _degrees(path: Path, table: pa.Table, name: str) -> np.ndarray:
    """A column of decimal degrees; what is null, nan or infinite is nan."""
    unit = _unit(table, name)
    factor = degrees_in(unit)
    if factor not in (1.0, HOUR):  # hours are spoken of where both columns are there
        do = f"Multiply it by {factor:.8g}." if factor else "Convert it, and its unit."
        raise DataRefusal(path, f"{name} is in {unit}", "degrees", do)
    column = table.column(name)
    if pa.types.is_floating(column.type) or pa.types.is_integer(column.type) or pa.types.is_decimal(column.type):
        values = column.cast(pa.float64()).to_numpy()
        return np.where(np.isfinite(values), values, np.nan)
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type) or pa.types.is_null(column.type)):
        raise DataRefusal(path, f"{name} holds {column.type}", "decimal degrees", FIX)
    numbers = []
    for place, word in enumerate(column.to_pylist(), 1):
        try:
            word = (word or "").strip()
            numbers.append(math.nan if word in MISSING else float(word))
        except ValueError:
            parts = word.replace(":", " ").split()
            kind = "sexagesimal" if len(parts) >= 3 or HOUR_MARK.search(word) else "no number"
            kind = "a comma in place of a point" if DECIMAL_COMMA.fullmatch(word.strip()) else kind
            do = "Convert it, with topcat or astropy's SkyCoord." if kind == "sexagesimal" else FIX
            raise DataRefusal(path, f"{name} is '{word[:40]}' in row {place:,}: {kind}", "decimal degrees", do) from None
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _unit(table: pa.Table, name: str) -> str:
    return (table.schema.field(name).metadata or {}).get(b"unit", b"").decode().strip()


def _names(path: Path, table: pa.Table, columns: Chosen) -> np.ndarray:
    """Names of the rows, as text."""
    fallback = np.array([f"row-{place}" for place in range(1, table.num_rows + 1)], object)
    if columns.id is None:
        return fallback
    names = texts(path, table, columns.id)
    given = np.array([bool(name) for name in names])
    counts = pc.value_counts(pa.array(names[given], pa.string()))
    shared = int(sum(count for count in counts.field("counts").to_pylist() if count > 1))
    if columns.group is None and shared > ONE_NAME * table.num_rows and table.num_rows > 2:
        most = max(counts.to_pylist(), key=lambda each: each["counts"])
        found = f"{shared:,} of {table.num_rows:,} rows share their {columns.id} ({most['counts']:,} are '{most['values']}')"
        do = f"Name the column of names by --id; if rows are components of sources, add --group {columns.id} and --id."
        raise DataRefusal(path, found, "a name for each source", do)
    return np.where(given, names, fallback)


def texts(path: Path, table: pa.Table, name: str) -> np.ndarray:
    """A column as words, empty where a cell is; object (rows,)."""
    column = table.column(name)
    if pa.types.is_nested(column.type):
        raise DataRefusal(path, f"{name} holds {column.type}", "a word or number in each row", "Name another column.")
    if pa.types.is_floating(column.type):
        values = column.to_pylist()
        return np.array(["" if value is None or value != value else f"{value:.17g}" for value in values], object)
    return np.array([(value or "").strip() for value in bytes_as_words(column).cast(pa.string()).to_pylist()], object)
