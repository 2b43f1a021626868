#!/usr/bin/env bash
# Masked cells of a table that astropy writes to Parquet are ordinary values to every other reader.
#
# Versions: astropy 8.0.2, pyarrow 26.0.1, pandas 3.1.1, DuckDB 2.0.1, numpy 2.4.6
# Behaviour: Parquet has nulls, and astropy does not use them: a masked column becomes two, the values as they lie below
#   the mask, and NAME.mask; a line of YAML in the metadata says that they belong together, which astropy alone reads.
#   Sums, means and matches of others go by what was masked, text that was masked can be read, and no null is counted.
# Expected: null.
# Needs: python3 (3.11 or later) and PyPI; about a minute
# Seen:
#> astropy  [0.5, None] ['J1000+3000', None] mean 0.5
#> pyarrow  [0.5, 9.9] ['J1000+3000', 'withdrawn'] null_count 0
#> pandas   ['z', 'z.mask', 'name', 'name.mask'] mean 5.2
#> DuckDB   avg 5.2
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check astropy==8.0.2 pyarrow==26.0.1 pandas==3.1.1 duckdb==2.0.1 numpy==2.4.6
env/bin/python - >seen <<'PYTHON'
import duckdb
import pandas
import pyarrow.parquet as pq
from astropy.table import MaskedColumn, Table

table = Table()
table["z"] = MaskedColumn([0.5, 9.9], mask=[False, True])
table["name"] = MaskedColumn(["J1000+3000", "withdrawn"], mask=[False, True])
table.write("sources.parquet")

back = Table.read("sources.parquet")
print("astropy ", back["z"].tolist(), back["name"].tolist(), "mean", back["z"].mean())
plain = pq.read_table("sources.parquet")
print("pyarrow ", plain["z"].to_pylist(), plain["name"].to_pylist(), "null_count", plain["z"].null_count)
frame = pandas.read_parquet("sources.parquet")
print("pandas  ", frame.columns.tolist(), "mean", frame["z"].mean())
print("DuckDB   avg", duckdb.sql("select avg(z) from 'sources.parquet'").fetchall()[0][0])
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
