#!/usr/bin/env bash
# To Gnuastro a mask of 0 and 255 has no pixel that is set: 255 is blank in every image of bytes, also without BLANK.
#
# Versions: Gnuastro 0.19 (Debian 12, gnuastro 0.19-1+b2), astropy 8.0.2
# Behaviour: the largest number of an unsigned byte and the smallest of a signed 16-bit integer stand for blank in memory, and
#   pixels that hold them are blank though the header has no BLANK: they are counted and averaged by nobody. In a column of
#   bytes without TNULL, asttable prints 255 and leaves its row out of every cut.
# Expected: numbers. By the standard nothing is undefined in integers without BLANK, or TNULL.
# Needs: Debian 12 (apt-get, dpkg) with the libraries of images and networks that gnuastro asks for (libtiff, libjpeg, libcurl),
#   python3 (3.11 or later) and PyPI; about a minute, 9 MB are unpacked into a temporary folder, nothing is installed
# Seen:
#> mask of 0 and 255, half each: 50 pixels of 100, mean 0, maximum 0
#> mask of 0 and 254, half each: 100 pixels of 100, mean 127, maximum 254
#> int16 of 1 and -32768: 50 pixels of 100, mean 1, maximum 1
#> column of bytes: 1 254 255
#> the rows above 100: 254
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
from astropy.table import Table

half = np.arange(100).reshape(10, 10) < 50
for name, low, high, kind in (("255", 0, 255, np.uint8), ("254", 0, 254, np.uint8), ("int16", 1, -32768, np.int16)):
    fits.writeto(f"{name}.fits", np.where(half, low, high).astype(kind))
Table({"n": np.array([1, 254, 255], np.uint8)}).write("table.fits")
PYTHON
statistics() {
  read -r number mean maximum <<<"$(aststatistics "$1" --hdu=0 --number --mean --maximum)"
  echo "$number pixels of 100, mean $mean, maximum $maximum"
}
{
  echo "mask of 0 and 255, half each: $(statistics 255.fits)"
  echo "mask of 0 and 254, half each: $(statistics 254.fits)"
  echo "int16 of 1 and -32768: $(statistics int16.fits)"
  echo "column of bytes: $(asttable table.fits | paste -sd ' ' | tr -s ' ')"
  echo "the rows above 100: $(asttable table.fits --range=n,100:1000 | paste -sd ' ')"
} >seen
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
