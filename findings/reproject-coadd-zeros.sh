#!/usr/bin/env bash
# reproject_and_coadd fills what no image saw with zeros, also where all images hold NaN.
#
# Versions: reproject 0.21.0, astropy 8.0.2
# Behaviour: holes are 0 unless blank_pixel_value=numpy.nan is given, while reproject_interp leaves NaN; only the
#   footprint says which zeros were measured.
# Expected: NaN, as the functions have it that reproject_and_coadd calls.
# Needs: python3 (3.11 or later) and PyPI; about a minute
# Seen:
#> reproject_interp    NaN at the hole and outside: True
#> reproject_and_coadd hole 0.0 outside 0.0 NaN 0
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check reproject==0.21.0 astropy==8.0.2 numpy==2.4.6
env/bin/python - >seen <<'PYTHON'
import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from reproject import reproject_interp
from reproject.mosaicking import reproject_and_coadd


def header(side, scale_arcsec=1.8):
    cards = fits.Header()
    cards["NAXIS"], cards["NAXIS1"], cards["NAXIS2"] = 2, side, side
    for axis, kind, value, step in ((1, "RA---TAN", 150, -scale_arcsec), (2, "DEC--TAN", 30, scale_arcsec)):
        cards[f"CTYPE{axis}"], cards[f"CRVAL{axis}"], cards[f"CDELT{axis}"] = kind, value, step / 3600
        cards[f"CRPIX{axis}"] = (side + 1) / 2
    return cards


image = np.ones((21, 21))
image[5:8, 5:8] = np.nan
target = WCS(header(41))
both = [(image, WCS(header(21))), (image, WCS(header(21)))]
alone, _ = reproject_interp(both[0], target, shape_out=(41, 41))
print("reproject_interp   ", "NaN at the hole and outside:", bool(np.isnan(alone[16, 16]) and np.isnan(alone[0, 0])))
mosaic, footprint = reproject_and_coadd(both, target, shape_out=(41, 41), reproject_function=reproject_interp)
print("reproject_and_coadd", "hole", mosaic[16, 16], "outside", mosaic[0, 0], "NaN", int(np.isnan(mosaic).sum()))
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
