#!/usr/bin/env bash
# One probability that rounding puts above 1, or one NaN, changes the answers to all others in its batch.
#
# Versions: torchmetrics 1.9.0, torch 2.13.0
# Behaviour: a batch that holds anything but numbers from 0 to 1 is taken for logits, and the sigmoid of every number in it
#   is what is scored: all probabilities become 0.5 or more, all sources class 1. That the mean of ten networks in float32,
#   0.1 ten times, is 1.0000001 is enough, and so is NaN, which lies in no range. What is answered depends on which sources
#   are in a batch with it. No warning, and validate_args is True.
# Expected: rounding is clipped; NaN is NaN, or a refusal as scikit-learn has it; probabilities stay what they were in
#   the batches before.
# Needs: python3 (3.11 or later) and PyPI; about two minutes (torch is large)
# Seen:
#> mean of ten networks that say 1: 1.0000001192092896
#> accuracy of four sources  1.0 calibration error 0.125
#> accuracy with that one    0.4 calibration error 0.432
#> one to a batch            1.0 calibration error 0.154
#> accuracy with one NaN     0.4 calibration error 0.378
#> with two columns and one NaN: calibration error 0.457
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0 torchmetrics==1.9.0 numpy==2.4.6
env/bin/python - >seen <<'PYTHON'
import torch
from torchmetrics.classification import BinaryAccuracy, BinaryCalibrationError, MulticlassCalibrationError

labels = torch.tensor([0, 0, 0, 1])
p = torch.tensor([0.1, 0.2, 0.1, 0.9])
ten = sum(torch.ones(10) * 0.1)
print("mean of ten networks that say 1:", ten.item())


def scores(p, labels, size):
    measures = BinaryAccuracy(), BinaryCalibrationError(n_bins=10)
    for batch in zip(p.split(size), labels.split(size), strict=True):
        for measure in measures:
            measure.update(*batch)
    accuracy, error = (measure.compute().item() for measure in measures)
    return f"{accuracy:.1f} calibration error {error:.3f}"


print("accuracy of four sources ", scores(p, labels, 4))
more, five = torch.cat([p, ten[None]]), torch.cat([labels, torch.tensor([1])])
print("accuracy with that one   ", scores(more, five, 5))
print("one to a batch           ", scores(more, five, 1))
holed, none = torch.cat([p, torch.tensor([float("nan")])]), torch.cat([labels, torch.tensor([0])])
print("accuracy with one NaN    ", scores(holed, none, 5))
both = torch.stack([1 - holed, holed], 1)
error = MulticlassCalibrationError(num_classes=2, n_bins=10)(both, none)
print(f"with two columns and one NaN: calibration error {error.item():.3f}")
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
