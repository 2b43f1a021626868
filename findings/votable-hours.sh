#!/usr/bin/env bash
# Hours in a VOTable come back as a unit of fifteen degrees, with the numbers of the hours.
#
# Versions: astropy 8.0.2, numpy 2.4.6
# Behaviour: a column of right ascension in hours is written without a warning; VOTable has no word for hours, so its unit
#   is written as 15deg. Read back, the unit is "15 deg": right for whoever converts, and none of the names of hours for
#   whoever compares words. The FITS writer refuses the same column.
# Expected: hourangle again, or a refusal as of FITS.
# Needs: python3 (3.11 or later) and PyPI; about a minute
# Seen:
#> written as unit="15deg"
#> read as 15 deg 1.5
#> equal to hourangle: True, called so: False
#> fits: UnitScaleError
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check astropy==8.0.2 numpy==2.4.6
env/bin/python - >seen <<'PYTHON'
import re
import warnings

import astropy.units as u
from astropy.table import Table

table = Table({"ra": [1.5]})
table["ra"].unit = u.hourangle
with warnings.catch_warnings():
    warnings.simplefilter("error")
    table.write("a.vot", format="votable")
print("written as", re.search(r'unit="[^"]*"', open("a.vot").read())[0])
back = Table.read("a.vot")["ra"]
print("read as", back.unit, back[0])
print(f"equal to hourangle: {back.unit == u.hourangle}, called so: {str(back.unit) in ('hourangle', 'h')}")
try:
    table.write("a.fits")
except u.UnitsError as error:
    print("fits:", type(error).__name__)
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
