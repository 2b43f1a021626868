#!/usr/bin/env bash
# quantize_level=0 keeps every bit with GZIP and cuts off all decimals with RICE, the default.
#
# Versions: astropy 8.0.2
# Behaviour: without quantisation RICE has integers alone, so the floating-point image is cast to integers, without a
#   warning: an image in Jy/beam becomes all zeros.
# Expected: no loss, as with GZIP, or a refusal.
# Needs: python3 (3.11 or later) and PyPI; about a minute
# Seen:
#> GZIP_1 float32 equal pixels 2500 peak 2.7
#> GZIP_2 float32 equal pixels 2500 peak 2.7
#> RICE_1 float32 equal pixels 0 peak 2.0
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

image = np.random.default_rng(0).normal(0, 1e-4, (50, 50)).astype(np.float32)
image[25, 25] = 2.7
for method in ("GZIP_1", "GZIP_2", "RICE_1"):
    fits.CompImageHDU(image, compression_type=method, quantize_level=0).writeto("image.fits", overwrite=True)
    read = fits.getdata("image.fits")
    print(method, read.dtype.name, "equal pixels", np.count_nonzero(read == image), "peak", round(float(read.max()), 3))
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
