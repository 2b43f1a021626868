#!/usr/bin/env bash
# In a CSV file with empty cells Gnuastro moves numbers into the column on their left, without a word.
#
# Versions: Gnuastro 0.19 (Debian 12, gnuastro 0.19-1+b2)
# Behaviour: two commas in a row are one delimiter, and one at the end of a line is none. Where each row lacks a number of
#   its own, as sources without a redshift or a spectral index do, rows are as long as one another, and each number after an
#   empty cell is read, sorted and averaged with the column before its own. The first row says how many columns there are:
#   of a longer one after it the last number is dropped, and a shorter one is refused.
# Expected: a blank in the empty cell, as of every reader of CSV.
# Needs: Debian 12 (apt-get, dpkg) with the libraries of images and networks that gnuastro asks for (libtiff, libjpeg, libcurl);
#   9 MB are unpacked into a temporary folder, nothing is installed
# Seen:
#> 1,0.12,,0.9 is read as 1 0.12 0.9
#> 2,,-0.7,0.8 is read as 2 -0.7 0.8
#> 3,0.34,-0.8, is read as 3 0.34 -0.8
#> mean of the second column: -0.08
#> 4,0.5,-0.6,0.7 after these is read as 4 0.5 -0.6
#> 4,0.5,-0.6,0.7 before these: refused
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
printf '%s\n' 1,0.12,,0.9 2,,-0.7,0.8 3,0.34,-0.8, >sources.csv
row() { sed -n "$1p" | awk '{for (i = 1; i <= NF; i++) $i += 0; print}'; }
{
  for n in 1 2 3; do echo "$(sed -n "${n}p" sources.csv) is read as $(asttable sources.csv | row $n)"; done
  echo "mean of the second column: $(aststatistics sources.csv --column=2 --mean | row 1)"
  echo 4,0.5,-0.6,0.7 >complete.csv
  cat sources.csv complete.csv >after.csv
  cat complete.csv sources.csv >before.csv
  echo "4,0.5,-0.6,0.7 after these is read as $(asttable after.csv | row 4)"
  echo "4,0.5,-0.6,0.7 before these: $(asttable before.csv >rows 2>&1 && echo read || echo refused)"
} >seen
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
