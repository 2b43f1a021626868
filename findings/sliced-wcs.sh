#!/usr/bin/env bash
# Every second pixel of an image with a WCS lies half a pixel from where its WCS says, and further with SIP.
#
# Versions: astropy 8.0.2
# Behaviour: CCDData[::2, ::2] takes pixel 0 of each pair but its WCS gives the middle of the pair, as if pixels had
#   been averaged. SIP terms are kept as they were although the pixels have another size.
# Expected: a source keeps its position.
# Needs: python3 (3.11 or later) and PyPI; about a minute
# Seen:
#> pixels of 1.8 arcsec, [::2, ::2]: source moved by 1.27 arcsec
#> with SIP, middle of a pair: moved by 0.84 arcsec
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check astropy==8.0.2 numpy==2.4.6
env/bin/python - >seen <<'PYTHON'
import numpy as np
from astropy.io import fits
from astropy.nddata import CCDData
from astropy.wcs import WCS


def header(side, scale_arcsec=1.8):
    cards = fits.Header()
    cards["NAXIS"], cards["NAXIS1"], cards["NAXIS2"] = 2, side, side
    for axis, kind, value, step in ((1, "RA---TAN", 150, -scale_arcsec), (2, "DEC--TAN", 30, scale_arcsec)):
        cards[f"CTYPE{axis}"], cards[f"CRVAL{axis}"], cards[f"CDELT{axis}"] = kind, value, step / 3600
        cards[f"CRPIX{axis}"] = (side + 1) / 2
    return cards


image = np.zeros((200, 200))
image[80, 60] = 1
wcs = WCS(header(200))
part = CCDData(image, unit="Jy", wcs=wcs)[::2, ::2]
row, column = np.argwhere(part.data == 1)[0]
moved = wcs.pixel_to_world(60, 80).separation(part.wcs.pixel_to_world(column, row)).arcsec
print(f"pixels of 1.8 arcsec, [::2, ::2]: source moved by {moved:.2f} arcsec")
bent = header(200)
bent["CTYPE1"], bent["CTYPE2"] = "RA---TAN-SIP", "DEC--TAN-SIP"
bent["A_ORDER"], bent["B_ORDER"], bent["A_2_0"], bent["B_0_2"] = 2, 2, 1e-4, 1e-4
wcs = WCS(bent)
moved = wcs.pixel_to_world(180.5, 180.5).separation(wcs[::2, ::2].pixel_to_world(90, 90)).arcsec
print(f"with SIP, middle of a pair: moved by {moved:.2f} arcsec")
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
