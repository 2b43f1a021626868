#!/usr/bin/env bash
# Once a cube was convolved, what is written of the cube that it was made of has the larger beam too, with sharp pixels.
#
# Versions: spectral-cube 0.7.0, radio-beam 0.3.10, astropy 8.0.2
# Behaviour: convolve_to and with_beam answer a new cube, and write the new beam into the header and the metadata of the first,
#   which they share. Of the first cube pixels and .beam stay; its .header, the file that it is written to and its planes have
#   the new beam. A plane in Jy/beam then becomes a quarter of its kelvin, and smooths by too little. The same with
#   use_dask=True. No warning.
# Expected: the first cube is what it was, as its pixels and its .beam are.
# Needs: python3 (3.11 or later) and PyPI; about two minutes
# Seen:
#> at first                 .beam 5 header 5 file 5 plane 5 arcsec, plane 24941 K
#> after convolve_to(10)    .beam 5 header 10 file 10 plane 10 arcsec, plane 6235 K
#> the convolved cube       .beam 10 header 10 file 10 plane 10 arcsec, plane 24941 K
#> after with_beam(20)      .beam 5 header 20 file 20 plane 20 arcsec, plane 1559 K
#> convolved first, dask    .beam 5 header 10 file 10 plane 10 arcsec, plane 6235 K
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check spectral-cube==0.7.0 radio-beam==0.3.10 astropy==8.0.2 numpy==2.4.6
env/bin/python - >seen <<'PYTHON'
import warnings

import astropy.units as u
import numpy as np
from astropy.io import fits
from radio_beam import Beam
from spectral_cube import SpectralCube

warnings.simplefilter("error")
cards = fits.Header()
for axis, kind, unit, value, step in ((1, "RA---SIN", "deg", 150, -1 / 3600), (2, "DEC--SIN", "deg", 2, 1 / 3600), (3, "FREQ", "Hz", 1.4e9, 1e6)):
    cards[f"CTYPE{axis}"], cards[f"CUNIT{axis}"], cards[f"CRVAL{axis}"] = kind, unit, value
    cards[f"CDELT{axis}"], cards[f"CRPIX{axis}"] = step, 1
cards["BMAJ"], cards["BMIN"], cards["BPA"], cards["BUNIT"], cards["RESTFRQ"] = 5 / 3600, 5 / 3600, 0.0, "Jy/beam", 1.4e9
fits.writeto("cube.fits", np.ones((3, 61, 61), "f4"), cards)


def show(name, cube):
    cube.write("again.fits", overwrite=True)
    plane = cube[0]
    beams = f".beam {cube.beam.major.to_value('arcsec'):.3g} header {cube.header['BMAJ'] * 3600:.3g}"
    beams += f" file {fits.getval('again.fits', 'BMAJ') * 3600:.3g} plane {plane.beam.major.to_value('arcsec'):.3g} arcsec"
    print(f"{name:24} {beams}, plane {plane.to(u.K).value[30, 30]:.0f} K")


cube = SpectralCube.read("cube.fits", use_dask=False)
show("at first", cube)
smooth = cube.convolve_to(Beam(10 * u.arcsec))
show("after convolve_to(10)", cube)
show("the convolved cube", smooth)
cube = SpectralCube.read("cube.fits", use_dask=False)
cube.with_beam(Beam(20 * u.arcsec), raise_error_jybm=False)
show("after with_beam(20)", cube)
cube = SpectralCube.read("cube.fits", use_dask=True)
cube.convolve_to(Beam(10 * u.arcsec))
show("convolved first, dask", cube)
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
