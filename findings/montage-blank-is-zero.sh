#!/usr/bin/env bash
# Blank pixels of an integer image are fluxes of zero after Montage has shrunk it; those of a floating-point image stay NaN.
#
# Versions: MontagePy 2.3.0, astropy 8.0.2
# Behaviour: mShrink takes the pixels that hold BLANK for 0, averages them with their neighbours and writes floating
#   point: BLANK is gone, and an area that was not observed is quiet sky. The same image as float32 with NaN keeps its
#   blanks. mProject makes NaN of both.
# Expected: NaN where the image was blank, in both.
# Needs: python3 (3.11 or later) and PyPI; about a minute
# Seen:
#> mShrink    int16   NaN 0 zeros 225
#> mShrink    float32 NaN 225 zeros 0
#> mProject   int16   blank corner is all NaN
#> mProject   float32 blank corner is all NaN
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check MontagePy==2.3.0 astropy==8.0.2 numpy==2.4.6
env/bin/python - >seen <<'PYTHON'
import warnings

import numpy as np
from astropy.io import fits
from MontagePy.main import mGetHdr, mProject, mShrink

warnings.simplefilter("ignore")
noise = 20 + np.random.default_rng(0).integers(0, 10, (150, 150)).astype(np.int16)
noise[:45, :45] = -32768
cards = fits.Header()
for axis, kind, value, step in ((1, "RA---SIN", 150, -1.8), (2, "DEC--SIN", 30, 1.8)):
    cards[f"CTYPE{axis}"], cards[f"CRVAL{axis}"], cards[f"CDELT{axis}"] = kind, value, step / 3600
    cards[f"CRPIX{axis}"], cards[f"CUNIT{axis}"] = 75.5, "deg"
cards["EQUINOX"] = 2000.0
whole = fits.PrimaryHDU(noise, cards)
whole.header["BSCALE"], whole.header["BZERO"], whole.header["BLANK"] = 1e-5, 0.0, -32768
whole.writeto("int16.fits")
fits.writeto("float32.fits", fits.getdata("int16.fits").astype(np.float32), cards)
for name in ("int16", "float32"):
    assert mShrink(f"{name}.fits", f"{name}-small.fits", 3)["status"] == "0"
    small = fits.getdata(f"{name}-small.fits")
    print(f"mShrink    {name:7} NaN {np.isnan(small).sum()} zeros {(small == 0).sum()}")
for name in ("int16", "float32"):
    mGetHdr(f"{name}.fits", "grid.hdr")
    assert mProject(f"{name}.fits", f"{name}-new.fits", "grid.hdr")["status"] == "0"
    corner = fits.getdata(f"{name}-new.fits")[10:35, 10:35]
    words = "NaN" if np.isnan(corner).all() else "0" if (corner == 0).all() else corner
    print(f"mProject   {name:7} blank corner is all {words}")
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
