"""The catalogue that `equiradio classify` writes: columns, units and UCDs; Parquet, CSV, FITS and VOTable by suffix."""

import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from equiradio.artefacts.atomic import write_atomically
from equiradio.errors import RunRefusal, SettingRefusal
from equiradio.labels import FANAROFF_RILEY, Labels
from equiradio.printable import as_ascii

Row = dict[str, Any]  # of a catalogue: a value for each column of `catalogue_schema`, which depend on the classes


def _column(name: str, kind: pa.DataType, unit: str, ucd: str, description: str) -> pa.Field:
    return pa.field(name, kind, metadata={"unit": unit, "ucd": ucd, "description": description})


def spread_columns(labels: Labels) -> list[tuple[int, str, str]]:
    """Classes whose model spread has columns: place, low column, high column. Of two classes the second is enough."""
    columns = labels.columns()
    places = [1] if labels.binary else range(len(labels))
    return [(place, f"{columns[place]}_low", f"{columns[place]}_high") for place in places]


@lru_cache
def catalogue_schema(labels: Labels = FANAROFF_RILEY) -> pa.Schema:
    """Columns of the table of ``classify`` and ``survey``; numbers without an answer are nan. Columns of the input may follow."""
    probabilities = [
        _column(column, pa.float64(), "", "stat.probability", f"probability of {name}")
        for column, name in zip(labels.columns(), labels, strict=True)
    ]
    spread = []
    for place, low, high in spread_columns(labels):
        of = labels.columns()[place]
        spread.append(_column(low, pa.float64(), "", "stat.probability;stat.min", f"5 % of the model spread of {of}"))
        spread.append(_column(high, pa.float64(), "", "stat.probability;stat.max", f"95 % of the model spread of {of}"))
    which = " or ".join(labels) if labels.binary else f"one of {labels}"
    return pa.schema(
        [
            _column("source_id", pa.string(), "", "meta.id;meta.main", "file's name without its suffix, or the array's number"),
            _column("file", pa.string(), "", "meta.id;meta.file", "file as it was given"),
            _column("hdu", pa.int32(), "", "meta.number", "HDU that holds the image, counted from 0; -1 where none was found"),
            _column("ra_deg", pa.float64(), "deg", "pos.eq.ra;meta.main", "right ascension of the crop's centre, ICRS"),
            _column("dec_deg", pa.float64(), "deg", "pos.eq.dec;meta.main", "declination of the crop's centre, ICRS"),
            _column("label", pa.string(), "", "src.class", f"{which}, whichever is more probable; empty without an answer"),
            *probabilities,
            *spread,
            _column(
                "uncertain", pa.bool_(), "", "meta.code.qual", "abstain: probability below the threshold, source unusual, or no answer"
            ),
            _column("flags", pa.int32(), "", "meta.code.qual", "quality flags, one bit each"),
            _column("flag_names", pa.string(), "", "meta.note", "names of these flags, separated by spaces"),
            _column("attention_peak_ra_deg", pa.float64(), "deg", "pos.eq.ra", "right ascension of the brightest attention pixel, ICRS"),
            _column("attention_peak_dec_deg", pa.float64(), "deg", "pos.eq.dec", "declination of the brightest attention pixel, ICRS"),
            _column("model", pa.string(), "", "meta.id;meta.modelled", "network that answered, and the hash of its weights"),
        ]
    )


SUFFIXES = (".parquet", ".csv", ".fits", ".vot")


def check_suffix(path: Path) -> None:
    """Refuse a table that could not be written, before work is done for it."""
    if path.suffix.lower() not in SUFFIXES:
        raise SettingRefusal("--out", f"'{path.name}'", f"a name that ends in {', '.join(SUFFIXES)}", "Change the suffix.")


def write_catalogue(table: pa.Table, path: Path) -> None:
    """Write a table whole or not at all; the suffix says in which format."""
    check_suffix(path)
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        write_atomically(path, lambda part: pq.write_table(table, part, write_page_checksum=True))
    elif suffix == ".csv":
        write_atomically(path, lambda part: pyarrow.csv.write_csv(table, part))
    else:
        kind = "fits" if suffix == ".fits" else "votable"
        write_atomically(path, lambda part: as_astropy(table, ascii_only=kind == "fits").write(part, format=kind, overwrite=True))


def read_texts(path: Path, names: Sequence[str]) -> dict[str, list[str]]:
    """Columns of text of a catalogue, as `write_catalogue` wrote them.

    Raises
    ------
    RunRefusal : the file is no catalogue with these columns.
    """
    suffix, wanted = path.suffix.lower(), list(names)
    try:
        if suffix == ".parquet":
            with pq.ParquetFile(path) as file:
                table = file.read(columns=wanted)
        elif suffix == ".csv":
            texts = pyarrow.csv.ConvertOptions(include_columns=wanted, column_types=dict.fromkeys(wanted, pa.string()))
            table = pyarrow.csv.read_csv(path, convert_options=texts)
        else:
            from astropy.table import Table

            with path.open("rb") as content:
                read = Table.read(content, format="fits" if suffix == ".fits" else "votable")[wanted]
            read.convert_bytestring_to_unicode()
            table = pa.table({name: [str(value) for value in read[name]] for name in wanted})
        return {name: table.column(name).to_pylist() for name in wanted}
    except Exception as error:  # pyarrow and astropy meet damage in dozens of ways
        raise RunRefusal(path, "a file that is no catalogue of ours", f"columns {', '.join(wanted)}", "Name another --out.") from error


def as_astropy(table: pa.Table, *, ascii_only: bool = False) -> Any:
    """As an astropy table, with units, descriptions and UCDs; FITS has no letters but ASCII, others are written as \\xfc or \\u0142."""
    import warnings

    from astropy.table import Column, Table

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        columns = []
        for field in table.schema:
            about = {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}
            values = table.column(field.name).to_pylist()
            kind: Any = str if pa.types.is_string(field.type) else field.type.to_pandas_dtype()
            filled = _filled(values, field.type)
            if kind is str and ascii_only:
                filled = [as_ascii(value) for value in filled]
            columns.append(
                Column(
                    filled,
                    field.name,
                    kind,
                    unit=about.get("unit") or None,
                    description=about.get("description"),
                    meta={"ucd": about["ucd"]} if about.get("ucd") else None,
                )
            )
        return Table(columns, meta={"name": "equiradio"})


def _filled(values: Sequence[Any], kind: pa.DataType) -> list[Any]:
    """Values, with what stands for no value in the place of None."""
    nothing: Any = "" if pa.types.is_string(kind) else math.nan if pa.types.is_floating(kind) else 0
    return [nothing if value is None else value for value in values]
