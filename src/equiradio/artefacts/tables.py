"""Tables on disk: their columns, units and meaning, said once; written whole or not at all.

pyarrow is imported here at the top: it takes 0.1 s, a seventh of what `equiradio --help` may take.
"""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from equiradio.artefacts.files import write_atomically
from equiradio.errors import RunRefusal


def _column(name: str, kind: pa.DataType, unit: str, description: str) -> pa.Field:
    return pa.field(name, kind, nullable=False, metadata={"unit": unit, "description": description})


PREDICTIONS = pa.schema(
    [
        _column("source_id", pa.string(), "", "name of the source, unique in its data set"),
        _column("label", pa.int8(), "", "class in the catalogue: 0 FRI, 1 FRII, -1 hybrid"),
        _column("confidence", pa.string(), "", "how sure the catalogue is: confident or uncertain"),
        _column("pass", pa.int32(), "", "0 the image as it is, 1.. an augmented view of it"),
        _column("logit_fri", pa.float64(), "1", "network output for FRI, before softmax"),
        _column("logit_frii", pa.float64(), "1", "network output for FRII, before softmax"),
        _column("p_fri", pa.float64(), "1", "softmax probability of FRI, 0..1"),
        _column("p_frii", pa.float64(), "1", "softmax probability of FRII, 0..1"),
    ]
)
"""Columns of ``RUN/predictions/<data>-<split>.parquet``, one row per source and pass."""

AGAIN = "Run 'equiradio evaluate' on this run again."


def write_table(table: pa.Table, path: str | Path) -> Path:
    """Write a table as Parquet; a reader sees the old file or the whole new one, never a half.

    Parameters
    ----------
    table : any table; for predictions build it with ``pa.table(columns, schema=PREDICTIONS)``.
    path : where to; missing folders are made.
    """
    path = Path(path)
    write_atomically(path, lambda part: pq.write_table(table, part, write_page_checksum=True))
    return path


def read_predictions(path: str | Path) -> pa.Table:
    """Predictions of one run on one split: the columns of `PREDICTIONS`, in that order and of those types.

    Raises
    ------
    RunRefusal : the file is missing, damaged (checksums are verified), lacks a column, or a column does not fit its type.
    """
    path = Path(path)
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
    missing = [name for name in PREDICTIONS.names if name not in table.column_names]
    if missing:
        raise RunRefusal(path, f"no column {', '.join(missing)}", f"the columns {', '.join(PREDICTIONS.names)}", AGAIN)
    return _typed(table.select(PREDICTIONS.names), path)


def predicted_by(path: Path) -> str | None:
    """The digest of the weights (`Run.weights_digest`) that predictions are of; None where there are none, or they do not say."""
    try:
        told = (pq.read_schema(path).metadata or {}).get(b"weights")
    except (pa.ArrowException, OSError):
        return None
    return told.decode() if told else None


def _typed(table: pa.Table, path: Path) -> pa.Table:
    for field in PREDICTIONS:
        column = table.column(field.name)
        if column.null_count:
            raise RunRefusal(path, f"{column.null_count:,} of {len(column):,} rows have no {field.name}", "a value in every row", AGAIN)
        try:
            column.cast(field.type)
        except pa.ArrowException as error:
            raise RunRefusal(path, f"column {field.name} holds {column.type} that does not fit", str(field.type), AGAIN) from error
    return table.cast(PREDICTIONS)
