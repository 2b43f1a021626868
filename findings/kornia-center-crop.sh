#!/usr/bin/env bash
# The middle of an image is blurred where it is cut to an odd side from an even one.
#
# Versions: kornia 0.9.0, torch 2.13.0
# Behaviour: kornia.geometry.transform.center_crop interpolates, and where the sides differ by an odd number each pixel
#   becomes the mean of four: of noise half the sigma is left, and a lit pixel keeps a quarter of its peak. CenterCrop of
#   kornia.augmentation, for the same sides, takes whole pixels. With an even difference both give the pixels as they are,
#   to rounding.
# Expected: pixels of the image, as of a slice; a crop has nothing to interpolate.
# Needs: python3 (3.11 or later) and PyPI; about two minutes (torch is large)
# Seen:
#> 150 to 101 center_crop sigma 0.50 peak 0.25
#> 150 to 101 CenterCrop  sigma 1.01 peak 1.00
#> 150 to 100 center_crop sigma 1.01 peak 1.00
#> 150 to 100 CenterCrop  sigma 1.01 peak 1.00
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0 kornia==0.9.0 numpy==2.4.6
env/bin/python - >seen <<'PYTHON'
import torch
from kornia.augmentation import CenterCrop
from kornia.geometry.transform import center_crop

noise = torch.randn(1, 1, 150, 150, generator=torch.Generator().manual_seed(0))
lit = torch.zeros(1, 1, 150, 150)
lit[0, 0, 75, 75] = 1
for side in (101, 100):
    for name, crop in (("center_crop", lambda image: center_crop(image, (side, side))), ("CenterCrop ", CenterCrop(side))):
        sigma, peak = crop(noise).std().item(), crop(lit).max().item()
        print(f"150 to {side} {name} sigma {sigma:.2f} peak {peak:.2f}")
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
