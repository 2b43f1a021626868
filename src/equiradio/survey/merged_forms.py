"""A merged catalogue on disk: Parquet and CSV piece by piece, a folder of Parquet files or HATS, FITS and VOTable at once."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from equiradio.artefacts.atomic import write_atomically
from equiradio.artefacts.catalogue import SUFFIXES, write_catalogue
from equiradio.artefacts.catalogue_forms import rounded
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


def write_merged(tables: Iterator[pa.Table], schema: pa.Schema, out: Path) -> int:
    """Write the pieces of a catalogue, whole or not at all; how many rows the form leaves out."""
    suffix = out.suffix.lower()
    if suffix == ".parquet":
        write_atomically(out, lambda part: _write_parquet(tables, schema, part))
    elif suffix == ".csv":
        write_atomically(out, lambda part: _write_csv(tables, schema, part))
    elif suffix == hats.SUFFIX:
        return hats.write_hats(tables, out)
    elif suffix:
        write_catalogue(flat(pa.concat_tables(list(tables))), out)
    else:
        _write_folder(tables, out)
    return 0


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
        words = bytes_as_words(table.column(place))
        table = table if words.type == field.type else table.set_column(place, field.with_type(words.type), words)
        if not pa.types.is_nested(field.type):
            continue
        if pa.types.is_list(field.type) and pa.types.is_string(field.type.value_type):
            joined = pc.binary_join(table.column(place), " ")
            table = table.set_column(place, pa.field(field.name, pa.string(), metadata=field.metadata), joined)
        else:
            table = table.remove_column(place)
    return table


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
