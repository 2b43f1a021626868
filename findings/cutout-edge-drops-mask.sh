#!/usr/bin/env bash
# A cutout that crosses the edge of a masked image has no mask: what was masked is its brightest pixel.
#
# Versions: astropy 8.0.2
# Behaviour: Cutout2D of a masked array, and of a CCDData with a mask, is a masked array where it lies inside the image, and
#   with mode="partial" at the edge a plain array, NaN outside and with the numbers that lie below the mask inside, without a
#   warning. With mode="trim", the default, the mask is kept there too.
# Expected: a masked array in every place.
# Needs: python3 (3.11 or later) and PyPI; about a minute
# Seen:
#> MaskedArray mode trim    at (2, 2) MaskedArray masked 1 peak 1
#> MaskedArray mode trim    at (1, 1) MaskedArray masked 1 peak 1
#> MaskedArray mode partial at (2, 2) MaskedArray masked 1 peak 1
#> MaskedArray mode partial at (1, 1) ndarray masked 0 peak 1000
#> CCDData mode trim    at (2, 2) MaskedArray masked 1 peak 1
#> CCDData mode trim    at (1, 1) MaskedArray masked 1 peak 1
#> CCDData mode partial at (2, 2) MaskedArray masked 1 peak 1
#> CCDData mode partial at (1, 1) ndarray masked 0 peak 1000
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check astropy==8.0.2 numpy==2.4.6
env/bin/python - >seen <<'PYTHON'
import warnings

import numpy as np
from astropy.nddata import CCDData, Cutout2D

pixels = np.ones((9, 9))
pixels[1, 1] = 1000
for image in (np.ma.array(pixels, mask=pixels == 1000), CCDData(pixels, unit="Jy", mask=pixels == 1000)):
    for mode in ("trim", "partial"):
        for place in ((2, 2), (1, 1)):
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                cutout = Cutout2D(image, place, 5, mode=mode, fill_value=np.nan).data
            words = f"{type(cutout).__name__} masked {np.ma.count_masked(cutout)} peak {np.nanmax(cutout):g}"
            print(f"{type(image).__name__} mode {mode:7} at {place} {words}")
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
