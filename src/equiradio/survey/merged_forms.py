"""A merged catalogue on disk: Parquet and CSV piece by piece, a folder of Parquet files or HATS, FITS and VOTable at once."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from equiradio.artefacts.atomic import write_atomically
from equiradio.artefacts.catalogue import SUFFIXES, write_catalogue
from equiradio.artefacts.catalogue_forms import numbers_as_text, rounded
from equiradio.artefacts.form_names import in_fits
from equiradio.errors import SettingRefusal
from equiradio.folders import clear, whole_folder
from equiradio.survey import hats
from equiradio.survey.tables import bytes_as_words

FORMS = (*SUFFIXES, hats.SUFFIX)  # how names of catalogues end
AT_ONCE = 1_000_000  # rows of forms that are made in memory: a million of FITS take some 5 GB


def check_form(out: Path, sources: int) -> None:
    """Refuse a form that could not be written, before work is done for it."""
    suffix = out.suffix.lower()
    if suffix and suffix not in FORMS:
        expected = f"a name that ends in {', '.join(FORMS)}, or without a dot for a folder of Parquet files"
        raise SettingRefusal("--out", f"'{out.name}'", expected, "Change the suffix.")
    if suffix == hats.SUFFIX:
        hats.check_installed(out)
    if suffix in ("", hats.SUFFIX):
        clear(out)  # what a killed merge left there
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise SettingRefusal("--out", f"{out} exists and is not empty", "a new folder", "Name another one.")
    if suffix in (".fits", ".vot") and sources > AT_ONCE:
        found = f"{sources:,} sources, which {suffix} needs in memory at once"
        raise SettingRefusal("--out", found, f"at most {AT_ONCE:,}", "Write .parquet or .csv.")


class Written(NamedTuple):
    """What the form of a catalogue does not hold: so many rows, and, as numbers, the columns that are text in it."""

    left_out: int = 0
    as_text: Sequence[str] = ()


def write_merged(tables: Iterator[pa.Table], schema: pa.Schema, out: Path) -> Written:
    """Write the pieces of a catalogue, whole or not at all."""
    suffix = out.suffix.lower()
    if suffix == ".parquet":
        write_atomically(out, lambda part: _write_parquet(tables, schema, part))
    elif suffix == ".csv":
        write_atomically(out, lambda part: _write_csv(tables, schema, part))
    elif suffix == hats.SUFFIX:
        return Written(left_out=hats.write_hats(tables, out))
    elif suffix:
        table = flat(pa.concat_tables(list(tables)))
        write_catalogue(table, out)
        return Written(as_text=numbers_as_text(table, suffix))
    else:
        _write_folder(tables, out)
    return Written()


def columns_renamed(schema: pa.Schema, out: Path) -> dict[str, str]:
    """Columns whose names the form of a catalogue cannot hold, and what they are called in it."""
    names = flat(schema.empty_table()).schema.names
    return {one: other for one, other in zip(names, in_fits(names), strict=True) if one != other} if out.suffix.lower() == ".fits" else {}


def columns_left_out(schema: pa.Schema, out: Path) -> list[str]:
    """Columns that the form of a catalogue has no room for: several numbers in a cell."""
    if out.suffix.lower() not in (".csv", ".fits", ".vot"):
        return []
    room = flat(schema.empty_table()).schema.names
    return [name for name in schema.names if name not in room]


def flat(table: pa.Table) -> pa.Table:
    """For forms whose cells hold one word or number: words in lists are joined by spaces, bytes are words, other lists are left out."""
    for place in reversed(range(table.num_columns)):
        field = table.schema.field(place)
        column = _joined(bytes_as_words(table.column(place)))
        if pa.types.is_nested(column.type):
            table = table.remove_column(place)
        elif column.type != field.type:
            table = table.set_column(place, field.with_type(column.type), column)
    return table


def _joined(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Lists of words as words with spaces between them; any other column as it is."""
    words = getattr(column.type, "value_type", None) if pa.types.is_nested(column.type) else None
    if words is None or not (pa.types.is_string(words) or pa.types.is_large_string(words)):
        return column
    join = lambda row: None if row is None else " ".join(word for word in row if word is not None)
    return pa.chunked_array([pa.array(map(join, column.to_pylist()), pa.string())])


def _write_parquet(tables: Iterator[pa.Table], schema: pa.Schema, path: Path) -> None:
    with pq.ParquetWriter(path, schema, write_page_checksum=True) as writer:
        for table in tables:
            writer.write_table(table)


def _write_csv(tables: Iterator[pa.Table], schema: pa.Schema, path: Path) -> None:
    with pyarrow.csv.CSVWriter(path, flat(schema.empty_table()).schema) as writer:
        for table in tables:
            writer.write_table(rounded(flat(table)))


def _write_folder(tables: Iterator[pa.Table], out: Path) -> None:
    """A Parquet file for each piece, in order."""
    with whole_folder(out) as unfinished:
        for number, table in enumerate(tables):
            pq.write_table(table, unfinished / f"part-{number:06d}.parquet", write_page_checksum=True)
