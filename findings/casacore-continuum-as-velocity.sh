#!/usr/bin/env bash
# python-casacore writes a continuum image of 888 MHz to FITS as one of the 21 cm line moving at 0.6 times the speed of light.
#
# Versions: python-casacore 3.8.1, astropy 8.0.2
# Behaviour: image.tofits without options turns the frequency axis into optical velocity, by the rest frequency that every
#   spectral coordinate has from the start, that of HI. No card then holds the frequency but ALTRVAL, and RESTFRQ says 1.42 GHz
#   of an image at 888 MHz. With velocity=False the axis is FREQ, and RESTFRQ stands beside it as before.
# Expected: the axis as the image has it, CTYPE FREQ of 888 MHz, and no rest frequency where none was set.
# Needs: python3 (3.11 or later) and PyPI; about a minute
# Seen:
#> of the image: 888 MHz
#> tofits(): CTYPE4 VOPT, CRVAL4 1.79742e+08 m/s, RESTFRQ 1420.41 MHz, ALTRVAL 8.88e+08
#> tofits(velocity=False): CTYPE4 FREQ, CRVAL4 8.88e+08 Hz, RESTFRQ 1420.41 MHz, ALTRVAL 1.79742e+08
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check python-casacore==3.8.1 astropy==8.0.2 numpy==2.4.6
cat >write.py <<'PYTHON'
import numpy as np
from astropy.io import fits
from casacore.images import image

ONE = np.ones((1, 1, 16, 16), np.float32)
coordinates = image("", values=ONE).coordinates()
spectral = coordinates["spectral"]
spectral.set_referencevalue(888e6)
coordinates["spectral"] = spectral
sky = image("sky.image", values=ONE, coordsys=coordinates, overwrite=True)
print(f"of the image: {sky.coordinates()['spectral'].get_referencevalue() / 1e6:g} MHz")
for options in ({}, {"velocity": False}):
    sky.tofits("sky.fits", overwrite=True, **options)
    cards = fits.getheader("sky.fits")
    called = ", ".join(f"{name}={value}" for name, value in options.items())
    axis = f"CTYPE4 {cards['CTYPE4']}, CRVAL4 {cards['CRVAL4']:.6g} {cards['CUNIT4']}"
    print(f"tofits({called}): {axis}, RESTFRQ {cards['RESTFRQ'] / 1e6:g} MHz, ALTRVAL {cards['ALTRVAL']:.6g}")
PYTHON
env/bin/python write.py 2>errors >seen || { cat errors >&2; exit 1; }
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
