#!/usr/bin/env bash
# An image in which one pixel is NaN has no peaks at all.
#
# Versions: scikit-image 0.26.0, numpy 2.4.6
# Behaviour: where no absolute threshold is given, peak_local_max takes the image's minimum for it, which is NaN then, and
#   nothing lies above that: an empty list, and no warning. A relative threshold does not help. With threshold_abs all peaks
#   are found that were there before.
# Expected: peaks everywhere else.
# Needs: python3 (3.11 or later) and PyPI; about a minute
# Seen:
#> peak_local_max, no threshold: 127 peaks, with one NaN 0
#> peak_local_max, threshold_rel=0.2: 127 peaks, with one NaN 0
#> peak_local_max, threshold_abs=0.5: 127 peaks, with one NaN 127
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check scikit-image==0.26.0 numpy==2.4.6
env/bin/python - >seen <<'PYTHON'
import warnings

import numpy as np
from skimage.feature import peak_local_max

warnings.simplefilter("error")
image = np.random.default_rng(0).normal(size=(60, 60))
blank = image.copy()
blank[30, 30] = np.nan
for words, options in (("no threshold", {}), ("threshold_rel=0.2", {"threshold_rel": 0.2}), ("threshold_abs=0.5", {"threshold_abs": 0.5})):
    counts = [len(peak_local_max(one, min_distance=2, **options)) for one in (image, blank)]
    print(f"peak_local_max, {words}: {counts[0]} peaks, with one NaN {counts[1]}")
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
