#!/usr/bin/env bash
# RADESYS in small letters, or a name that is not known, leaves a WCS without a frame.
#
# Versions: astropy 8.0.2
# Behaviour: pixel_to_world answers two numbers with units in place of a SkyCoord, without a warning, and
#   has_celestial stays true; EQUINOX beside it is not asked. RADESYS of a galactic header is ignored, as the standard
#   has it, but set on the WCS of that header it makes galactic longitudes right ascensions.
# Expected: a SkyCoord: FK5 for 'fk5', ICRS or the equinox's frame for a name that is not known; Galactic in every
#   case for GLON.
# Needs: python3 (3.11 or later) and PyPI; about a minute
# Seen:
#> FK5 celestial True answers SkyCoord
#> fk5 celestial True answers list
#> GAPPT celestial True answers list
#> galactic header with FK5: Galactic
#> set on its WCS: FK5
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check astropy==8.0.2 numpy==2.4.6
env/bin/python - >seen <<'PYTHON'
import warnings

from astropy.io import fits
from astropy.wcs import WCS
from astropy.wcs.utils import wcs_to_celestial_frame

warnings.simplefilter("error")


def header(side, scale_arcsec=1.8):
    cards = fits.Header()
    cards["NAXIS"], cards["NAXIS1"], cards["NAXIS2"] = 2, side, side
    for axis, kind, value, step in ((1, "RA---TAN", 150, -scale_arcsec), (2, "DEC--TAN", 30, scale_arcsec)):
        cards[f"CTYPE{axis}"], cards[f"CRVAL{axis}"], cards[f"CDELT{axis}"] = kind, value, step / 3600
        cards[f"CRPIX{axis}"] = (side + 1) / 2
    return cards


for name in ("FK5", "fk5", "GAPPT"):
    cards = header(20)
    cards["RADESYS"], cards["EQUINOX"] = name, 2000.0
    wcs = WCS(cards)
    print(name, "celestial", wcs.has_celestial, "answers", type(wcs.pixel_to_world(5, 5)).__name__)
cards["CTYPE1"], cards["CTYPE2"], cards["RADESYS"] = "GLON-TAN", "GLAT-TAN", "FK5"
wcs = WCS(cards)
print("galactic header with FK5:", type(wcs_to_celestial_frame(wcs)).__name__)
wcs.wcs.radesys = "FK5"
print("set on its WCS:", type(wcs_to_celestial_frame(wcs)).__name__)
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
