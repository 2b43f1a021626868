#!/usr/bin/env bash
# An elliptical aperture on the sky lies mirrored on a mirrored image, and loses more than half of the source that it was made for.
#
# Versions: photutils 3.0.0, astropy 8.0.2, numpy 2.4.6
# Behaviour: to_pixel of elliptical and rectangular sky apertures finds north by the WCS and takes east to lie on its left. On
#   an image with positive CDELT1, or with north down, theta has the wrong sign, and aperture_photometry and ApertureStats,
#   which convert by themselves, sum up other pixels, without a warning. Turned images and long pixels are right. to_sky
#   errs in the same way, so that an aperture comes back as it was. (Issue 2287 of photutils, closed in development.)
# Expected: the ellipse that lies on the source; nearly all of the flux.
# Needs: python3 (3.11 or later) and PyPI; about a minute
# Seen:
#> east left, north up      flux in the aperture 0.95
#> turned by 40 degrees     flux in the aperture 0.95
#> east right, north up     flux in the aperture 0.38
#> east left, north down    flux in the aperture 0.38
#> east right, north down   flux in the aperture 0.95
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check photutils==3.0.0 astropy==8.0.2 numpy==2.4.6
env/bin/python - >seen <<'PYTHON'
import warnings

import astropy.units as u
import numpy as np
from astropy.wcs import WCS
from photutils.aperture import SkyEllipticalAperture, aperture_photometry

warnings.simplefilter("error")
SIDE, PIXEL, ANGLE = 121, 1.0, 40 * u.deg
SIGMAS = 20.0, 4.0
ways = {
    "east left, north up": (-1, 1, 0),
    "turned by 40 degrees": (-1, 1, 40),
    "east right, north up": (1, 1, 0),
    "east left, north down": (-1, -1, 0),
    "east right, north down": (1, -1, 0),
}
rows, columns = np.mgrid[:SIDE, :SIDE]
for name, (east, north, turned) in ways.items():
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ("RA---TAN", "DEC--TAN"), (150, 30), ((SIDE + 1) / 2, (SIDE + 1) / 2)
    wcs.wcs.cdelt = east * PIXEL / 3600, north * PIXEL / 3600
    turn = np.radians(turned)
    wcs.wcs.pc = [[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]
    sky, centre = wcs.pixel_to_world(columns, rows), wcs.pixel_to_world(SIDE // 2, SIDE // 2)
    apart, angle = centre.separation(sky).arcsec, centre.position_angle(sky) - ANGLE
    source = np.exp(-(((apart * np.cos(angle) / SIGMAS[0]) ** 2 + (apart * np.sin(angle) / SIGMAS[1]) ** 2) / 2)).value
    aperture = SkyEllipticalAperture(centre, 2.45 * SIGMAS[0] * u.arcsec, 2.45 * SIGMAS[1] * u.arcsec, theta=ANGLE)
    flux = float(aperture_photometry(source, aperture, wcs=wcs)["aperture_sum"][0]) / source.sum()
    print(f"{name:24} flux in the aperture {flux:.2f}")
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
