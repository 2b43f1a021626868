#!/usr/bin/env bash
# The first number or list that pyarrow is given imports pandas, where that is installed.
#
# Versions: pyarrow 26.0.1, pandas 3.1.1, numpy 2.4.6
# Behaviour: pyarrow.array of a list, Table.from_pylist and even pyarrow.scalar of a number ask whether they were given
#   something of pandas, and import it to find out, whatever type is named and from_pandas=False too; so do the import of
#   pyarrow.dataset alone and read_table. That is some 0.3 s of a command that writes one row. Importing pyarrow, making a
#   schema or nulls, and ParquetFile do not.
# Expected: pandas is looked for among the modules that are there; who has imported none cannot give anything of it.
# Needs: python3 (3.11 or later) and PyPI
# Seen:
#> import pyarrow, pyarrow.compute, pyarrow.parquet: no pandas
#> pa.schema([('a', pa.int64())]): no pandas
#> pa.nulls(3): no pandas
#> pq.ParquetFile('a.parquet').read(): no pandas
#> pa.scalar(1): imports pandas
#> pa.array([1], pa.int64(), from_pandas=False): imports pandas
#> pa.Table.from_pylist([{'a': 1}]): imports pandas
#> pq.read_table('a.parquet'): imports pandas
#> import pyarrow.dataset: imports pandas
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check pyarrow==26.0.1 pandas==3.1.1 numpy==2.4.6
cat >see.py <<'PYTHON'
import subprocess
import sys

BEGIN = "import sys\nimport pyarrow as pa\nimport pyarrow.compute\nimport pyarrow.parquet as pq\n"
END = "\nprint('imports pandas' if 'pandas' in sys.modules else 'no pandas')"
subprocess.run([sys.executable, "-c", BEGIN + "pq.write_table(pa.table({'a': [1]}), 'a.parquet')"], check=True)
for code in (
    "",
    "pa.schema([('a', pa.int64())])",
    "pa.nulls(3)",
    "pq.ParquetFile('a.parquet').read()",
    "pa.scalar(1)",
    "pa.array([1], pa.int64(), from_pandas=False)",
    "pa.Table.from_pylist([{'a': 1}])",
    "pq.read_table('a.parquet')",
    "import pyarrow.dataset",
):
    done = subprocess.run([sys.executable, "-c", BEGIN + code + END], check=True, capture_output=True, text=True)
    print(f"{code or 'import pyarrow, pyarrow.compute, pyarrow.parquet'}: {done.stdout.strip()}")
PYTHON
env/bin/python see.py | tee seen
diff <(sed -n 's/^#> //p' "$script") seen
