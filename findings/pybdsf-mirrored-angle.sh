#!/usr/bin/env bash
# The position angles of PyBDSF's sources are mirrored where an image is: 150 degrees in place of 30.
#
# Versions: bdsf 1.14.0, astropy 8.0.2, numpy 2.4.6
# Behaviour: north is found by the image's WCS, so angles of a turned image are right; where east lies from there is not
#   asked, and taken to be on the left. Of an image with positive CDELT1, or with negative CDELT2, PA and DC_PA are 180
#   degrees minus the true ones, in the catalogue and, by it, in the regions. Positions, sizes and fluxes are right.
# Expected: angles from north through east, as the catalogue's column is described, whichever way the pixels run.
# Needs: python3 (3.11 or later) and PyPI; about two minutes
# Seen:
#> east left, north up       off by 0.0 arcsec, 24 x 9 arcsec, PA  30, DC_PA  30
#> turned by 40 degrees      off by 0.0 arcsec, 24 x 9 arcsec, PA  30, DC_PA  30
#> east right, north up      off by 0.0 arcsec, 24 x 9 arcsec, PA 150, DC_PA 150
#> east left, north down     off by 0.0 arcsec, 24 x 9 arcsec, PA 150, DC_PA 150
#> east right, north down    off by 0.0 arcsec, 24 x 9 arcsec, PA  30, DC_PA  30
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
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS

with contextlib.redirect_stdout(sys.stderr):
    import bdsf

SIDE, PIXEL, MAJOR, MINOR, ANGLE, NOISE = 121, 1.8, 24.0, 9.0, 30.0, 1e-4


def write(east, north, turned):
    cards, turn = fits.Header(), np.radians(turned)
    for axis, kind, value, step in ((1, "RA---SIN", 150, east * PIXEL), (2, "DEC--SIN", 30, north * PIXEL)):
        cards[f"CTYPE{axis}"], cards[f"CRVAL{axis}"], cards[f"CDELT{axis}"] = kind, value, step / 3600
        cards[f"CRPIX{axis}"], cards[f"CUNIT{axis}"] = (SIDE + 1) / 2, "deg"
    if turned:
        cards["PC1_1"], cards["PC1_2"], cards["PC2_1"], cards["PC2_2"] = np.cos(turn), np.sin(turn), -np.sin(turn), np.cos(turn)
    cards["BMAJ"], cards["BMIN"], cards["BPA"], cards["BUNIT"], cards["RADESYS"] = 6 / 3600, 6 / 3600, 0.0, "JY/BEAM", "ICRS"
    rows, columns = np.mgrid[:SIDE, :SIDE]
    sky, centre = (WCS(cards).pixel_to_world(x, y) for x, y in ((columns, rows), (SIDE // 2 + 5, SIDE // 2 + 9)))
    apart, angle = centre.separation(sky).arcsec, centre.position_angle(sky).rad - np.radians(ANGLE)
    source = 0.1 * np.exp(-4 * np.log(2) * ((apart * np.cos(angle) / MAJOR) ** 2 + (apart * np.sin(angle) / MINOR) ** 2))
    image = source + np.random.default_rng(1).normal(0, NOISE, source.shape)
    fits.writeto("image.fits", image.astype("f4"), cards, overwrite=True)
    return centre


ways = {
    "east left, north up": (-1, 1, 0),
    "turned by 40 degrees": (-1, 1, 40),
    "east right, north up": (1, 1, 0),
    "east left, north down": (-1, -1, 0),
    "east right, north down": (1, -1, 0),
}
for name, way in ways.items():
    centre = write(*way)
    with contextlib.redirect_stdout(sys.stderr):
        image = bdsf.process_image("image.fits", quiet=True, rms_box=(40, 10), rms_map=False, thresh="hard", frequency=1.4e9, ncores=1)
        image.write_catalog(outfile="catalogue.fits", format="fits", catalog_type="gaul", clobber=True)
    rows = fits.getdata("catalogue.fits")
    row = rows[np.argmax(rows["Total_flux"])]
    off = centre.separation(SkyCoord(row["RA"], row["DEC"], unit="deg")).arcsec
    shape = f"{row['Maj'] * 3600:.0f} x {row['Min'] * 3600:.0f} arcsec"
    print(f"{name:25} off by {off:.1f} arcsec, {shape}, PA {row['PA']:3.0f}, DC_PA {row['DC_PA']:3.0f}")
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
