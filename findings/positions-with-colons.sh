#!/usr/bin/env bash
# One position with colons is three places on the sky.
#
# Versions: astropy 8.0.2, astroquery 0.4.11, python-casacore 3.8.1, regions 0.12, numpy 2.4.6
# Behaviour: of "10:00:30 +02:12:00" regions takes the first part for hours and the second for degrees; SkyCoord asks for
#   units. astroquery's parse_coordinates, through which each of its queries takes strings, falls back to degrees for
#   both, with a warning, and so for names such as J100030.2+021200, of which no name server is asked. casacore takes
#   what has colons for hours wherever it stands: declinations are 15 times too large; its degrees are "+02.12.00".
# Expected: hours and degrees, or a refusal.
# Needs: python3 (3.11 or later) and PyPI; about two minutes
# Seen:
#> regions    150.125  2.200
#> astropy    UnitsError
#> astroquery  10.008  2.200
#> its name    10.008  2.200
#> casacore   150.125 33.000
#> with dots  150.125  2.200
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check astropy==8.0.2 astroquery==0.4.11 python-casacore==3.8.1 regions==0.12 numpy==2.4.6
env/bin/python - >seen <<'PYTHON'
import warnings

import numpy as np
from astropy.coordinates import SkyCoord
from astroquery.utils import parse_coordinates
from casacore.measures import measures
from regions import Regions

warnings.simplefilter("ignore")
RA, DEC = "10:00:30", "+02:12:00"


def line(name, ra, dec):
    print(f"{name:10} {ra:7.3f} {dec:6.3f}")


def by_casacore(dec):
    place = measures().direction("J2000", RA, dec)
    return [np.degrees(place[part]["value"]) for part in ("m0", "m1")]


region = Regions.parse(f'icrs\ncircle({RA},{DEC},1")', format="ds9")[0].center
line("regions", region.ra.deg, region.dec.deg)
try:
    SkyCoord(f"{RA} {DEC}")
except ValueError as error:
    print("astropy   ", type(error.__context__).__name__)
for name, text in (("astroquery", f"{RA} {DEC}"), ("its name", "J100030.2+021200")):
    place = parse_coordinates(text)
    line(name, place.ra.deg, place.dec.deg)
line("casacore", *by_casacore(DEC))
line("with dots", *by_casacore("+02.12.00"))
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
