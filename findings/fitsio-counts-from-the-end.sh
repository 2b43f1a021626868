#!/usr/bin/env bash
# Slices of fitsio that count from the end: table[:-2] is every row, column[-2:] the last one alone, image[-3:-1] three rows.
#
# Versions: fitsio 1.4.2, astropy 8.0.2
# Behaviour: the negative end of a table's slice lies beyond what was meant, and :-2 is no end at all; a column's slice begins
#   a row too far on; an image's counts its negative end in, and is larger by a row and a column. [::-1] is nothing at all in
#   each of them. An image whose end lies before its start is read backwards, which is fitsio's stated way to flip it, also
#   where the start is negative and NumPy's slice is empty. No warning; what counts from the front is right.
# Expected: NumPy's slices of the same array, or a refusal, as one of these is.
# Needs: python3 (3.11 or later) and PyPI; about a minute
# Seen:
#> [1:4]   NumPy [1, 2, 3] table [1, 2, 3] column [1, 2, 3]
#> [:-2]   NumPy [0, 1, 2, 3] table [0, 1, 2, 3, 4, 5] column refused
#> [-2:]   NumPy [4, 5] table [4, 5] column [5]
#> [-3:-1] NumPy [3, 4] table [3, 4, 5] column [4, 5]
#> [::-1]  NumPy [5, 4, 3, 2, 1, 0] table [] column []
#> [1:3, 1:3]     NumPy (2, 2) image (2, 2)
#> [-3:-1, -3:-1] NumPy (2, 2) image (3, 3)
#> [-2:2, 0:3]    NumPy (0, 3) image (2, 3)
#> [::-1, :]      NumPy (4, 5) image (0,)
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
from astropy.io import fits
from astropy.table import Table

warnings.simplefilter("error")
image = np.arange(20, dtype="f4").reshape(4, 5)
fits.writeto("image.fits", image)
Table({"id": np.arange(6), "flux": np.arange(6.0)}).write("table.fits")


def rows(take):
    try:
        return take().tolist()
    except ValueError:
        return "refused"


with fitsio.FITS("table.fits") as file:
    table, ids = file[1], file[1].read()["id"]
    cuts = ("[1:4]", np.s_[1:4]), ("[:-2]", np.s_[:-2]), ("[-2:]", np.s_[-2:]), ("[-3:-1]", np.s_[-3:-1]), ("[::-1]", np.s_[::-1])
    for name, cut in cuts:
        whole, column = rows(lambda: table[cut]["id"]), rows(lambda: table["id"][cut])
        print(f"{name:7} NumPy {ids[cut].tolist()} table {whole} column {column}")
with fitsio.FITS("image.fits") as file:
    for name, cut in (
        ("[1:3, 1:3]", np.s_[1:3, 1:3]),
        ("[-3:-1, -3:-1]", np.s_[-3:-1, -3:-1]),
        ("[-2:2, 0:3]", np.s_[-2:2, 0:3]),
        ("[::-1, :]", np.s_[::-1, :]),
    ):
        print(f"{name:14} NumPy {image[cut].shape} image {file[0][cut].shape}")
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
