#!/usr/bin/env bash
# The average of two beams that lie nearly north to south lies east to west.
#
# Versions: radio-beam 0.3.10, spectral-cube 0.7.0, astropy 8.0.2, numpy 2.4.6
# Behaviour: position angles of 5 and 175 degrees, which are 10 degrees apart, are averaged as directions of an arrow and
#   not of an axis: to 90 degrees. What is summed or averaged over the planes of a cube whose beams differ, as
#   exportfits of casa writes them, has that beam, and would be deconvolved or convolved by it. A warning says that beams
#   are averaged; at angles far from north the average is right.
# Expected: 0 or 180 degrees.
# Needs: python3 (3.11 or later) and PyPI; about a minute
# Seen:
#> 5 and 175          90.0
#> 55 and 65          60.0
#> mean of two planes 90.0
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check radio-beam==0.3.10 spectral-cube==0.7.0 astropy==8.0.2 numpy==2.4.6
env/bin/python - >seen <<'PYTHON'
import warnings

import astropy.units as u
import numpy as np
from astropy.io import fits
from radio_beam import Beams
from spectral_cube import SpectralCube

warnings.simplefilter("ignore")
for angles in ((5, 175), (55, 65)):
    beams = Beams(major=[6, 6] * u.arcsec, minor=[3, 3] * u.arcsec, pa=angles * u.deg)
    print(f"{f'{angles[0]} and {angles[1]}':18} {beams.average_beam().pa.to_value(u.deg) % 180:.1f}")

cards = fits.Header()
axes = ("RA---TAN", 150, -1 / 3600, "deg"), ("DEC--TAN", 30, 1 / 3600, "deg"), ("FREQ", 1.4e9, 1e6, "Hz")
for axis, (kind, value, step, unit) in enumerate(axes, 1):
    cards[f"CTYPE{axis}"], cards[f"CRVAL{axis}"], cards[f"CDELT{axis}"], cards[f"CUNIT{axis}"] = kind, value, step, unit
    cards[f"CRPIX{axis}"] = 1
cards["BUNIT"], cards["CASAMBM"] = "Jy/beam", True
rows = {"BMAJ": [6, 6], "BMIN": [3, 3], "BPA": [5, 175], "CHAN": [0, 1], "POL": [0, 0]}
units = {"BMAJ": "arcsec", "BMIN": "arcsec", "BPA": "deg"}
columns = [fits.Column(name, "J" if name in ("CHAN", "POL") else "E", units.get(name), array=np.array(of)) for name, of in rows.items()]
table = fits.BinTableHDU.from_columns(columns, name="BEAMS")
table.header["NCHAN"], table.header["NPOL"] = 2, 1
fits.HDUList([fits.PrimaryHDU(np.ones((2, 11, 11)), cards), table]).writeto("cube.fits")
cube = SpectralCube.read("cube.fits")
cube.beam_threshold = 1.5
print(f"mean of two planes {cube.mean(axis=0).beam.pa.to_value(u.deg) % 180:.1f}")
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
