#!/usr/bin/env bash
# A blank pixel of a HEALPix map becomes a flux of -1e30 in the image that is made of the map.
#
# Versions: reproject 0.21.0, healpy 1.20.1, astropy 8.0.2
# Behaviour: maps of HEALPix hold -1.6375e30 (UNSEEN) where they are blank, and healpy writes what healpy.ma masked so.
#   reproject_from_healpix takes that for a number: it is interpolated with what lies around, the footprint is 1 there,
#   and no pixel is NaN. NaN in a map is NaN in the image, with a footprint of 0.
# Expected: NaN and a footprint of 0 in both: the number stands for nothing else, and healpy's functions know it.
# Needs: python3 (3.11 or later) and PyPI; about a minute
# Seen:
#> masked below -1e20: 60 pixels, NaN: 0, footprint 0: 0
#> NaN    below -1e20: 0 pixels, NaN: 60, footprint 0: 60
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check astropy==8.0.2 reproject==0.21.0 healpy==1.20.1 numpy==2.4.6
env/bin/python - >seen <<'PYTHON'
import healpy
import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from reproject import reproject_from_healpix

side, nside = 40, 64
cards = fits.Header()
cards["NAXIS"], cards["NAXIS1"], cards["NAXIS2"] = 2, side, side
for axis, kind, value, step in ((1, "RA---TAN", 150, -0.25), (2, "DEC--TAN", 30, 0.25)):
    cards[f"CTYPE{axis}"], cards[f"CRVAL{axis}"], cards[f"CDELT{axis}"] = kind, value, step
    cards[f"CRPIX{axis}"] = (side + 1) / 2
rms = np.ones(healpy.nside2npix(nside))
pixel = healpy.ang2pix(nside, 150, 30, lonlat=True)
for blank in ("masked", "NaN"):
    rms[pixel] = np.nan if blank == "NaN" else healpy.UNSEEN
    written = healpy.ma(rms) if blank == "masked" else rms
    healpy.write_map("map.fits", written, coord="C", overwrite=True, dtype=np.float64)
    image, footprint = reproject_from_healpix("map.fits", WCS(cards))
    wild = (image < -1e20).sum()
    print(f"{blank:6} below -1e20: {wild} pixels, NaN: {np.isnan(image).sum()}, footprint 0: {np.sum(footprint == 0)}")
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
