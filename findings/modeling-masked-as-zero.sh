#!/usr/bin/env bash
# Masked values count as zeros in a fit by most of astropy's fitters: a line is too low, a Gaussian has 0.4 of its peak.
#
# Versions: astropy 8.0.2, numpy 2.4.6, scipy 1.17.1
# Behaviour: the fitters that go by residuals (TRF, which is recommended, DogBox and LevMar) accept a masked array and fit its
#   masked points as if 0 had been measured there, without a warning and whatever lies below the mask: a Gaussian whose two
#   middle points are masked is fitted with a hollow there. LinearLSQFitter leaves masked points out, as its documentation
#   says of it, and so does SLSQP, of which nothing is said.
# Expected: that all leave masked points out, or refuse a mask.
# Needs: python3 (3.11 or later) and PyPI; about a minute
# Seen:
#> line 2 x + 5
#>   LinearLSQFitter  2.0 5.0
#>   TRFLSQFitter     2.0 2.6
#>   DogBoxLSQFitter  2.0 2.6
#>   LevMarLSQFitter  2.0 2.6
#>   SLSQPLSQFitter   2.0 5.0
#>   zeros, no mask   2.0 2.6
#> Gaussian, peak 10, at 9.5, sigma 2
#>   TRFLSQFitter     4.1 9.5 3.2
#>   DogBoxLSQFitter  4.1 9.5 3.2
#>   LevMarLSQFitter  4.1 9.5 3.2
#>   SLSQPLSQFitter   10.0 9.5 2.0
#>   zeros, no mask   4.1 9.5 3.2
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check astropy==8.0.2 numpy==2.4.6 scipy==1.17.1
env/bin/python - >seen <<'PYTHON'
import contextlib
import sys
import warnings

import numpy as np
from astropy.modeling import fitting, models
from astropy.utils.exceptions import AstropyDeprecationWarning, AstropyUserWarning

warnings.simplefilter("error")
warnings.filterwarnings("ignore", "Model is linear in parameters", AstropyUserWarning)  # of every line, masked or not
warnings.filterwarnings("ignore", "Using LevMarLSQFitter for models with bounds", AstropyDeprecationWarning)
x = np.arange(20.0)
masked = (x == 9) | (x == 10)
shapes = {
    "line 2 x + 5": (models.Linear1D(2, 5), models.Linear1D(1, 1)),
    "Gaussian, peak 10, at 9.5, sigma 2": (models.Gaussian1D(10, 9.5, 2), models.Gaussian1D(8, 9, 2.5)),
}
for name, (truth, start) in shapes.items():
    print(name)
    for fitter in ("LinearLSQFitter", "TRFLSQFitter", "DogBoxLSQFitter", "LevMarLSQFitter", "SLSQPLSQFitter"):
        if fitter == "LinearLSQFitter" and not start.linear:
            continue
        answers = []
        for below in (1000, -3):
            y = np.ma.array(np.where(masked, below, truth(x)), mask=masked)
            with contextlib.redirect_stdout(sys.stderr):
                answers.append(getattr(fitting, fitter)()(start, x, y).parameters)
        assert np.allclose(answers[0], answers[1], atol=0.05), answers
        print(f"  {fitter:16}", *(f"{value:.1f}" for value in answers[0]))
    zeros = fitting.TRFLSQFitter()(start, x, np.where(masked, 0, truth(x))).parameters
    print(f"  {'zeros, no mask':16}", *(f"{value:.1f}" for value in zeros))
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
