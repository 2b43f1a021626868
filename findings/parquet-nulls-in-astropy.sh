#!/usr/bin/env bash
# One null among the numbers of sources rounds all the others where astropy reads Parquet.
#
# Versions: astropy 8.0.2, pandas 3.1.1, pyarrow 26.0.1, narwhals 2.29.0, numpy 2.4.6
# Behaviour: a column of whole numbers in which one is null comes as float64: numbers above 2**53, such as HEALPix of order
#   29 and those of Gaia, become neighbours of themselves, two of them one. No mask is set; nulls are NaN, those of
#   logicals None in a column of objects, and a null among texts ends the reading with a TypeError. The table that
#   astropy's own VOParquet writes, with a null in its place, comes back so too.
# Expected: int64 with a mask, as Table.from_df(pyarrow.parquet.read_table(...)) gives it.
# Needs: python3 (3.11 or later) and PyPI; about a minute
# Seen:
#> written  [1152921504606846977, 1152921504606846979, None]
#> read     float64 Column [1152921504606846976, 1152921504606846976, nan]
#> from_df  int64 MaskedColumn [1152921504606846977, 1152921504606846979, None]
#> VOParquet, written by astropy: stored as int64 with 1 null, read as float64 [1152921504606846976, 1152921504606846976, nan]
#> logicals object [True, False, None]
#> texts    TypeError
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check astropy==8.0.2 pandas==3.1.1 pyarrow==26.0.1 narwhals==2.29.0 numpy==2.4.6
env/bin/python - >seen <<'PYTHON'
import warnings

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from astropy.table import MaskedColumn, Table

warnings.simplefilter("ignore")
NUMBERS = [2**60 + 1, 2**60 + 3, None]
pq.write_table(pa.table({"id": pa.array(NUMBERS, pa.int64())}), "a.parquet")
print("written ", NUMBERS)


def whole(column):
    return [int(value) if value is not None and np.isfinite(value) else value for value in column.tolist()]


read = Table.read("a.parquet")["id"]
print("read    ", read.dtype, type(read).__name__, whole(read))
frame = Table.from_df(pq.read_table("a.parquet"))["id"]
print("from_df ", frame.dtype, type(frame).__name__, frame.tolist())

masked = Table({"id": MaskedColumn([2**60 + 1, 2**60 + 3, 0], mask=[False, False, True])})
masked.write("b.parquet", format="parquet.votable", metadata={"id": {"unit": "", "ucd": "meta.id", "utype": ""}})
stored = pq.read_table("b.parquet")["id"]
read = Table.read("b.parquet", format="parquet.votable")["id"]
print(f"VOParquet, written by astropy: stored as {stored.type} with {stored.null_count} null, read as {read.dtype}", whole(read))

pq.write_table(pa.table({"compact": [True, False, None]}), "c.parquet")
read = Table.read("c.parquet")["compact"]
print("logicals", read.dtype, read.tolist())
pq.write_table(pa.table({"label": ["FRI", "FRII", None]}), "d.parquet")
try:
    Table.read("d.parquet")
except TypeError as error:
    print("texts   ", type(error).__name__)
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
