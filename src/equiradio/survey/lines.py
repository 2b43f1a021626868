"""Catalogues in lines of text, CSV and TSV, as people, PyBDSF and VizieR write them, to Arrow tables."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import pyarrow as pa

from equiradio.artefacts.csv_columns import read_csv
from equiradio.datasets.imports.compressed import opened, suffix_of
from equiradio.datasets.imports.described import END, units_below
from equiradio.datasets.imports.mixins import MARKS


def read_lines(path: Path, names: Sequence[str]) -> pa.Table:
    """All rows and columns; ``names`` are columns that hold names, see `read_csv`.

    Lines that begin with # come before the heading; PyBDSF has the heading itself behind such a mark. VizieR has a line of units below the
    heading, and one of dashes below that. Of commas, semicolons, tabs and bars the one that the heading has most of stands between columns;
    in a TSV, tabs.
    """
    from pyarrow import csv

    remark, skipped, first = "", 0, [""]
    with opened(path, "rt", encoding="utf-8-sig") as file:
        for line in file:
            if not line.strip() or line.startswith("#"):
                skipped, remark = skipped + 1, line if line.startswith("#") else remark
                continue
            first = [line, *islice(file, 2)]
            break
    mark = "\t" if suffix_of(path) == ".tsv" else max(MARKS, key=first[0].count)
    rows = [line.rstrip("\r\n").split(mark) for line in first]
    heading = [cell.strip() for cell in remark.lstrip("# ").strip().split(mark)]
    named = heading if _is_number(rows[0][0]) and len(heading) == len(rows[0]) > 1 else None
    units = units_below(*rows) if len(rows) == 3 and named is None else None
    reading = csv.ReadOptions(skip_rows=skipped, column_names=named, skip_rows_after_names=2 if units else 0)
    last = lambda row: "skip" if row.text.strip() == END else "error"
    table = read_csv(path, names, reading, csv.ParseOptions(delimiter=mark, newlines_in_values=True, invalid_row_handler=last))
    fields = [field.with_name(field.name.strip()) for field in table.schema]
    if units:
        fields = [field.with_metadata({"unit": unit}) if unit else field for field, unit in zip(fields, units, strict=True)]
    return pa.table(table.columns, schema=pa.schema(fields))


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
