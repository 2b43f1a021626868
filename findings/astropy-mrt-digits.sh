#!/usr/bin/env bash
# One small number in a column takes the digits of all others in astropy's machine-readable tables.
#
# Versions: astropy 8.0.2, numpy 2.4.6
# Behaviour: Table.write(format="ascii.mrt") writes a column of decimals in scientific notation where one of them is below
#   1e-4 (or from 1e16 on), as Python's repr would, and all of them with the digits that those few have. A right
#   ascension of 180.12345678901 degrees beside one of 2.5e-05 is written as 1.8e+02. No word is said. CSV
#   of the same table keeps every digit. Without the small number the MRT has all digits too. Astropy's tracker notes that
#   "precision might" be dropped "in some cases" (issue 12130, open since 2021); its manual does not.
# Expected: every number as exact as it was, or at least as the most exact of the column.
# Needs: python3 (3.11 or later) and PyPI; about a minute
# Seen:
#> mrt, with 0.000025: 180.0 150.0
#> csv, with 0.000025: 180.12345678901 150.1234567
#> mrt, without it:    180.12345678901 150.1234567
#> digits of a flux density of 1234.5678 beside one of 0.00001: 1000.0
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check astropy==8.0.2 numpy==2.4.6
env/bin/python - >seen <<'PYTHON'
import warnings

from astropy.table import Table

warnings.simplefilter("ignore")
RA = [180.12345678901, 150.1234567]


def back(values, form):
    """The first two numbers of a column as they come back."""
    table = Table({"Name": ["a", "b", "c"][: len(values)], "value": values})
    table.write("table", format=form, overwrite=True)
    return " ".join(str(value) for value in Table.read("table", format=form)["value"].tolist()[:2])


print("mrt, with 0.000025:", back([*RA, 2.5e-5], "ascii.mrt"))
print("csv, with 0.000025:", back([*RA, 2.5e-5], "ascii.csv"))
print("mrt, without it:   ", back(RA, "ascii.mrt"))
print("digits of a flux density of 1234.5678 beside one of 0.00001:", back([1234.5678, 1e-5], "ascii.mrt").split()[0])
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
