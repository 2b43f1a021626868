#!/usr/bin/env bash
# A row without a position lies at right ascension 0 and declination 0, where it is matched.
#
# Versions: astropy 8.0.2, pyarrow 26.0.1, pandas 3.1.1, scipy 1.17.1
# Behaviour: SkyCoord knows masks, and drops those of a Table's columns: positions are what lies below the mask. That is 0
#   for an empty cell of CSV and of ECSV, NaN of FITS and VOTable, and the number that was withdrawn of Parquet. At 0 a
#   source that is there finds it as its neighbour; NaN is refused. guess_from_table does the same. Columns of a QTable keep
#   their mask, and are matched by what lies below it all the same, at a distance that is masked: of A, which lies 0.4 deg
#   away, nothing is said.
# Expected: a masked SkyCoord of either table, whose masked positions are nobody's neighbour.
# Needs: python3 (3.11 or later) and PyPI; about a minute
# Seen:
#> Table  ascii.ecsv masked False below 0.0 0.0 nearest B 0.14 deg
#> Table  parquet    masked False below 0.2 0.1 nearest B 0.10 deg
#> Table  fits       masked False below nan nan ValueError
#> Table  votable    masked False below nan nan ValueError
#> QTable ascii.ecsv masked True below 0.0 0.0 nearest B ——— deg
#> QTable parquet    masked True below 0.2 0.1 nearest B ——— deg
#> QTable fits       masked True below nan nan ValueError
#> QTable votable    masked True below nan nan ValueError
#> CSV with an empty cell: 0.0 0.0 guess_from_table: 0.0 0.0
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check astropy==8.0.2 pyarrow==26.0.1 pandas==3.1.1 scipy==1.17.1 numpy==2.4.6
env/bin/python - >seen <<'PYTHON'
import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import MaskedColumn, QTable, Table

table = Table({"name": ["A", "B"]})
table["ra"] = MaskedColumn([0.5, 0.2], mask=[False, True], unit="deg")
table["dec"] = MaskedColumn([0.1, 0.1], mask=[False, True], unit="deg")
source = SkyCoord([0.1] * u.deg, [0.1] * u.deg)
for kind in (Table, QTable):
    for form in ("ascii.ecsv", "parquet", "fits", "votable"):
        table.write(f"table.{form}", format=form, overwrite=True)
        read = kind.read(f"table.{form}", format=form)
        sky = SkyCoord(read["ra"], read["dec"])
        bare = sky.unmasked if sky.masked else sky
        head = f"{kind.__name__:6} {form:10} masked {sky.masked} below {bare.ra.deg[1]} {bare.dec.deg[1]}"
        try:
            row, distance, _ = source.match_to_catalog_sky(sky)
            print(head, "nearest", read["name"][row[0]], f"{distance[0]:.2f}".strip())
        except ValueError as error:
            print(head, type(error).__name__)
read = Table.read("name,ra,dec\nA,0.5,0.1\nB,,\n", format="ascii.csv")
sky, guess = SkyCoord(read["ra"], read["dec"], unit="deg"), SkyCoord.guess_from_table(read, unit="deg")
print("CSV with an empty cell:", sky.ra.deg[1], sky.dec.deg[1], "guess_from_table:", guess.ra.deg[1], guess.dec.deg[1])
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
