#!/usr/bin/env bash
# A plane of a continuum cube becomes kelvin by the frequency of the hydrogen line.
#
# Versions: spectral-cube 0.7.0, radio-beam 0.3.10, astropy 8.0.2, numpy 2.4.6
# Behaviour: cube.to(u.K) takes each plane's own frequency. What is two-dimensional, a plane, a mean, a maximum, takes
#   RESTFRQ of the header where there is one, and that is HI's in continuum images of casa and ASKAP, whatever their band:
#   at 888 MHz temperatures come out 2.56 times too low. Without the card the same call is refused. A spectrum is right.
# Expected: the plane's own frequency, or a refusal as without the card.
# Needs: python3 (3.11 or later) and PyPI; about a minute
# Seen:
#> cube.to(K)[:, 5, 5]   96865
#> cube[:, 5, 5].to(K)   96865
#> cube[0].to(K)         37859
#> cube.mean(0).to(K)    37859
#> without RESTFRQ       TypeError
#> by hand, at 888 MHz   96865
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check spectral-cube==0.7.0 radio-beam==0.3.10 astropy==8.0.2 numpy==2.4.6
env/bin/python - >seen <<'PYTHON'
import warnings

import astropy.units as u
import numpy as np
from astropy.io import fits
from spectral_cube import SpectralCube

warnings.simplefilter("ignore")
cards = fits.Header()
axes = ("RA---TAN", 150, -1 / 3600, "deg"), ("DEC--TAN", 30, 1 / 3600, "deg"), ("FREQ", 888e6, 1e6, "Hz")
for axis, (kind, value, step, unit) in enumerate(axes, 1):
    cards[f"CTYPE{axis}"], cards[f"CRVAL{axis}"], cards[f"CDELT{axis}"], cards[f"CUNIT{axis}"] = kind, value, step, unit
    cards[f"CRPIX{axis}"] = 1
cards["BUNIT"], cards["BMAJ"], cards["BMIN"], cards["BPA"] = "Jy/beam", 4 / 3600, 4 / 3600, 0.0
pixels = np.ones((2, 11, 11))
plain = SpectralCube.read(fits.PrimaryHDU(pixels, cards.copy()))
cards["RESTFRQ"] = 1.420405751786e9
cube = SpectralCube.read(fits.PrimaryHDU(pixels, cards))

print(f"cube.to(K)[:, 5, 5]   {cube.to(u.K)[:, 5, 5][0].value:.0f}")
print(f"cube[:, 5, 5].to(K)   {cube[:, 5, 5].to(u.K)[0].value:.0f}")
print(f"cube[0].to(K)         {cube[0].to(u.K)[5, 5].value:.0f}")
print(f"cube.mean(0).to(K)    {cube.mean(axis=0).to(u.K)[5, 5].value:.0f}")
try:
    plain[0].to(u.K)
except TypeError as error:
    print("without RESTFRQ      ", type(error).__name__)
print(f"by hand, at 888 MHz   {(1 * u.Jy).to(u.K, cube.beam.jtok_equiv(888 * u.MHz)).value:.0f}")
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
