#!/usr/bin/env bash
# PyBDSF lists the galactic longitude and latitude of a source as its right ascension and declination.
#
# Versions: bdsf 1.14.0, astropy 8.0.2, numpy 2.4.6
# Behaviour: an image with GLON and GLAT is searched without a word, and the columns RA and DEC of its catalogue hold l and b
#   in degrees. The region file says fk5 of the same numbers. Angles are from galactic north. Nothing in the FITS catalogue
#   says galactic but the copied cards of the image in its comments. (Aegean calls the columns lon and lat.)
# Expected: right ascension and declination of the source in columns of these names, or columns of other names.
# Needs: python3 (3.11 or later) and PyPI; about two minutes
# Seen:
#> source at l 30.00 b 1.00, right ascension 280.63 declination -2.15
#> PyBDSF RA 30.00 DEC 1.00, region file in fk5
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check bdsf==1.14.0 astropy==8.0.2 numpy==2.4.6
env/bin/python - >seen 2>log <<'PYTHON' || { cat log; exit 1; }
import contextlib
import sys
import warnings

warnings.simplefilter("ignore")
import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

with contextlib.redirect_stdout(sys.stderr):
    import bdsf

SIDE, PIXEL, NOISE = 121, 1.8, 1e-4
cards = fits.Header()
for axis, kind, value, step in ((1, "GLON-SIN", 30, -PIXEL), (2, "GLAT-SIN", 1, PIXEL)):
    cards[f"CTYPE{axis}"], cards[f"CRVAL{axis}"], cards[f"CDELT{axis}"] = kind, value, step / 3600
    cards[f"CRPIX{axis}"], cards[f"CUNIT{axis}"] = (SIDE + 1) / 2, "deg"
cards["BMAJ"], cards["BMIN"], cards["BPA"], cards["BUNIT"] = 6 / 3600, 6 / 3600, 0.0, "JY/BEAM"
rows, columns = (np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2) * PIXEL
image = 0.1 * np.exp(-4 * np.log(2) * (rows**2 + columns**2) / 6**2) + np.random.default_rng(1).normal(0, NOISE, (SIDE, SIDE))
fits.writeto("image.fits", image.astype("f4"), cards)
truth = WCS(cards).pixel_to_world((SIDE - 1) / 2, (SIDE - 1) / 2)
print(f"source at l {truth.l.deg:.2f} b {truth.b.deg:.2f}, right ascension {truth.icrs.ra.deg:.2f} declination {truth.icrs.dec.deg:.2f}")
with contextlib.redirect_stdout(sys.stderr):
    found = bdsf.process_image("image.fits", quiet=True, rms_box=(40, 10), rms_map=False, thresh="hard", frequency=1.4e9, ncores=1)
    found.write_catalog(outfile="pybdsf.fits", format="fits", catalog_type="srl", clobber=True)
    found.write_catalog(outfile="pybdsf.reg", format="ds9", catalog_type="srl", clobber=True)
row = max(fits.getdata("pybdsf.fits"), key=lambda row: row["Total_flux"])
print(f"PyBDSF RA {row['RA']:.2f} DEC {row['DEC']:.2f}, region file in", open("pybdsf.reg").read().splitlines()[2])
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
