#!/usr/bin/env bash
# hats-import cannot import the files of a catalogue that it wrote: it adds its index a second time and then sorts by it.
#
# Versions: hats-import 0.11.1, hats 0.11.1, pyarrow 26.0.1
# Behaviour: a HATS catalogue's Parquet files hold the column _healpix_29. Given as files to import by right ascension and
#   declination, as anyone does who has added columns to a catalogue and partitions it anew, they are mapped and split, and
#   the last stage ends in ArrowInvalid, since the column is there twice. use_healpix_29=True and add_healpix_29=False work.
# Expected: the index is made anew, or the column is refused before the work.
# Needs: python3 (3.11 or later) and PyPI; some minutes
# Seen:
#> a table: _healpix_29, id, ra, dec
#> the file of that, by its positions: ArrowInvalid, Multiple matches for FieldRef.Name(_healpix_29)
#> the same without the column: _healpix_29, id, ra, dec
#> the same with use_healpix_29=True: _healpix_29, id, ra, dec
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check hats-import==0.11.1 hats==0.11.1 pyarrow==26.0.1
cat >import.py <<'PYTHON'
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from hats_import.catalog.arguments import ImportArguments
from hats_import.pipeline import pipeline


def imported(file, name, **more):
    where = {"output_path": name, "output_artifact_name": name, "dask_tmp": ".", "tmp_dir": f"{name}-work"}
    try:
        pipeline(ImportArguments(input_file_list=[file], file_reader="parquet", progress_bar=False, **where, **more))
    except pa.ArrowInvalid as error:
        return None, f"ArrowInvalid, {re.search(r'Multiple matches for FieldRef.Name.*?[)]', str(error))[0]}"
    (made,) = Path(name).rglob("Npix=*.parquet")
    return made, ", ".join(pq.read_schema(made).names)


def main():
    table = pa.table({"id": ["a", "b"], "ra": [150.0, 151.0], "dec": [30.0, 31.0]})
    pq.write_table(table, "table.parquet")
    file, words = imported("table.parquet", "once")
    print(f"a table: {words}")
    print(f"the file of that, by its positions: {imported(file, 'again')[1]}")
    pq.write_table(pq.ParquetFile(file).read().drop_columns("_healpix_29"), "without.parquet")
    print(f"the same without the column: {imported('without.parquet', 'without')[1]}")
    print(f"the same with use_healpix_29=True: {imported(file, 'index', use_healpix_29=True)[1]}")


if __name__ == "__main__":
    main()
PYTHON
env/bin/python import.py >all 2>errors || { cat errors >&2; exit 1; }
grep -E '^(a table|the (file|same))' all >seen
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
