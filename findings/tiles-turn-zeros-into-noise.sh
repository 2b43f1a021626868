#!/usr/bin/env bash
# Exact zeros of a blank area are no zeros any more in a compressed FITS image.
#
# Versions: fitsio 1.4.2 (cfitsio, as fpack), astropy 8.0.2
# Behaviour: floating-point tiles are quantised with SUBTRACTIVE_DITHER_1 by default, which moves every pixel by a
#   random part of the quantum, zeros too. Only tiles of nothing but zeros stay. SUBTRACTIVE_DITHER_2 keeps zeros;
#   astropy's own writer does not dither by default, and gives more zeros than there were.
# Expected: zeros stay zeros, so that blank areas can be recognised.
# Needs: python3 (3.11 or later) and PyPI; about a minute
# Seen:
#> image 1250 zeros
#> fitsio SUBTRACTIVE_DITHER_1 0
#> fitsio SUBTRACTIVE_DITHER_2 1250
#> fitsio by default 0
#> astropy by default 1271
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

image = np.random.default_rng(0).normal(size=(50, 50)).astype(np.float32)
image[:, :25] = 0  # half of each row was not observed
print("image", np.count_nonzero(image == 0), "zeros")
for method in ("SUBTRACTIVE_DITHER_1", "SUBTRACTIVE_DITHER_2"):
    fitsio.write("image.fits", image, compress="rice", qmethod=method, clobber=True)
    print("fitsio", method, np.count_nonzero(fits.getdata("image.fits") == 0))
fitsio.write("image.fits", image, compress="rice", clobber=True)
print("fitsio by default", np.count_nonzero(fits.getdata("image.fits") == 0))
fits.CompImageHDU(image).writeto("image.fits", overwrite=True)
print("astropy by default", np.count_nonzero(fits.getdata("image.fits") == 0))
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
