#!/usr/bin/env bash
# Positions of Aegean's catalogues are single precision in FITS, and double in its other forms.
#
# Versions: AegeanTools 2.3.5, astropy 8.0.2, numpy 2.4.6
# Behaviour: every floating-point column is written as E, right ascension and declination too: beyond right ascension 256
#   up to 0.055 arcsec are lost, more than the errors of bright sources, and ids made of positions differ between forms.
#   VOTable and CSV of the same sources keep all digits.
# Expected: the same numbers in each form.
# Needs: python3 (3.11 or later) and PyPI; about two minutes
# Seen:
#> written    350.1234568
#> fits   >f4 350.1234436 off by 0.047 arcsec
#> vot    <f8 350.1234568 off by 0.000 arcsec
#> csv    <f8 350.1234568 off by 0.000 arcsec
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check AegeanTools==2.3.5 astropy==8.0.2 numpy==2.4.6
env/bin/python - >seen <<'PYTHON'
import contextlib
import logging
import sys
import warnings

warnings.simplefilter("ignore")
from AegeanTools.catalogs import save_catalog
from AegeanTools.models import ComponentSource
from astropy.table import Table

logging.disable(logging.CRITICAL)
RA = 350.123456789


source = ComponentSource()
source.island, source.ra, source.dec, source.peak_flux = 1, RA, 2.0, 1.0
print(f"written    {RA:.7f}")
for form in ("fits", "vot", "csv"):
    with contextlib.redirect_stdout(sys.stderr):
        save_catalog(f"a.{form}", [source])
    ra = Table.read(f"a_comp.{form}")["ra"]
    print(f"{form:6} {ra.dtype.str} {float(ra[0]):.7f} off by {abs(float(ra[0]) - RA) * 3600:.3f} arcsec")
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
