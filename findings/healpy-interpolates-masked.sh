#!/usr/bin/env bash
# Where a HEALPix map is masked, the value between its pixels is too small, plausible and not masked.
#
# Versions: healpy 1.20.1
# Behaviour: get_interp_val of a map that healpy.ma made leaves masked pixels out of the sum and keeps the weights of the
#   others as they were: of a map of ones it answers 0 in the middle of the masked pixel and 0.18 a degree beside it, and
#   the answer has no mask. Of the same map as plain numbers, with UNSEEN in its place, the answer is -1e30 and cannot be
#   overlooked. rotate_map_pixel, which goes by it, does the same.
# Expected: masked where the pixel is, or the mean of what is there: 1.
# Needs: python3 (3.11 or later) and PyPI; about a minute
# Seen:
#> middle of the masked pixel: masked map 0.00, mask False, plain map -1.6e+30
#> one degree beside it: masked map 0.18, mask False, plain map -1.3e+30
#> ten degrees away: masked map 1.00, mask False, plain map 1
#> a map of ones, turned: least 0.66, masked pixels 0
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check healpy==1.20.1 numpy==2.4.6
env/bin/python - >seen <<'PYTHON'
import healpy
import numpy as np

nside = 16
values = np.ones(healpy.nside2npix(nside))
pixel = healpy.ang2pix(nside, 10, 10, lonlat=True)
values[pixel] = healpy.UNSEEN
masked = healpy.ma(values)
for name, place in (("middle of the masked pixel", 0), ("one degree beside it", 1), ("ten degrees away", 10)):
    lon, lat = healpy.pix2ang(nside, pixel, lonlat=True)
    answers = [healpy.get_interp_val(m, lon + place, lat, lonlat=True) for m in (masked, values)]
    print(f"{name}: masked map {answers[0]:.2f}, mask {np.ma.is_masked(answers[0])}, plain map {answers[1]:.2g}")
turned = healpy.Rotator(coord="GC").rotate_map_pixel(masked)
print(f"a map of ones, turned: least {np.min(turned):.2f}, masked pixels {np.ma.count_masked(turned)}")
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
