#!/usr/bin/env bash
# Does an installed equiradio work on its own? Run where it is installed and no checkout is on the path; `python` and `equiradio` are its.
set -euo pipefail
unset PYTHONPATH EQUIRADIO_WEIGHTS
cd "$(mktemp -d)"
equiradio --help > /dev/null
equiradio --version
equiradio models
python - << 'PYTHON'
import equiradio
import numpy as np
from astropy.io import fits
from equiradio.version import checkout

assert checkout() is None, f"runs from {checkout()}, not from the wheel"
image = equiradio.open_data("simulated").images[0]
np.save("source.npy", image)
noise = np.random.default_rng(0).normal(0, 1.4e-4, image.shape)
sky = fits.PrimaryHDU((image / 255 * 0.01 + noise)[::-1].astype(np.float32))
sky.header.update(CTYPE1="RA---SIN", CTYPE2="DEC--SIN", CRVAL1=180.0, CRVAL2=30.0, CRPIX1=75.5, CRPIX2=75.5)
sky.header.update(CDELT1=-1.8 / 3600, CDELT2=1.8 / 3600, CUNIT1="deg", CUNIT2="deg", BUNIT="JY/BEAM")
sky.writeto("J1200+3000.fits")
PYTHON
for model in c8-attention c4-attention; do
    equiradio classify source.npy J1200+3000.fits --model "$model" --out "$model.csv" --maps "$model"
    test "$(wc -l < "$model.csv")" = 3
    grep -E '^"?J1200.*FRI' "$model.csv"
done
if equiradio classify source.npy --model d8-attention 2> refused; then
    echo "d8-attention answered, though its weights are not in the wheel" >&2
    exit 1
fi
grep "EQUIRADIO_WEIGHTS" refused
