#!/usr/bin/env bash
# Tables with units are joined by their numbers: 150 MHz meets 150 GHz, and 1400 MHz does not meet 1.4 GHz.
#
# Versions: astropy 8.0.2
# Behaviour: join and setdiff compare the numbers of a key column and leave units out, without a warning where the columns
#   are quantities; the result has the unit of the second table. vstack and == of the same columns convert. Keys without
#   quantities (Table) are compared so too, with a warning about units.
# Expected: keys are equal where == says so, in the unit of either.
# Needs: python3 (3.11 or later) and PyPI; about a minute
# Seen:
#> join of 150, 1400 MHz with 1.4, 150 GHz: [('image a', 'beam d', '150.0 GHz')]
#> == says: ('image b', 'beam c')
#> setdiff leaves: ['image b']
#> vstack: [150.0, 1400.0, 1400.0, 150000.0] MHz
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check astropy==8.0.2 numpy==2.4.6
env/bin/python - >seen <<'PYTHON'
import warnings

import astropy.units as u
from astropy.table import QTable, join, setdiff, vstack

warnings.simplefilter("error")
images = QTable({"frequency": [150, 1400] * u.MHz, "image": ["image a", "image b"]})
beams = QTable({"frequency": [1.4, 150] * u.GHz, "beam": ["beam c", "beam d"]})
joined = join(images, beams, keys="frequency")
rows = [(str(row["image"]), str(row["beam"]), str(row["frequency"])) for row in joined]
print("join of 150, 1400 MHz with 1.4, 150 GHz:", rows)
for image in images:
    for beam in beams:
        if image["frequency"] == beam["frequency"]:
            print("== says:", (str(image["image"]), str(beam["beam"])))
print("setdiff leaves:", setdiff(images, beams, keys="frequency")["image"].tolist())
stacked = vstack([beams[["frequency"]], images[["frequency"]]][::-1])["frequency"].to(u.MHz)
print("vstack:", stacked.value.round(6).tolist(), stacked.unit)
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
