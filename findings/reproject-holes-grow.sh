#!/usr/bin/env bash
# An image that is reprojected to its own grid has more blank pixels than before: of one become four or six.
#
# Versions: reproject 0.21.0, astropy 8.0.2
# Behaviour: pixels come back at places that differ by some 1e-9 of a pixel, and a NaN that has so little weight is NaN all
#   the same: 4 pixels by reproject_interp, and 6 by reproject_exact, 13 and 19 if it is done twice. Nothing else shows it,
#   as values are the same to nine digits. The footprint of reproject_interp is 0 there, that of reproject_exact 1: a pixel
#   that is covered, and NaN. With order='nearest-neighbor' the hole stays one pixel.
# Expected: one blank pixel, where it was, as nothing was resampled, and a footprint of 0 in both.
# Needs: python3 (3.11 or later) and PyPI; about a minute
# Seen:
#> reproject_interp hole grows, twice: True; the rest is the same: True; footprint 0
#> reproject_exact  hole grows, twice: True; the rest is the same: True; footprint 1
#> nearest-neighbor hole grows, twice: False; the rest is the same: True; footprint 0
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check astropy==8.0.2 reproject==0.21.0 numpy==2.4.6
env/bin/python - >seen <<'PYTHON'
import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from reproject import reproject_exact, reproject_interp


def header(side, scale_arcsec=1.8):
    cards = fits.Header()
    cards["NAXIS"], cards["NAXIS1"], cards["NAXIS2"] = 2, side, side
    for axis, kind, value, step in ((1, "RA---TAN", 150, -scale_arcsec), (2, "DEC--TAN", 30, scale_arcsec)):
        cards[f"CTYPE{axis}"], cards[f"CRVAL{axis}"], cards[f"CDELT{axis}"] = kind, value, step / 3600
        cards[f"CRPIX{axis}"] = (side + 1) / 2
    return cards


wcs = WCS(header(100))
image = np.random.default_rng(0).normal(0, 1, (100, 100))
image[33, 33] = np.nan
for name, resample in (
    ("reproject_interp", reproject_interp),
    ("reproject_exact", reproject_exact),
    ("nearest-neighbor", lambda image, wcs: reproject_interp(image, wcs, order="nearest-neighbor")),
):
    once, footprint = resample((image, wcs), wcs)
    twice, _ = resample((once, wcs), wcs)
    same = np.nanmax(np.abs(once - image)) < 1e-6
    blank, again = np.isnan(once), np.isnan(twice)
    grows = 1 < blank.sum() < again.sum()
    print(f"{name:16} hole grows, twice: {grows}; the rest is the same: {same}; footprint {footprint[blank].min():.0f}")
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
