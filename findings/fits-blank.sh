#!/usr/bin/env bash
# Blank pixels of an integer image are NaN in astropy and ordinary numbers in fitsio.
#
# Versions: fitsio 1.4.2, astropy 8.0.2
# Behaviour: fitsio applies BSCALE and leaves BLANK out: a pixel that the standard calls undefined reads as its
#   integer times BSCALE, here a flux of -32.768.
# Expected: NaN in both where the image is scaled to floating point.
# Needs: python3 (3.11 or later) and PyPI; about a minute
# Seen:
#> astropy [[0.001, 0.002], [nan, 0.004]]
#> fitsio  [[0.001, 0.002], [-32.768, 0.004]]
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check astropy==8.0.2 numpy==2.4.6 fitsio==1.4.2
env/bin/python - >seen <<'PYTHON'
import fitsio
import numpy as np
from astropy.io import fits

image = fits.PrimaryHDU(np.array([[1, 2], [-32768, 4]], np.int16))
image.header["BLANK"] = -32768
image.header["BSCALE"] = 0.001
image.writeto("image.fits")
print("astropy", np.round(fits.getdata("image.fits").astype(float), 3).tolist())
print("fitsio ", np.round(fitsio.read("image.fits").astype(float), 3).tolist())
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
