#!/usr/bin/env bash
# A column of float32 that is read under a condition, such as beam == 5.4 or p >= 0.9, lacks the rows that hold just that.
#
# Versions: numpy 2.4.6, pandas 3.1.1, pyarrow 26.0.1
# Behaviour: pyarrow compares a column of float32 with a decimal number in float64, in which the two are not the same:
#   read_table(filters=...) and pandas' read_parquet(filters=...), which hands them on, find no row of beam 5.4 in a table
#   of beams 5.4. NumPy and pandas compare in float32 and find every row, as pandas does of its own columns; in columns
#   that pandas keeps in pyarrow's types (dtype_backend="pyarrow") it finds none again.
# Expected: a filter while reading keeps what the same condition keeps of the table when it is read.
# Needs: python3 (3.11 or later) and PyPI; about a minute
# Seen:
#> 3 rows: beam 5.4, 5.4, 6.0 and p 0.9, 0.95, 0.8, float32
#> numpy: beam == 5.4 keeps 2, p >= 0.9 keeps 2
#> pandas, read and then chosen: 2, 2
#> pandas, chosen in reading: 0, 1
#> pandas, dtype_backend pyarrow, read and then chosen: 0, 1
#> pyarrow, chosen in reading: 0, 1
#> pyarrow, with a decimal of float32: 2, 2
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check numpy==2.4.6 pandas==3.1.1 pyarrow==26.0.1
env/bin/python - >seen <<'PYTHON'
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

beam, p = np.array([5.4, 5.4, 6.0], np.float32), np.array([0.9, 0.95, 0.8], np.float32)
pq.write_table(pa.table({"beam": beam, "p": p}), "sources.parquet")
print(f"{len(beam)} rows: beam {', '.join(map(str, beam))} and p {', '.join(map(str, p))}, {beam.dtype}")
print(f"numpy: beam == 5.4 keeps {(beam == 5.4).sum()}, p >= 0.9 keeps {(p >= 0.9).sum()}")

CONDITIONS = ([("beam", "==", 5.4)], [("p", ">=", 0.9)])


def kept(name, *tables):
    print(f"{name}: {', '.join(str(len(table)) for table in tables)}")


def chosen(table):
    return table[table.beam == 5.4], table[table.p >= 0.9]


kept("pandas, read and then chosen", *chosen(pd.read_parquet("sources.parquet")))
kept("pandas, chosen in reading", *(pd.read_parquet("sources.parquet", filters=each) for each in CONDITIONS))
kept("pandas, dtype_backend pyarrow, read and then chosen", *chosen(pd.read_parquet("sources.parquet", dtype_backend="pyarrow")))
kept("pyarrow, chosen in reading", *(pq.read_table("sources.parquet", filters=each) for each in CONDITIONS))
exact = [[(name, how, pa.scalar(value, pa.float32()))] for [(name, how, value)] in CONDITIONS]
kept("pyarrow, with a decimal of float32", *(pq.read_table("sources.parquet", filters=each) for each in exact))
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
