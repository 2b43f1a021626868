#!/usr/bin/env bash
# One CSV column with a cell 'nan' has three types in three readers, and NaN is another word than nan.
#
# Versions: polars 2.1.0, pyarrow 26.0.1, duckdb 2.0.1
# Behaviour: polars takes 'NaN' for a number and 'nan', which Python prints, for text: the whole column becomes text.
#   pyarrow takes both for null. DuckDB takes both for the number NaN.
# Expected: a column of floating-point numbers with one NaN, in all three.
# Needs: python3 (3.11 or later) and PyPI; about a minute
# Seen:
#> nan polars  ['0.5', 'nan']
#> nan pyarrow [0.5, None]
#> nan duckdb  [0.5, nan]
#> NaN polars  [0.5, nan]
#> NaN pyarrow [0.5, None]
#> NaN duckdb  [0.5, nan]
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check polars==2.1.0 pyarrow==26.0.1 duckdb==2.0.1
env/bin/python - >seen <<'PYTHON'
from pathlib import Path

import duckdb
import polars
import pyarrow.csv

for word in ("nan", "NaN"):
    Path("p.csv").write_text(f"name,p\nJ1,0.5\nJ2,{word}\n")
    print(word, "polars ", polars.read_csv("p.csv")["p"].to_list())
    print(word, "pyarrow", pyarrow.csv.read_csv("p.csv")["p"].to_pylist())
    print(word, "duckdb ", [row[0] for row in duckdb.sql("select p from 'p.csv'").fetchall()])
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
