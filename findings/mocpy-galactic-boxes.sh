#!/usr/bin/env bash
# Boxes and ellipses of a galactic region file are turned to equatorial north on their way to a MOC.
#
# Versions: mocpy 0.21.0, regions 0.12, astropy 8.0.2, numpy 2.4.6
# Behaviour: MOC.from_astropy_regions brings the centre to ICRS and takes the angle as it stands, from the north of
#   right ascension and declination: a box along the galactic plane at longitude 30 lies across it. Circles and
#   polygons are right, and so is a box in ICRS.
# Expected: the box that regions itself draws.
# Needs: python3 (3.11 or later) and PyPI; about a minute
# Seen:
#> 4 degrees along the plane: regions True, MOC of box False, MOC of polygon True
#> 4 degrees along declination 0 in ICRS: MOC of box True
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check mocpy==0.21.0 regions==0.12 astropy==8.0.2 numpy==2.4.6
env/bin/python - >seen <<'PYTHON'
import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS
from mocpy import MOC
from regions import PolygonSkyRegion, RectangleSkyRegion

wcs = WCS(naxis=2)
wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.cdelt, wcs.wcs.crpix = ("GLON-CAR", "GLAT-CAR"), (30, 0), (-0.01, 0.01), (1, 1)


def place(lon, lat, frame="galactic"):
    return SkyCoord(lon, lat, unit="deg", frame=frame)


def inside(region, point):
    point = point.icrs
    return bool(MOC.from_astropy_regions(region, max_depth=9).contains_lonlat([point.ra.deg] * u.deg, [point.dec.deg] * u.deg)[0])


box = RectangleSkyRegion(place(30, 0), width=10 * u.deg, height=2 * u.deg)
corners = PolygonSkyRegion(place([25, 35, 35, 25], [-1, -1, 1, 1]))
point = place(34, 0)
drawn = bool(np.all(box.contains(point, wcs)))
print(f"4 degrees along the plane: regions {drawn}, MOC of box {inside(box, point)}, MOC of polygon {inside(corners, point)}")
plain = RectangleSkyRegion(place(30, 0, "icrs"), width=10 * u.deg, height=2 * u.deg)
print("4 degrees along declination 0 in ICRS: MOC of box", inside(plain, place(34, 0, "icrs")))
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
