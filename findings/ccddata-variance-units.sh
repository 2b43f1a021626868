#!/usr/bin/env bash
# An image in Jy that is converted to mJy has errors a factor of 32 too small, if they are kept as variances.
#
# Versions: astropy 8.0.2
# Behaviour: CCDData.convert_unit_to gives the uncertainty the right unit, mJy2, and multiplies it by 1000, the factor of the
#   pixels, where it is a million. Inverse variances, which weight maps are, are multiplied by it too and not divided by its
#   square. Standard deviations are right. Sums and differences of images in two units convert variances as they should.
# Expected: an error of 100 mJy where it was 0.1 Jy, of all three.
# Needs: python3 (3.11 or later) and PyPI; about a minute
# Seen:
#> 1 Jy with an error of 0.1 Jy, kept as     in mJy
#> StdDevUncertainty      0.1      Jy        100   mJy     an error of 100 mJy
#> VarianceUncertainty    0.01     Jy2       10    mJy2    an error of 3.16228 mJy
#> InverseVariance        100      1 / Jy2   1e+05 1 / mJy2 an error of 0.00316228 mJy
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
from astropy.nddata import CCDData, InverseVariance, StdDevUncertainty, VarianceUncertainty

print("1 Jy with an error of 0.1 Jy, kept as     in mJy")
for kind, value in ((StdDevUncertainty, 0.1), (VarianceUncertainty, 0.1**2), (InverseVariance, 0.1**-2)):
    image = CCDData(np.ones((2, 2)), unit="Jy", uncertainty=kind(np.full((2, 2), value)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        converted = image.convert_unit_to("mJy")
    assert (converted.data == 1000).all()
    before, after = image.uncertainty, converted.uncertainty
    error = after.represent_as(StdDevUncertainty)
    print(f"{kind.__name__:22} {before.array[0, 0]:<8g} {before.unit!s:9}", end=" ")
    print(f"{after.array[0, 0]:<5.4g} {after.unit!s:7} an error of {error.array[0, 0]:g} {error.unit}")
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
