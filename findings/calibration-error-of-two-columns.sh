#!/usr/bin/env bash
# One table of probabilities of two classes has two calibration errors, here 0.168 and 0.018.
#
# Versions: netcal 1.4.0, torchmetrics 1.9.0, torch 2.13.0
# Behaviour: of two columns, one a class, netcal takes the second and bins by its probability, as of a single column; from
#   three classes on it takes the most probable class, so that one source more of a third class changes the error ninefold.
#   torchmetrics takes the most probable class of two columns, and the probability of class 1 of a single one. Where every
#   probability of class 1 is too high, what is too sure above 0.5 is too unsure below: in bins of the most probable class
#   the two cancel, in those of class 1 they do not. The name is the same, and so are bins and norm.
# Expected: of a table with a column a class the error of the most probable class, whatever the number of classes.
# Needs: python3 (3.11 or later) and PyPI; about three minutes (torch is large)
# Seen:
#> netcal       one column 0.168, two columns 0.168, and one source of a third class 0.018
#> torchmetrics one column 0.168, two columns 0.018, and one source of a third class 0.018
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0 torchmetrics==1.9.0 netcal==1.4.0 numpy==2.4.6
env/bin/python - >seen <<'PYTHON'
import numpy as np
import torch
from netcal.metrics import ECE
from torchmetrics.classification import BinaryCalibrationError, MulticlassCalibrationError

random = np.random.default_rng(0)
p = random.random(2000)
label = (random.random(2000) < p**2).astype(int)
two = np.stack([1 - p, p], 1)
three = np.concatenate([np.stack([1 - p, p, 0 * p], 1), [[0, 0, 1]]])


def netcal(probabilities, label=label):
    return ECE(10).measure(probabilities, label)


def torchmetrics(probabilities, label=label):
    classes = probabilities.shape[1:]
    measure = MulticlassCalibrationError(*classes, n_bins=10) if classes else BinaryCalibrationError(n_bins=10)
    return measure(torch.tensor(probabilities), torch.tensor(label)).item()


for name, error in (("netcal      ", netcal), ("torchmetrics", torchmetrics)):
    third = error(three, np.append(label, 2))
    print(name, f"one column {error(p):.3f}, two columns {error(two):.3f}, and one source of a third class {third:.3f}")
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
