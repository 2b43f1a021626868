#!/usr/bin/env bash
# fitsio takes a mask of rows for row numbers: of ten sources it answers the first two, five times over.
#
# Versions: fitsio 1.4.2, astropy 8.0.2
# Behaviour: True is row 1 and False row 0, for indices of a table, of a column and for rows=, without a warning, and there are
#   as many rows as the mask is long: numbers of sources fit, whatever is computed of them. Row numbers are right in any
#   order. The same mask on the array that was read is NumPy's, and takes the rows that were meant.
# Expected: the rows where the mask is true, as of NumPy, or a refusal.
# Needs: python3 (3.11 or later) and PyPI; about a minute
# Seen:
#> NumPy, array[mask]         [1, 3, 5, 7, 9] ['FRII']
#> table[mask]                [0, 1, 0, 1, 0, 1, 0, 1, 0, 1] ['FRI', 'FRII']
#> table['id', 'label'][mask] [0, 1, 0, 1, 0, 1, 0, 1, 0, 1] ['FRI', 'FRII']
#> table.read(rows=mask)      [0, 1, 0, 1, 0, 1, 0, 1, 0, 1] ['FRI', 'FRII']
#> table[mask.nonzero()[0]]   [1, 3, 5, 7, 9] ['FRII']
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check fitsio==1.4.2 astropy==8.0.2 numpy==2.4.6
env/bin/python - >seen <<'PYTHON'
import warnings

import fitsio
import numpy as np
from astropy.table import Table

Table({"id": np.arange(10), "label": ["FRI", "FRII"] * 5}).write("table.fits")
with fitsio.FITS("table.fits") as file, warnings.catch_warnings():
    warnings.simplefilter("error")
    table = file[1]
    array = table.read()
    mask = array["label"] == "FRII"
    for name, rows in (
        ("NumPy, array[mask]", array[mask]),
        ("table[mask]", table[mask]),
        ("table['id', 'label'][mask]", table["id", "label"][mask]),
        ("table.read(rows=mask)", table.read(rows=mask)),
        ("table[mask.nonzero()[0]]", table[mask.nonzero()[0]]),
    ):
        print(f"{name:26} {rows['id'].tolist()} {sorted(set(rows['label'].tolist()))}")
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
