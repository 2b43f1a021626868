#!/usr/bin/env bash
# hats-import puts a row without right ascension on the sky, where LSDB refuses the same table.
#
# Versions: hats-import 0.11.1, hats 0.11.1, lsdb 0.11.1, cdshealpix 0.9.0, pyarrow 26.0.1
# Behaviour: a row whose right ascension is null or NaN is given a HEALPix number like any other (4 * 4**29, the first of
#   base pixel 4, about right ascension 0) and a partition of its own there, without a word in the log; the catalogue's map
#   of the sky covers that place. lsdb.from_dataframe, of the same project, refuses the table.
# Expected: a refusal, or rows left out with their number in the log.
# Needs: python3 (3.11 or later) and PyPI; some minutes
# Seen:
#> null: imported as {'id': 'lost', 'ra': None, 'dec': 30.0} in Npix=16, first of base pixel 4: True
#> null: lsdb refuses (NaN values found in ra/dec columns)
#> NaN: imported as {'id': 'lost', 'ra': nan, 'dec': 30.0} in Npix=16, first of base pixel 4: True
#> NaN: lsdb refuses (NaN values found in ra/dec columns)
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check hats-import==0.11.1 hats==0.11.1 lsdb==0.11.1 cdshealpix==0.9.0 pyarrow==26.0.1
cat >import.py <<'PYTHON'
import math
from pathlib import Path

import lsdb
import pyarrow as pa
import pyarrow.parquet as pq
from hats_import.catalog.arguments import ImportArguments
from hats_import.pipeline import pipeline

FIRST = 4 * 4**29  # of base pixel 4, in the numbers of order 29


def main():
    for name, ra in (("null", None), ("NaN", math.nan)):
        table = pa.table({"id": ["somewhere", "lost"], "ra": pa.array([150.0, ra], pa.float64()), "dec": [30.0, 30.0]})
        pq.write_table(table, f"{name}.parquet")
        where = {"output_path": f"{name}-hats", "output_artifact_name": "sky", "dask_tmp": "."}
        pipeline(ImportArguments(input_file_list=[f"{name}.parquet"], file_reader="parquet", progress_bar=False, **where))
        for file in Path(f"{name}-hats").rglob("Npix=*.parquet"):
            for row in pq.ParquetFile(file).read().to_pylist():
                number = row.pop("_healpix_29")
                if row["id"] == "lost":
                    print(f"{name}: imported as {row} in {file.stem}, first of base pixel 4: {number == FIRST}")
        try:
            lsdb.from_dataframe(table.to_pandas())
        except ValueError as error:
            print(f"{name}: lsdb refuses ({error})")


if __name__ == "__main__":
    main()
PYTHON
env/bin/python import.py >seen 2>errors || { cat errors >&2; exit 1; }
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
