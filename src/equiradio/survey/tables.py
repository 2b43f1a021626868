"""Catalogues as files: Parquet (a file, or a folder such as HATS), FITS, VOTable and text, to Arrow tables with units."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from equiradio.datasets.imports import described
from equiradio.datasets.imports.compressed import suffix_of
from equiradio.datasets.imports.frames import frames_in_cards, frames_in_votable
from equiradio.datasets.imports.mixins import as_plain, in_parquet
from equiradio.datasets.imports.tables import FITS, LINES, VOTABLES
from equiradio.errors import DataRefusal, refused_as
from equiradio.survey.choice import Chosen, Held, one_of, refuse_table
from equiradio.survey.lines import read_lines

EXPECTED = "a catalogue: .parquet (or a folder of such files), .fits, .vot, .csv, .tsv, .ecsv, .tbl (IPAC) or .mrt, .dat, .txt (AAS, CDS)"
FIX = "Correct the catalogue."
FRAME = b"frame"  # key of a table's metadata: a frame other than ICRS that the file states; with a column's name behind it, of that column
WITHOUT = Chosen()
VIEWS = {"string_view": pa.large_string(), "binary_view": pa.large_binary()}  # of which pyarrow takes no rows
TABLE = b"table"  # key of a table's metadata: which of several tables of its file it is


def refuse_absent(path: Path) -> None:
    """Refuse a catalogue that is not there."""
    if not path.exists():
        raise DataRefusal(path, "no such file or folder", EXPECTED, "Check the path.")


def read_catalogue(path: Path, *names: str, chosen: Chosen = WITHOUT) -> pa.Table:
    """All rows and columns of a catalogue, as they are; ``unit``, ``description`` and ``ucd`` in the metadata of each field.

    ``names`` are columns, letters' case aside, that hold names, of which CSV has no types: see `read_csv`. Of several tables in a file
    ``chosen`` names one, or its columns of positions.

    Raises
    ------
    DataRefusal : no such file, no catalogue, no rows, two columns of one name, or several tables that may be meant.
    """
    refuse_absent(path)
    suffix = suffix_of(path)
    with refused_as(DataRefusal, path, EXPECTED, "Check the file."):
        if path.is_dir() or suffix in (".parquet", *LINES, *described.SUFFIXES):
            refuse_table(path, chosen)
        if path.is_dir():
            table = _folder(path)
        elif suffix == ".parquet":
            table = _parquet([path])
        elif suffix in LINES:
            table = read_lines(path, names)
        elif suffix in described.SUFFIXES:
            read, frames = described.read_described(path)
            table = _arrow(path, read, {name: _about_read(read[name]) for name in read.colnames}, frames, "")
        elif suffix in VOTABLES:
            table = _votable(path, chosen)
        elif suffix in FITS:
            table = _fits(path, chosen)
        else:
            raise DataRefusal(path, f"a file whose name ends in '{path.suffix}'", EXPECTED, "Convert it, or change the suffix.")
    twice = [name for name, count in Counter(table.column_names).items() if count > 1]
    if twice:
        raise DataRefusal(
            path, f"{', '.join(name or 'no name' for name in twice[:4])} more than once among its columns", "a name for each column", FIX
        )
    if not table.num_rows:
        raise DataRefusal(path, f"no rows, columns {', '.join(table.column_names) or 'none'}", "a row for each source", "Check the file.")
    return table


def _folder(path: Path) -> pa.Table:
    """A partitioned catalogue; of HATS those below ``dataset``. Files whose names begin with _ or . are about the others."""
    path = _of_collection(path)
    hidden = lambda file: any(part.startswith(("_", ".")) for part in file.relative_to(path).parts)
    files = [file for file in sorted(path.rglob("*.parquet")) if not hidden(file)]
    below = [file for file in files if file.relative_to(path).parts[0] == "dataset"]  # margins and indices lie beside it
    if not files:
        raise DataRefusal(path, "a folder without any .parquet", EXPECTED, "Name the file, or another folder.")
    return _parquet(below or files)


def _of_collection(path: Path) -> Path:
    """Of a HATS collection its catalogue, beside which margins repeat some of the rows; any other folder itself."""
    file = path / "collection.properties"
    if not file.is_file():
        return path
    pairs = [line.partition("=") for line in file.read_text(encoding="utf-8").splitlines()]
    name = next((value.strip() for key, _, value in pairs if key.strip() == "hats_primary_table_url"), "")
    if not name or not (path / name).is_dir():
        raise DataRefusal(file, f"hats_primary_table_url '{name}', which is no folder there", "the folder of the catalogue", FIX)
    return path / name


def _parquet(files: list[Path]) -> pa.Table:
    import pyarrow.parquet as pq

    tables: list[pa.Table] = []
    units: dict[str, str] = {}
    frames: dict[str, str] = {}
    for file in files:  # not a dataset, which would take names of folders for columns
        with pq.ParquetFile(file) as content:
            table, its_units, its_frames = in_parquet(content.read())
        tables.append(table)
        units, frames = its_units | units, its_frames | frames
    table = pa.concat_tables(tables, promote_options="default")
    unit_of = lambda name: {"unit": units[name]} if name in units else {}
    plain = (field.with_type(VIEWS.get(str(field.type), field.type)) for field in table.schema)
    clean = [field.with_metadata(unit_of(field.name) | _texts(field.metadata)) for field in plain]
    return table.cast(pa.schema(clean, metadata=_as_metadata(frames)))


def _texts(metadata: Any) -> dict[str, str]:
    """What a field's metadata say that products repeat."""
    texts = {key.decode("utf-8", "replace"): value.decode("utf-8", "replace") for key, value in (metadata or {}).items()}
    return {key: texts[key] for key in ("unit", "description", "ucd") if texts.get(key)}


def bytes_as_words(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of bytes, whatever they hold, as words; any other as it is."""
    kind = column.type
    if not (pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)):
        return column
    words = [None if value is None else value.decode("utf-8", "replace") for value in column.to_pylist()]
    return pa.chunked_array([pa.array(words, pa.string())])


def _fits(path: Path, chosen: Chosen) -> pa.Table:
    import warnings

    from astropy.io import fits
    from astropy.table import Table

    with warnings.catch_warnings(), path.open("rb") as content:
        warnings.simplefilter("ignore")
        with fits.open(content, memmap=False) as hdus:
            of_rows = lambda hdu: isinstance(hdu, fits.BinTableHDU | fits.TableHDU) and not isinstance(hdu, fits.CompImageHDU)
            tables = {number: hdu for number, hdu in enumerate(hdus) if of_rows(hdu)}
            if not tables:
                kinds = ", ".join(f"{number} {hdu.name or 'unnamed'}" for number, hdu in enumerate(hdus))
                raise DataRefusal(path, f"no HDU holds a table ({kinds})", "a catalogue", "Images go behind --images.")
            held = [Held(number, hdu.name, hdu.columns.names, hdu.header["NAXIS2"]) for number, hdu in tables.items()]
            taken = one_of(path, held, chosen)
            hdu = tables[held[taken].number]
            about = {column.name: _about_column(hdu.header, number) for number, column in enumerate(hdu.columns, 1)}
            read, frames = as_plain(Table.read(hdu, character_as_bytes=False))
    return _arrow(path, read, about, frames_in_cards(read.meta) | frames, _which(held, taken))


def _about_column(header: Any, number: int) -> dict[str, str]:
    """What a FITS header says of a column beside its unit."""
    return {"ucd": header.get(f"TUCD{number}") or "", "description": header.get(f"TCOMM{number}") or ""}


def _about_read(column: Any) -> dict[str, str]:
    """What an astropy column says of itself beside its unit."""
    return {"description": column.description or "", "ucd": str(column.meta.get("ucd", ""))}


def _which(held: Sequence[Held], taken: int) -> str:
    """The table that was taken, where there are several."""
    return str(held[taken]) if len(held) > 1 else ""


def _votable(path: Path, chosen: Chosen) -> pa.Table:
    import warnings

    from astropy.io import votable

    with warnings.catch_warnings(), path.open("rb") as content:
        warnings.simplefilter("ignore")
        whole = votable.parse(content, verify="ignore")
        tables = list(whole.iter_tables())
        if not tables:
            raise DataRefusal(path, "no table in it", "a catalogue", "Check the file.")
        names = [str(table.name or table.ID or "") for table in tables]
        held = [
            Held(number, name, [field.name for field in table.fields], len(table.array))
            for number, (name, table) in enumerate(zip(names, tables, strict=True), 1)
        ]
        taken = one_of(path, held, chosen)
        fields = {field.name: field for field in tables[taken].fields}
        read = tables[taken].to_table(use_names_over_ids=True)
    about = {name: {"ucd": field.ucd or "", "description": field.description or ""} for name, field in fields.items()}
    return _arrow(path, read, about, frames_in_votable(whole, tables[taken]), _which(held, taken))


def _as_metadata(frames: dict[str, str]) -> dict[bytes, bytes]:
    """Frames, of "" that of all columns without one of their own, as `frame_of` looks for them."""
    return {FRAME + name.encode(): frame.encode() for name, frame in frames.items()}


def frame_of(table: pa.Table, name: str) -> str:
    """The frame other than ICRS that a catalogue states for a column, or for all that say nothing of their own; else nothing."""
    stated = table.schema.metadata or {}
    return stated.get(FRAME + name.encode(), stated.get(FRAME, b"")).decode()


def _arrow(path: Path, table: Any, about: dict[str, dict[str, str]], frames: dict[str, str], which: str) -> pa.Table:
    """An astropy table as Arrow; what is masked is null. ``frames`` other than ICRS by column, of "" that of all others."""
    bearing = _as_metadata(frames) | ({TABLE: which.encode()} if which else {})
    columns, fields = [], []
    if odd := next((name for name in table.colnames if table[name].dtype.kind == "c"), None):
        raise DataRefusal(path, f"{odd} holds complex numbers", "numbers or words", "Leave that column out, or make two of it.")
    for name in table.colnames:
        column = _array(table[name])
        unit = "" if table[name].unit is None else str(table[name].unit)
        texts = {"unit": unit, **about.get(name, {})}
        columns.append(column)
        fields.append(pa.field(name, column.type, metadata={key: str(value) for key, value in texts.items() if value}))
    return pa.table(columns, schema=pa.schema(fields, metadata=bearing))


def _array(column: Any) -> pa.Array:
    values = np.asarray(column)
    gone: np.ndarray = np.ma.getmaskarray(column) if hasattr(column, "mask") else np.zeros(values.shape, bool)
    if values.dtype.kind in "SUO" or values.ndim > 1:
        missing = np.asarray(gone.reshape(len(values), -1).all(1) if len(values) else gone[:0], bool)
        plain = lambda value: (
            value.decode("utf-8", "replace") if isinstance(value, bytes) else value.tolist() if hasattr(value, "tolist") else value
        )
        return pa.array([None if empty else plain(value) for value, empty in zip(values, missing, strict=True)])
    return pa.array(values.astype(values.dtype.newbyteorder("=")), mask=gone)
