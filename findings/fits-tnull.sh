#!/usr/bin/env bash
# Masking one row of an integer column erases the other rows that hold 63, or 999999.
#
# Versions: astropy 8.0.2
# Behaviour: a masked integer column is written with TNULL = its fill value, by default 999999, which in one byte is
#   63 and in two bytes 16959. Whether a row that is not masked holds that number is not looked at; it reads as masked
#   from then on. The VOTable writer keeps it.
# Expected: a null value that no row holds.
# Needs: python3 (3.11 or later) and PyPI; about a minute
# Seen:
#> uint8 written [62, 63, 64, None]
#> uint8 FITS    [62, None, 64, None]
#> uint8 VOTable [62, 63, 64, None]
#> int16 written [16958, 16959, 16960, None]
#> int16 FITS    [16958, None, 16960, None]
#> int16 VOTable [16958, 16959, 16960, None]
#> int32 written [999998, 999999, 1000000, None]
#> int32 FITS    [999998, None, 1000000, None]
#> int32 VOTable [999998, 999999, 1000000, None]
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check astropy==8.0.2 numpy==2.4.6
env/bin/python - >seen <<'PYTHON'
import numpy as np
from astropy.table import MaskedColumn, Table

for kind, numbers in (("uint8", [62, 63, 64, 0]), ("int16", [16958, 16959, 16960, 0]), ("int32", [999998, 999999, 1000000, 0])):
    table = Table({"n": MaskedColumn(np.array(numbers, kind), mask=[False, False, False, True])})
    table.write("n.fits", overwrite=True)
    table.write("n.vot", format="votable", overwrite=True)
    print(kind, "written", table["n"].tolist())
    print(kind, "FITS   ", Table.read("n.fits")["n"].tolist())
    print(kind, "VOTable", Table.read("n.vot")["n"].tolist())
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
