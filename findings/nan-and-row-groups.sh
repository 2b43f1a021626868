#!/usr/bin/env bash
# How many rows of a Parquet file lie above 0.9 depends on how it was cut into row groups.
#
# Versions: duckdb 2.0.1, pyarrow 26.0.1
# Behaviour: statistics of a row group leave NaN out, and both engines decide by them whole groups at a time. In
#   DuckDB NaN is greater than every number, so the row counts as above 0.9, unless its group is skipped; isnan() is
#   decided the same way. In pyarrow NaN is above nothing, yet count_rows() counts every row of a group whose least
#   and greatest number lie above.
# Expected: the same count however the file was cut, and in pyarrow as many rows counted as are read.
# Needs: python3 (3.11 or later) and PyPI; about a minute
# Seen:
#> groups of 4: duckdb 2 above, 0 NaN; pyarrow counts 1 and reads 1
#> groups of 3: duckdb 1 above, 0 NaN; pyarrow counts 1 and reads 1
#> groups of 2: duckdb 2 above, 0 NaN; pyarrow counts 2 and reads 1
#> groups of 1: duckdb 2 above, 1 NaN; pyarrow counts 1 and reads 1
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check duckdb==2.0.1 pyarrow==26.0.1
env/bin/python - >seen <<'PYTHON'
import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

above = ds.field("p") > 0.9
for rows in (4, 3, 2, 1):
    pq.write_table(pa.table({"p": [0.1, 0.2, float("nan"), 0.95]}), "p.parquet", row_group_size=rows)
    ((greater,),) = duckdb.sql("select count(*) from 'p.parquet' where p > 0.9").fetchall()
    ((nans,),) = duckdb.sql("select count(*) from 'p.parquet' where isnan(p)").fetchall()
    table = ds.dataset("p.parquet")
    counted, read = table.count_rows(filter=above), table.to_table(filter=above).num_rows
    print(f"groups of {rows}: duckdb {greater} above, {nans} NaN; pyarrow counts {counted} and reads {read}")
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
