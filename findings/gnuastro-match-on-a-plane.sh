#!/usr/bin/env bash
# Gnuastro matches right ascensions and declinations as if they were x and y: at declination 60 half the radius is searched.
#
# Versions: Gnuastro 0.19 (Debian 12, gnuastro 0.19-1+b2)
# Behaviour: astmatch takes the square root of the sum of the squares of both differences, in degrees, for the distance,
#   whatever the columns are called. Of sources that lie 1.5 arcsec east of their partners, within 2 arcsec, those up to
#   declination 41 are matched; nothing is matched across right ascension 0. The distances that it writes are those too.
# Expected: distances on the sky, since units of degrees and columns of right ascension are what the tutorial matches; all six.
# Needs: Debian 12 (apt-get, dpkg) with the libraries of images and networks that gnuastro asks for (libtiff, libjpeg, libcurl);
#   9 MB are unpacked into a temporary folder, nothing is installed
# Seen:
#> 1.5 arcsec apart at declination 0: matched
#> 1.5 arcsec apart at declination 30: matched
#> 1.5 arcsec apart at declination 60: not matched
#> 1.5 arcsec apart at declination 80: not matched
#> 1.5 arcsec apart at declination -89: not matched
#> 1.5 arcsec apart across right ascension 0: not matched
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
columns='# Column 1: ra [deg, f64]
# Column 2: dec [deg, f64]'
matches() {
  printf '%s\n%s\n' "$columns" "$1 $3" >first.txt
  printf '%s\n%s\n' "$columns" "$2 $3" >second.txt
  astmatch --quiet first.txt second.txt --ccol1=ra,dec --ccol2=ra,dec --aperture=2/3600 --output=both.fits >log 2>&1 || true
  [[ -e both.fits && $(asttable both.fits --hdu=1 | wc -l) == 1 ]] && echo matched || echo "not matched"
  rm -f both.fits
}
for dec in 0 30 60 80 -89; do
  east=$(awk -v dec="$dec" 'BEGIN {printf "%.9f", 10 + 1.5 / 3600 / cos(dec * atan2(0, -1) / 180)}')
  echo "1.5 arcsec apart at declination $dec: $(matches 10 "$east" "$dec")"
done >seen
echo "1.5 arcsec apart across right ascension 0: $(matches 359.9998 0.000216667 0)" >>seen
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
