"""Tables on disk: their columns, units and meaning; written whole or not at all.

pyarrow is imported here at the top: it takes 0.1 s, a seventh of what `equiradio --help` may take.
"""

import json
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from equiradio.artefacts.atomic import write_atomically
from equiradio.errors import Refusal, RunRefusal, refused_as
from equiradio.labels import FANAROFF_RILEY, UNKNOWN, Labels, labels_of


def _column(name: str, kind: pa.DataType, unit: str, description: str) -> pa.Field:
    return pa.field(name, kind, nullable=False, metadata={"unit": unit, "description": description})


@lru_cache
def predictions_schema(labels: Labels = FANAROFF_RILEY) -> pa.Schema:
    """Columns of ``RUN/predictions/<data>-<split>.parquet``, one row per source and pass; the classes stand in the schema's metadata."""
    numbered = ", ".join(f"{place} {name}" for place, name in enumerate(labels))
    unknown = f", {UNKNOWN} {labels.unknown}" if labels.unknown else ""
    logits, probabilities = labels.columns("logit"), labels.columns()
    columns = [
        _column("source_id", pa.string(), "", "name of the source, unique in its data set"),
        _column("label", pa.int8(), "", f"class in the catalogue: {numbered}{unknown}"),
        _column("confidence", pa.string(), "", "how sure the catalogue is: confident or uncertain"),
        _column("pass", pa.int32(), "", "0 the image as it is, 1.. an augmented view of it"),
        *(
            _column(column, pa.float64(), "1", f"network output for {name}, before softmax")
            for column, name in zip(logits, labels, strict=True)
        ),
        *(
            _column(column, pa.float64(), "1", f"softmax probability of {name}, 0..1")
            for column, name in zip(probabilities, labels, strict=True)
        ),
    ]
    return pa.schema(columns, metadata={"classes": json.dumps(labels.names), "unknown": labels.unknown})


def labels_in(schema: pa.Schema) -> Labels:
    """The classes of a table of predictions; of one that does not say, FRI and FRII."""
    metadata = schema.metadata or {}
    names = json.loads(metadata.get(b"classes", b"null"))
    return labels_of(names, metadata.get(b"unknown", b"").decode()) if names else FANAROFF_RILEY


AGAIN = "Run 'equiradio evaluate' on this run again."


def write_table(table: pa.Table, path: str | Path) -> Path:
    """Write a table as Parquet; a reader sees the old file or the whole new one, never a half.

    Parameters
    ----------
    table : any table; for predictions build it with `predictions_schema`.
    path : where to; missing folders are made.
    """
    path = Path(path)
    write_atomically(path, lambda part: pq.write_table(table, part, write_page_checksum=True))
    return path


def read_predictions(path: str | Path) -> pa.Table:
    """Predictions of one run on one split: the columns of `predictions_schema` for its classes, in that order and of those types.

    Raises
    ------
    RunRefusal : the file is missing, damaged (checksums are verified), lacks a column, or a column does not fit its type.
    """
    with refused_as(RunRefusal, path, "a table of predictions", AGAIN):
        return _predictions(Path(path))


def _predictions(path: Path) -> pa.Table:
    if not path.is_file():
        raise RunRefusal(path, "no such file", "predictions of a run", "Run 'equiradio evaluate' on the run first.")
    try:
        # ParquetFile, not read_table: a folder called 'seed=3' would be read as a column
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read()
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        found = f"{path.stat().st_size:,} bytes that are not a whole Parquet file"
        raise RunRefusal(path, found, "a table of predictions", AGAIN) from error
    try:
        schema = predictions_schema(labels_in(table.schema))
    except (ValueError, TypeError, Refusal) as error:
        raise RunRefusal(path, f"classes that cannot be understood ({error})", "names of classes", AGAIN) from None
    missing = [name for name in schema.names if name not in table.column_names]
    if missing:
        raise RunRefusal(path, f"no column {', '.join(missing)}", f"the columns {', '.join(schema.names)}", AGAIN)
    table = _typed(table.select(schema.names), schema, path)
    _check_values(table, path)
    return table


BEARINGS = ("weights", "data_md5", "passes", "batches", "precision")  # in the metadata of predictions: what they are of


def predicted_by(path: Path) -> dict[str, str]:
    """What predictions are of, as far as they say (`BEARINGS`); empty where there are none."""
    try:
        metadata = pq.read_schema(path).metadata or {}
    except (pa.ArrowException, OSError, ValueError):
        return {}
    return {name: metadata[name.encode()].decode("utf-8", "replace") for name in BEARINGS if name.encode() in metadata}


def _typed(table: pa.Table, schema: pa.Schema, path: Path) -> pa.Table:
    for field in schema:
        column = table.column(field.name)
        if column.null_count:
            raise RunRefusal(path, f"{column.null_count:,} of {len(column):,} rows have no {field.name}", "a value in every row", AGAIN)
        try:
            column.cast(field.type)
        except pa.ArrowException as error:
            raise RunRefusal(path, f"column {field.name} holds {column.type} that does not fit", str(field.type), AGAIN) from error
    return table.cast(schema)


def _check_values(table: pa.Table, path: Path) -> None:
    """Refuse probabilities outside 0..1, logits that are not finite, and labels and passes that are no places."""
    labels = labels_in(table.schema)
    least, most = {"label": UNKNOWN, "pass": 0}, {"label": len(labels) - 1}
    least |= dict.fromkeys(labels.columns(), 0)
    most |= dict.fromkeys(labels.columns(), 1)
    for name in ("label", "pass", *labels.columns("logit"), *labels.columns()):
        values = table.column(name).to_numpy()
        low, high = least.get(name, -np.inf), most.get(name, np.inf)
        odd = np.flatnonzero(~((values >= low) & (values <= high) & np.isfinite(values)))
        if len(odd):
            expected = f"{low} to {high}" if name in most else f"{low} or more" if name in least else "finite numbers"
            raise RunRefusal(path, f"{name} is {values[odd[0]]:g} in row {odd[0]}", expected, AGAIN)
