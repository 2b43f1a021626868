"""Tables of predictions, a page of rows at a time: filters, sorting, histograms and VOTables over a million rows."""

import math
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from equiradio.artefacts.catalogue import catalogue_schema, described
from equiradio.artefacts.catalogue_forms import as_votable
from equiradio.artefacts.csv_columns import read_csv
from equiradio.artefacts.provenance import with_provenance
from equiradio.datasets.imports.tables import ID
from equiradio.errors import DataRefusal, nearest, refused_as
from equiradio.printable import apart, printable
from equiradio.serve.refusals import RequestRefusal, clipped
from equiradio.survey.tables import VIEWS

SELECTIONS = 6  # orders of rows kept
BINS = 32
MOST_WORDS = 12  # different values that a histogram of text shows
MOST_EXPORTED = 200_000  # rows of a VOTable
TESTS = ("is", "not", "min", "max", "below", "has")
COMPARE = {"min": pc.greater_equal, "max": pc.less_equal, "below": pc.less}
EXACT = 2**53  # whole numbers that JavaScript, too, can tell from their neighbours
TEXTS = [field.name for field in catalogue_schema() if pa.types.is_string(field.type)]
FORM = "column:test:value, test one of " + ", ".join(TESTS)


class Table:
    """One table, read when first asked for."""

    def __init__(self, name: str, path: Path) -> None:
        self.name, self.path = name, path
        self._table: pa.Table | None = None
        self._selections: OrderedDict[tuple, pa.Array | None] = OrderedDict()
        self._lock = threading.RLock()

    def table(self) -> pa.Table:
        with self._lock:
            if self._table is None:
                self._table = read_table(self.path)
            return self._table

    def columns(self) -> list[dict[str, str]]:
        """Name, kind (number, text or yes-no), unit and description of each column."""
        return [
            {"name": field.name, "kind": kind_of(field.type), **{key: _metadata(field, key) for key in ("unit", "description")}}
            for field in self.table().schema
        ]

    def selection(self, where: list[str], sort: str | None, descending: bool) -> pa.Array | None:
        """Row numbers in order; None for all rows as they are."""
        if not where and not sort:
            return None
        key = (*where, sort, descending)
        with self._lock:  # so that two requests for one selection compute it once
            if key not in self._selections:
                self._selections[key] = self._select(where, sort, descending)
                while len(self._selections) > SELECTIONS:
                    self._selections.popitem(last=False)
            self._selections.move_to_end(key)
            return self._selections[key]

    def _select(self, where: list[str], sort: str | None, descending: bool) -> pa.Array:
        table = self.table()
        rows = pa.array(np.arange(table.num_rows, dtype=np.int64))
        mask = None
        for text in where:
            one = self._mask(text)
            mask = one if mask is None else pc.and_(mask, one)
        if mask is not None:
            rows = rows.filter(pc.fill_null(mask, False))
        if sort:
            values = self._column(sort).take(rows)
            rows = rows.take(pc.sort_indices(pa.table({"value": values}), [("value", "descending" if descending else "ascending")]))
        return rows

    def _column(self, name: str) -> pa.ChunkedArray:
        names = self.table().column_names
        if name not in names:
            raise RequestRefusal("column", f"{clipped(name)!r} is not one of this table", ", ".join(names), nearest(name[:100], names))
        return self.table().column(name)

    def _mask(self, text: str) -> pa.ChunkedArray:
        parts = text.split(":", 2)
        if len(parts) != 3 or parts[1] not in TESTS:
            raise RequestRefusal("where", f"{clipped(text)!r}", FORM, "For example dec_deg:min:0.")
        name, test, value = parts
        column = self._column(name)
        if test == "has":
            return pc.match_substring(pc.cast(column, pa.string()), value, ignore_case=True)
        if test in COMPARE:
            number = _number(value)
            if kind_of(column.type) != "number":
                raise RequestRefusal("where", f"{name} holds {column.type}", "a column of numbers", "Use is, not or has.")
            return COMPARE[test](pc.cast(column, pa.float64(), safe=False), number)
        same = pc.fill_null(pc.equal(pc.cast(column, pa.string()), value), value == "")
        return same if test == "is" else pc.invert(same)

    def page(self, where: list[str], sort: str | None, descending: bool, offset: int, limit: int) -> dict[str, Any]:
        """Rows ``offset`` to ``offset + limit`` of a selection, and how many it has."""
        rows = self.selection(where, sort, descending)
        table = self.table()
        count = table.num_rows if rows is None else len(rows)
        piece = table.slice(offset, limit) if rows is None else table.take(rows.slice(min(offset, count), limit))
        content = [[plain(value) for value in row.values()] for row in piece.to_pylist()]
        return {"total": table.num_rows, "selected": count, "offset": offset, "columns": self.columns(), "rows": content}

    def histogram(self, column: str, where: list[str]) -> dict[str, Any]:
        """Counts of a column over a selection: `BINS` bins of equal width for numbers, the most frequent values of others."""
        values = self._column(column)
        rows = self.selection(where, None, False)
        values = values if rows is None else values.take(rows)
        if kind_of(values.type) != "number":
            words = pc.drop_null(pc.cast(values, pa.string()))  # as the test `is` compares them
            counts = pc.value_counts(words.combine_chunks() if isinstance(words, pa.ChunkedArray) else words)
            pairs = sorted(((pair["values"], pair["counts"]) for pair in counts.to_pylist()), key=lambda pair: -pair[1])
            return {"column": column, "words": [word for word, _ in pairs[:MOST_WORDS]], "counts": [n for _, n in pairs[:MOST_WORDS]]}
        numbers = np.asarray(pc.cast(values, pa.float64(), safe=False).to_numpy(zero_copy_only=False), float)
        numbers = numbers[np.isfinite(numbers)]
        if not len(numbers):
            return {"column": column, "edges": [], "counts": []}
        low, high = float(numbers.min()), float(numbers.max())
        if not math.isfinite(high - low):
            raise RequestRefusal("column", f"{column} spans {low:g} to {high:g}", "a range that has a width", "Filter it first.")
        if high == low:
            low, high = low - 0.5, high + 0.5
        if (high - low) / BINS <= np.spacing(max(abs(low), abs(high))):  # no number lies between the edges of so narrow bins
            return {"column": column, "edges": [low, high], "counts": [len(numbers)]}
        counts, edges = np.histogram(numbers, BINS, (low, high))
        return {"column": column, "edges": edges.tolist(), "counts": counts.tolist()}

    def votable(self, where: list[str], sort: str | None, descending: bool) -> bytes:
        """The selection as a VOTable."""
        rows = self.selection(where, sort, descending)
        table = self.table()
        count = table.num_rows if rows is None else len(rows)
        if count > MOST_EXPORTED:
            raise RequestRefusal("selection", f"{count:,} rows", f"at most {MOST_EXPORTED:,}", "Filter the table first.")
        piece = table if rows is None else table.take(rows)
        names: list[str] = []
        for name in piece.column_names:
            names.append(apart(printable(name), names))
        fields = [field.with_name(name) for field, name in zip(piece.schema, names, strict=True)]
        piece = pa.table(piece.columns, schema=pa.schema(fields, metadata=piece.schema.metadata))
        words = [*where, *([f"sorted by {sort}{', descending' if descending else ''}"] if sort else [])]
        about = {"selection": f"{count} of {table.num_rows} rows of {self.name}" + "".join(f"; {word}" for word in words)}
        return as_votable(piece.cast(with_provenance(piece.schema, about)))


def read_table(path: Path) -> pa.Table:
    """A Parquet or CSV file. What has no answer is null, also where the file says nan or an empty text.

    Raises
    ------
    DataRefusal : missing, or neither of the two.
    """
    with refused_as(DataRefusal, path, "a table that 'equiradio evaluate' or another verb wrote", "Check the path."):
        if path.suffix.lower() == ".csv":
            table = read_csv(path, (*ID, *TEXTS))
        else:
            with pq.ParquetFile(path) as file:
                table = file.read()
        table.validate(full=True)  # text may be no UTF-8
        table = described(_simple(table))
    if len(set(table.column_names)) != len(table.column_names):
        raise DataRefusal(path, "two columns of one name", "names that differ", "Rename one.")
    return table


def _simple(table: pa.Table) -> pa.Table:
    """Columns that can be sorted, compared and counted: words in the place of their codes, and of lists and the like."""
    columns = []
    for field, column in zip(table.schema, table.columns, strict=True):
        if pa.types.is_dictionary(field.type):
            column = pc.cast(column, field.type.value_type)
        elif str(field.type) in VIEWS:
            column = pc.cast(column, VIEWS[str(field.type)])
        elif pa.types.is_duration(field.type):
            column = pc.cast(column, pa.int64())
        elif pa.types.is_temporal(field.type):
            column = pc.cast(column, pa.string())  # which sorts as time does, and holds nanoseconds
        if pa.types.is_nested(column.type) or pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
            column = pa.chunked_array([pa.array([None if value is None else str(value) for value in column.to_pylist()], pa.string())])
        columns.append(_without_blanks(column))
    schema = [pa.field(field.name, column.type, metadata=field.metadata) for field, column in zip(table.schema, columns, strict=True)]
    return pa.table(columns, schema=pa.schema(schema, metadata=table.schema.metadata))


def _without_blanks(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Null in the place of nan and of empty text, as older tables have them."""
    if pa.types.is_floating(column.type):
        blank = pc.is_nan(column)
    elif pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        blank = pc.equal(column, "")
    else:
        return column
    return pc.if_else(blank, pa.scalar(None, column.type), column)


def kind_of(kind: pa.DataType) -> str:
    if pa.types.is_boolean(kind):
        return "yes-no"
    return "number" if pa.types.is_integer(kind) or pa.types.is_floating(kind) else "text"


def plain(value: Any) -> Any:
    """A value that JSON and JavaScript can carry: numbers that are not finite become null, whole ones of too many digits text."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > EXACT:
        return str(value)
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def _metadata(field: pa.Field, key: str) -> str:
    return (field.metadata or {}).get(key.encode(), b"").decode("utf-8", "replace")


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise RequestRefusal("where", f"{clipped(text)!r}", "a number", "For example dec_deg:min:0.")
    return number
