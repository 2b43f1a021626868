#!/usr/bin/env bash
# A string that was masked comes back readable from a VOTable in BINARY2.
#
# Versions: astropy 8.0.2
# Behaviour: the writer sets the row's null bit and writes the string that lay below the mask as well; the reader
#   masks numbers by that bit, and strings not. TABLEDATA and BINARY give an empty string that is not masked either.
# Expected: a masked cell, or an empty one, in all three.
# Needs: python3 (3.11 or later) and PyPI; about a minute
# Seen:
#> tabledata ['FRI', ''] [0.9, None]
#> binary ['FRI', ''] [0.9, None]
#> binary2 ['FRI', 'FRII'] [0.9, None]
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check astropy==8.0.2 numpy==2.4.6
env/bin/python - >seen <<'PYTHON'
import warnings

from astropy.table import MaskedColumn, Table

warnings.simplefilter("ignore")
columns = {"label": MaskedColumn(["FRI", "FRII"], mask=[False, True]), "p": MaskedColumn([0.9, 0.6], mask=[False, True])}
for form in ("tabledata", "binary", "binary2"):
    Table(columns).write("label.vot", format="votable", tabledata_format=form, overwrite=True)
    read = Table.read("label.vot")
    print(form, read["label"].tolist(), read["p"].tolist())
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
