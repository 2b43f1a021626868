#!/usr/bin/env bash
# A cut on a masked column keeps masked rows, and whether it does depends on the file format.
#
# Versions: astropy 8.0.2
# Behaviour: table[table['n'] > 5] takes masked rows by the number that lies below the mask. From FITS that is TNULL
#   (999999: kept), from VOTable 0 (not kept), of floating-point columns NaN (not kept). (table['n'] >
#   5).filled(False) is the cut that was meant.
# Expected: one row, 9, from every file: nothing is known of the masked row.
# Needs: python3 (3.11 or later) and PyPI; about a minute
# Seen:
#> int32 fits cut [None, 9] filled [9]
#> int32 votable cut [9] filled [9]
#> float64 fits cut [9.0] filled [9.0]
#> float64 votable cut [9.0] filled [9.0]
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

for kind in ("int32", "float64"):
    table = Table({"n": MaskedColumn(np.array([1, 7, 9], kind), mask=[False, True, False])})
    for form, name in (("fits", "n.fits"), ("votable", "n.vot")):
        table.write(name, format=form, overwrite=True)
        read = Table.read(name)
        print(kind, form, "cut", read[read["n"] > 5]["n"].tolist(), "filled", read[(read["n"] > 5).filled(False)]["n"].tolist())
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
