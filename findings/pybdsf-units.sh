#!/usr/bin/env bash
# PyBDSF lists the fluxes of an image in mJy/beam, or in kelvin, as Jy.
#
# Versions: bdsf 1.14.0, astropy 8.0.2, numpy 2.4.6
# Behaviour: BUNIT is read nowhere. The pixels' numbers become fluxes in columns whose units are stated as Jy and Jy/beam: a
#   source of a tenth of a jansky in an image in mJy/beam has a Total_flux of 100 Jy. Nothing is said of it, in
#   the log either, which gives the noise too as a number of Jy/beam.
# Expected: 0.1 Jy, a column in mJy, or a refusal of what is no brightness in Jy.
# Needs: python3 (3.11 or later) and PyPI; about two minutes
# Seen:
#> a tenth of a Jy in JY/BEAM  Total_flux 0.1 Jy, Peak_flux in Jy / beam
#> a tenth of a Jy in mJy/beam Total_flux 100 Jy, Peak_flux in Jy / beam
#> a tenth of a Jy in K        Total_flux 2000 Jy, Peak_flux in Jy / beam
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
from astropy.table import Table

with contextlib.redirect_stdout(sys.stderr):
    import bdsf

SIDE, PIXEL, NOISE = 121, 1.8, 1e-4
rows, columns = (np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2) * PIXEL
image = 0.1 * np.exp(-4 * np.log(2) * (rows**2 + columns**2) / 6**2) + np.random.default_rng(1).normal(0, NOISE, (SIDE, SIDE))
for unit, factor in (("JY/BEAM", 1), ("mJy/beam", 1000), ("K", 20000)):
    cards = fits.Header()
    for axis, kind, value, step in ((1, "RA---SIN", 150, -PIXEL), (2, "DEC--SIN", 30, PIXEL)):
        cards[f"CTYPE{axis}"], cards[f"CRVAL{axis}"], cards[f"CDELT{axis}"] = kind, value, step / 3600
        cards[f"CRPIX{axis}"], cards[f"CUNIT{axis}"] = (SIDE + 1) / 2, "deg"
    cards["BMAJ"], cards["BMIN"], cards["BPA"], cards["BUNIT"] = 6 / 3600, 6 / 3600, 0.0, unit
    fits.writeto("image.fits", (image * factor).astype("f4"), cards, overwrite=True)
    with contextlib.redirect_stdout(sys.stderr):
        found = bdsf.process_image("image.fits", quiet=True, rms_box=(40, 10), rms_map=False, thresh="hard", frequency=1.4e9, ncores=1)
        found.write_catalog(outfile="pybdsf.fits", format="fits", catalog_type="srl", clobber=True)
    table = Table.read("pybdsf.fits")
    row = max(table, key=lambda row: row["Total_flux"])
    total = f"{row['Total_flux']:.4g} {table['Total_flux'].unit}"
    print(f"a tenth of a Jy in {unit:8} Total_flux {total}, Peak_flux in {table['Peak_flux'].unit}")
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
