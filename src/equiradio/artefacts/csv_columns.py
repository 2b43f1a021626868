"""CSV, which has no types, to Arrow: columns of numbers and truths where that loses no digit of any word, else the words as they are."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

# what stands for a missing number, as pyarrow and pandas have it
MISSING = [
    "",
    "nan",
    "null",
    "#N/A",
    "#N/A N/A",
    "#NA",
    "-1.#IND",
    "-1.#QNAN",
    "-NaN",
    "-nan",
    "1.#IND",
    "1.#QNAN",
    "N/A",
    "NA",
    "NULL",
    "NaN",
    "n/a",
]
TRUTHS = ("true", "True", "TRUE", "false", "False", "FALSE")
CODE = r"^[-+]?0[0-9]+$"  # a whole number with zeros before it
LONG = r"^[-+]?[0-9]{16,}(\.0*)?$"  # one that a double may not hold
FINITE = r"^[-+]?[.0-9]"


def read_csv(
    path: Path, names: Sequence[str] = (), reading: csv.ReadOptions | None = None, marks: csv.ParseOptions | None = None
) -> pa.Table:
    """All rows and columns of a CSV file.

    A column is of whole numbers, truths or numbers where every word of it is one and none changes: one with ``007`` or with whole numbers
    that a double does not hold is text, and so are days and times. Cells that are empty, and among numbers and truths words such as NA, are
    null.

    Parameters
    ----------
    names : columns, letters' case aside, that hold names: text unless all are whole numbers, written as these are.
    reading, marks : as pyarrow takes them.
    """
    with csv.open_csv(path, reading, marks) as heading:
        columns = heading.schema.names
    texts = csv.ConvertOptions(column_types=dict.fromkeys(columns, pa.string()))
    table, small = csv.read_csv(path, reading, marks, texts), {name.lower() for name in names}
    for place, name in enumerate(table.column_names):
        words = table.column(place)
        words = pc.if_else(pc.equal(words, ""), pa.scalar(None, pa.string()), words)
        table = table.set_column(place, name, _names(words) if name.strip().lower() in small else _typed(words))
    return table


def _names(words: pa.ChunkedArray) -> pa.ChunkedArray:
    whole = _whole_numbers(words)
    return words if whole is None else whole


def _typed(words: pa.ChunkedArray) -> pa.ChunkedArray:
    """Words as whole numbers, truths or numbers, or as they are."""
    bare = pc.utf8_trim_whitespace(words)
    bare = pc.if_else(pc.is_in(bare, pa.array(MISSING)), pa.scalar(None, pa.string()), bare)
    if bare.null_count == len(bare):
        return pa.chunked_array([pa.nulls(len(bare))])
    made = (make(bare) for make in (_whole_numbers, _truths, _numbers))
    return next((column for column in made if column is not None), words)


def _whole_numbers(words: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Words as whole numbers of 64 bits, with or without a sign, where each is written as it was; else None."""
    for kind in (pa.int64(), pa.uint64()):
        try:
            numbers = words.cast(kind)
        except pa.ArrowInvalid:
            continue
        return numbers if numbers.cast(pa.string()).equals(words) else None
    return None


def _truths(words: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Words as truths, where each is one; else None."""
    if not pc.all(pc.is_in(words, pa.array([*TRUTHS, None]))).as_py():
        return None
    return pc.if_else(pc.is_null(words), pa.scalar(None, pa.bool_()), pc.equal(pc.utf8_lower(words), "true"))


def _numbers(words: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Words as doubles, where each is a number and no whole one loses a digit; else None."""
    if pc.any(pc.match_substring_regex(words, CODE)).as_py():
        return None
    try:
        numbers = pc.replace_substring(words, "Infinity", "inf").cast(pa.float64())  # as Java writes it
    except pa.ArrowInvalid:
        return None
    beyond = pc.and_(pc.is_inf(numbers), pc.match_substring_regex(words, FINITE))
    long = pc.fill_null(pc.match_substring_regex(words, LONG), False)
    whole = zip(words.filter(long).to_pylist(), numbers.filter(long).to_pylist(), strict=True)
    lost = pc.any(beyond).as_py() or any(Decimal(word) != Decimal(repr(number)) for word, number in whole)
    return None if lost else numbers
