#!/usr/bin/env bash
# An image that cfitsio mirrors has its sources elsewhere on the sky, if it is turned and its header says so by PC.
#
# Versions: fitsio 1.4.2 (cfitsio 4.6.0), astropy 8.0.2; fitscopy of Debian 12 (cfitsio 4.2.0) does the same
# Behaviour: image.fits[-*,*] is the image with its columns in reverse, and image.fits[*:2,*:4] that of every second column and
#   fourth row. Both change CDELT of that axis and leave PC as it is, where CDELT belongs to the sky's axis and not to the
#   pixels': at 30 degrees a source 36 pixels from the middle moves by 76 arcsec. Steps that are equal are right, and so are
#   headers with CD or CROTA2. astropy and casa write PC.
# Expected: a source keeps its position, as with CD.
# Needs: python3 (3.11 or later) and PyPI; about a minute
# Seen:
#> upright  [-*,*] source moved by 0.0 arcsec
#> upright  [*:2,*:4] source moved by 0.0 arcsec
#> PC       [-*,*] source moved by 76.4 arcsec
#> PC       [*:2,*:4] source moved by 30.2 arcsec
#> PC       [*:2,*:2] source moved by 0.0 arcsec
#> CD       [-*,*] source moved by 0.0 arcsec
#> CD       [*:2,*:4] source moved by 0.0 arcsec
#> CROTA2   [-*,*] source moved by 0.0 arcsec
#> CROTA2   [*:2,*:4] source moved by 0.0 arcsec
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check fitsio==1.4.2 astropy==8.0.2 numpy==2.4.6
env/bin/python - >seen <<'PYTHON'
import fitsio
import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

turn = np.array([[np.cos(np.radians(30)), -np.sin(np.radians(30))], [np.sin(np.radians(30)), np.cos(np.radians(30))]])
rows, columns = np.mgrid[:101, :121]
image = np.exp(-((columns - 30) ** 2 + (rows - 20) ** 2) / 8).astype(np.float32)


def header(kind):
    cards = fits.Header()
    for axis, name, value, step, middle in ((1, "RA---SIN", 150, -1.8, 61), (2, "DEC--SIN", 30, 1.8, 51)):
        cards[f"CTYPE{axis}"], cards[f"CRVAL{axis}"], cards[f"CRPIX{axis}"] = name, value, middle
        if kind != "CD":
            cards[f"CDELT{axis}"] = step / 3600
        for other in (1, 2):
            if kind in ("PC", "CD"):
                cards[f"{kind}{axis}_{other}"] = turn[axis - 1, other - 1] * (step / 3600 if kind == "CD" else 1)
    if kind == "CROTA2":
        cards["CROTA2"] = 30.0
    return cards


for kind in ("upright", "PC", "CD", "CROTA2"):
    fits.writeto(f"{kind}.fits", image, header(kind))
    before = WCS(header(kind)).pixel_to_world(30, 20)
    for part in ("[-*,*]", "[*:2,*:4]") + ("[*:2,*:2]",) * (kind == "PC"):
        with fitsio.FITS(f"{kind}.fits{part}") as file:
            pixels = file[0].read().astype(float)
            cards = fits.Header([(card["name"], card["value"]) for card in file[0].read_header().records() if card["name"]])
        y, x = (np.indices(pixels.shape) * pixels).sum((1, 2)) / pixels.sum()
        print(f"{kind:8} {part} source moved by {before.separation(WCS(cards).pixel_to_world(x, y)).arcsec:.1f} arcsec")
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
