#!/usr/bin/env bash
# A column of int8 becomes true and false in a FITS table.
#
# Versions: astropy 8.0.2, fitsio 1.4.2
# Behaviour: FITS tables have no signed byte. astropy writes int8 as logical (TFORM L) without a warning, so -1, 1 and
#   2 are one and the same afterwards. fitsio writes bytes with TZERO = -128 and keeps the numbers.
# Expected: the numbers, by TZERO as for unsigned integers or as 16-bit integers, or a refusal.
# Needs: python3 (3.11 or later) and PyPI; about a minute
# Seen:
#> astropy wrote and reads [True, False, True, True]
#> fitsio wrote and reads  [-1, 0, 1, 2]
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check astropy==8.0.2 numpy==2.4.6 fitsio==1.4.2
env/bin/python - >seen <<'PYTHON'
import fitsio
import numpy as np
from astropy.table import Table

label = np.array([-1, 0, 1, 2], np.int8)
Table({"label": label}).write("astropy.fits")
print("astropy wrote and reads", Table.read("astropy.fits")["label"].tolist())
fitsio.write("fitsio.fits", np.array(label, dtype=[("label", "i1")]))
print("fitsio wrote and reads ", fitsio.read("fitsio.fits")["label"].tolist())
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
