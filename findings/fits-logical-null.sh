#!/usr/bin/env bash
# No answer in a logical FITS column: astropy writes it as true, and reads the standard's own null as false.
#
# Versions: astropy 8.0.2, fitsio 1.4.2
# Behaviour: FITS writes an unknown logical as a byte of zero. astropy writes masked cells as T without a warning,
#   whatever lies below the mask. Given a byte of zero, astropy answers false, with a warning, and fitsio false
#   without one.
# Expected: a masked cell comes back masked.
# Needs: python3 (3.11 or later) and PyPI; about a minute
# Seen:
#> written true, none, false; astropy reads [True, True, False]
#> true, byte of zero, false; astropy reads [True, False, False]
#> true, byte of zero, false; fitsio reads  [True, False, False]
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check astropy==8.0.2 numpy==2.4.6 fitsio==1.4.2
env/bin/python - >seen <<'PYTHON'
from pathlib import Path

import fitsio
from astropy.io import fits
from astropy.table import MaskedColumn, Table

Table({"sure": MaskedColumn([True, False, False], mask=[False, True, False])}).write("sure.fits")
print("written true, none, false; astropy reads", Table.read("sure.fits")["sure"].tolist())

with fits.open("sure.fits") as file:
    first = file[1].fileinfo()["datLoc"]
content = bytearray(Path("sure.fits").read_bytes())
content[first + 1] = 0
Path("null.fits").write_bytes(content)
print("true, byte of zero, false; astropy reads", Table.read("null.fits")["sure"].tolist())
print("true, byte of zero, false; fitsio reads ", fitsio.read("null.fits")["sure"].astype(bool).tolist())
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
