#!/usr/bin/env bash
# A DS9 region file without a frame, or in DS9's own default frame, has no regions at all.
#
# Versions: regions 0.12, astropy 8.0.2
# Behaviour: DS9 itself takes such a file as physical coordinates. regions answers an empty list with a warning; so it
#   does for the frame 'physical' by name, and for sizes of the other kind (arcsec in an image frame).
# Expected: pixel regions, or an error: an empty list looks like a file without sources.
# Needs: python3 (3.11 or later) and PyPI; about a minute
# Seen:
#> circle(10,20,5) -> 0
#> physical; circle(10,20,5) -> 0
#> image; circle(10,20,5") -> 0
#> image; circle(10,20,5) -> 1
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check regions==0.12 astropy==8.0.2 numpy==2.4.6
env/bin/python - >seen <<'PYTHON'
import warnings

from regions import Regions

warnings.simplefilter("ignore")
for text in ("circle(10,20,5)", "physical; circle(10,20,5)", 'image; circle(10,20,5")', "image; circle(10,20,5)"):
    print(text, "->", len(Regions.parse(text, format="ds9")))
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
