#!/usr/bin/env bash
# Gnuastro's crop turns every pixel of exactly 0 into NaN: of a CLEAN model or a mask only the sources are left.
#
# Versions: Gnuastro 0.19 (Debian 12, gnuastro 0.19-1+b2), astropy 8.0.2
# Behaviour: in floating-point images astcrop takes 0 for blank and writes NaN, wherever it lies and however few they are. The
#   mean of a cutout of a model image is that of its components; of a mask of 0 and 1 it is 1. The same mask as bytes stays
#   as it is, and so does a floating-point one with --zeroisnotblank.
# Expected: the pixels of the image: a crop has nothing to decide about them, and NaN is there to say blank.
# Needs: Debian 12 (apt-get, dpkg) with the libraries of images and networks that gnuastro asks for (libtiff, libjpeg, libcurl),
#   python3 (3.11 or later) and PyPI; about a minute, 9 MB are unpacked into a temporary folder, nothing is installed
# Seen:
#> image                        pixels 2601 NaN 0 mean 0.0096
#> astcrop                      pixels 2601 NaN 2576 mean 1.0000
#> astcrop, as bytes            pixels 2601 NaN 0 mean 0.0096
#> astcrop --zeroisnotblank     pixels 2601 NaN 0 mean 0.0096
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download --quiet gnuastro=0.19-1+b2 libgnuastro17=0.19-1+b2 libcfitsio10=4.2.0-3 libwcs7=7.12+ds-1+b2 libgsl27 \
  libgslcblas0 libgit2-1.5 libhttp-parser2.9 libmbedtls14 libmbedx509-1 libmbedcrypto7 >apt.log 2>&1 || { cat apt.log; exit 2; }
for package in *.deb; do dpkg -x "$package" unpacked; done
mkdir .gnuastro
cp unpacked/etc/*.conf .gnuastro
LD_LIBRARY_PATH=$(echo "$PWD"/unpacked/usr/lib/*-linux-gnu)
export LD_LIBRARY_PATH PATH=$PWD/unpacked/usr/bin:$PATH
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check astropy==8.0.2 numpy==2.4.6
env/bin/python - <<'PYTHON'
import numpy as np
from astropy.io import fits

model = np.zeros((101, 101))
model[48:53, 48:53] = 1
for name, kind in (("float", np.float32), ("bytes", np.uint8)):
    fits.writeto(f"{name}.fits", model.astype(kind))
PYTHON
crop() { astcrop --quiet --hdu=0 --mode=img --center=51,51 --width=51 "$@"; }
crop float.fits --output=plain.fits
crop bytes.fits --output=as-bytes.fits
crop float.fits --zeroisnotblank --output=kept.fits
env/bin/python - >seen <<'PYTHON'
import numpy as np
from astropy.io import fits

crops = {name: fits.getdata(f"{name}.fits", 1) for name in ("plain", "as-bytes", "kept")}
for name, pixels in (
    ("image", fits.getdata("float.fits")[25:76, 25:76]),
    ("astcrop", crops["plain"]),
    ("astcrop, as bytes", crops["as-bytes"]),
    ("astcrop --zeroisnotblank", crops["kept"]),
):
    print(f"{name:28} pixels {pixels.size} NaN {np.isnan(pixels).sum()} mean {np.nanmean(pixels):.4f}")
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
