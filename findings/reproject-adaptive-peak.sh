#!/usr/bin/env bash
# reproject_adaptive on the same grid takes an image of one lit pixel to 0.38 of its peak.
#
# Versions: reproject 0.21.0, astropy 8.0.2
# Behaviour: the default kernel is a Gaussian wider than a pixel, so an image is smoothed even where there is nothing
#   to resample, whether flux is conserved or not. With kernel='hann' the pixel stays as it is.
# Expected: the image itself, as from reproject_interp and reproject_exact.
# Needs: python3 (3.11 or later) and PyPI; about a minute
# Seen:
#> interp: peak 1.00
#> exact: peak 1.00
#> adaptive: peak 0.38
#> adaptive, flux conserved: peak 0.38
#> adaptive, Hann: peak 1.00
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
from reproject import reproject_adaptive, reproject_exact, reproject_interp


def header(side, scale_arcsec=1.8):
    cards = fits.Header()
    cards["NAXIS"], cards["NAXIS1"], cards["NAXIS2"] = 2, side, side
    for axis, kind, value, step in ((1, "RA---TAN", 150, -scale_arcsec), (2, "DEC--TAN", 30, scale_arcsec)):
        cards[f"CTYPE{axis}"], cards[f"CRVAL{axis}"], cards[f"CDELT{axis}"] = kind, value, step / 3600
        cards[f"CRPIX{axis}"] = (side + 1) / 2
    return cards


wcs, image = WCS(header(21)), np.zeros((21, 21))
image[10, 10] = 1
for name, method, options in (
    ("interp", reproject_interp, {}),
    ("exact", reproject_exact, {}),
    ("adaptive", reproject_adaptive, {}),
    ("adaptive, flux conserved", reproject_adaptive, {"conserve_flux": True}),
    ("adaptive, Hann", reproject_adaptive, {"kernel": "hann"}),
):
    moved, _ = method((image, wcs), wcs, shape_out=image.shape, **options)
    print(f"{name}: peak {moved[10, 10]:.2f}")
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
