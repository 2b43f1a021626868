#!/usr/bin/env bash
# Machine-readable tables that astropy writes put declinations between -1 and 0 degrees into the north.
#
# Versions: astropy 8.0.2, numpy 2.4.6
# Behaviour: Table.write(format="ascii.mrt") makes of a SkyCoord column the columns RAh to DEs that the AAS journals ask
#   for. The sign of a declination has a column of its own there, DE-, and it is a plus wherever the degrees are nought:
#   -0.51 degrees are written as +00 30 36. Of 100,000 sources spread over the sky 851 move by up to two degrees.
#   A SkyCoord in FK4 is written in the same columns, under the same descriptions, without a word on its equinox.
# Expected: a minus wherever the declination is below 0, which is what the column is for; an equinox, or a refusal.
# Needs: python3 (3.11 or later) and PyPI; about a minute
# Seen:
#> -1.51 degrees: - 1 30 36.0
#> -0.51 degrees: + 0 30 36.0
#>  0.51 degrees: + 0 30 36.0
#> the sign of 851 of 50098 southern declinations is lost
#> FK4 (B1950): RAh Right Ascension (hour); 1950 occurs 0 times in the file
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check astropy==8.0.2 numpy==2.4.6
env/bin/python - >seen <<'PYTHON'
import warnings
from pathlib import Path

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Table

warnings.simplefilter("ignore")


def written_and_read(dec, frame="icrs"):
    """A table of positions as it comes back."""
    names = [f"J{place:06d}" for place in range(len(dec))]
    table = Table({"Name": names, "position": SkyCoord(np.full(len(dec), 10.0), dec, unit="deg", frame=frame)})
    table.write("table.mrt", format="ascii.mrt", overwrite=True)
    return Table.read("table.mrt", format="ascii.mrt")


few = np.array([-1.51, -0.51, 0.51])
for dec, row in zip(few, written_and_read(few)):
    print(f"{dec:5.2f} degrees: {row['DE-']} {row['DEd']} {row['DEm']} {row['DEs']:.1f}")

sky = np.degrees(np.arcsin(np.random.default_rng(0).uniform(-1, 1, 100_000)))
signs = written_and_read(sky)["DE-"]
print(f"the sign of {np.sum((sky < 0) & (signs == '+'))} of {np.sum(sky < 0)} southern declinations is lost")

column = written_and_read(few, "fk4")["RAh"]
print(f"FK4 (B1950): {column.name} {column.description}; 1950 occurs {Path('table.mrt').read_text().count('1950')} times in the file")
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
