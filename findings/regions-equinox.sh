#!/usr/bin/env bash
# regions writes positions of any equinox as if they were of J2000 or B1950.
#
# Versions: regions 0.12, astropy 8.0.2
# Behaviour: the DS9 writer names the frame and leaves the equinox out; the CASA writer takes FK4 to J2000 by name and
#   not by precession. Numbers stay, positions move by up to a degree, without a warning.
# Expected: the position that was written, read back to a fraction of an arcsecond.
# Needs: python3 (3.11 or later) and PyPI; about a minute
# Seen:
#> fk5 J2000 ds9 moved by 0.00 deg
#> fk5 J2000 crtf moved by 0.00 deg
#> fk5 J1975 ds9 moved by 0.33 deg
#> fk5 J1975 crtf moved by 0.33 deg
#> fk4 B1950 ds9 moved by 0.00 deg
#> fk4 B1950 crtf moved by 0.67 deg
#> fk4 B1900 ds9 moved by 0.67 deg
#> fk4 B1900 crtf moved by 1.34 deg
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check regions==0.12 astropy==8.0.2 numpy==2.4.6
env/bin/python - >seen <<'PYTHON'
import warnings

import astropy.units as u
from astropy.coordinates import SkyCoord
from regions import CircleSkyRegion, Regions

for frame, equinox in (("fk5", "J2000"), ("fk5", "J1975"), ("fk4", "B1950"), ("fk4", "B1900")):
    centre = SkyCoord(150 * u.deg, 30 * u.deg, frame=frame, equinox=equinox)
    for form in ("ds9", "crtf"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            text = Regions([CircleSkyRegion(centre, 1 * u.arcmin)]).serialize(format=form)
            (read,) = Regions.parse(text, format=form)
        print(frame, equinox, form, f"moved by {centre.icrs.separation(read.center.icrs).deg:.2f} deg")
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
