#!/usr/bin/env bash
# In a STILTS cut a missing integer is neither above nor not above 2, and a missing double is not above it.
#
# Versions: STILTS 3.4.7 (Debian 12, stilts 3.4.7-4)
# Behaviour: nulls of integer columns make an expression null, and the row is left out; nulls of floating-point
#   columns are NaN, which is not above 2, so !(p > 2) and p != 2 take the row along. That is so of columns which
#   VOTable and FITS call null alike.
# Expected: the same rows for n and p, which hold the same numbers and are missing in the same row.
# Needs: Debian 12 (apt-get, dpkg), java (11 or later); 7 MB are unpacked into a temporary folder, nothing is
#   installed
# Seen:
#> n > 2: 3
#> !(n > 2): 1
#> n != 2: 1 3
#> p > 2: 3.0
#> !(p > 2): 1.0 none
#> p != 2: 1.0 none 3.0
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download --quiet \
  starlink-ttools-java=3.4.7-4 starlink-table-java=4.1.3-1 starlink-util-java=1.0+2022.09.23-2 \
  starlink-task-java=0.2+2022.07.21-1 starlink-fits-java=0.1+2022.07.21-1 starlink-votable-java=2.0+2022.08.30-1 \
  starlink-tjoin-java=1.0.+2022.10.03-1 jel-java=2.1.2-2 >apt.log 2>&1 || { cat apt.log; exit 2; }
for package in *.deb; do dpkg -x "$package" unpacked; done
stilts() { java -jar unpacked/usr/share/java/starlink-ttools.jar "$@"; }
cat >table.vot <<'VOTABLE'
<VOTABLE version="1.3"><RESOURCE><TABLE>
<FIELD name="n" datatype="int"><VALUES null="-1"/></FIELD><FIELD name="p" datatype="double"/>
<DATA><TABLEDATA><TR><TD>1</TD><TD>1</TD></TR><TR><TD>-1</TD><TD/></TR><TR><TD>3</TD><TD>3</TD></TR></TABLEDATA></DATA>
</TABLE></RESOURCE></VOTABLE>
VOTABLE
for column in n p; do
  for cut in "$column > 2" "!($column > 2)" "$column != 2"; do
    stilts tpipe in=table.vot cmd="select \"$cut\"" cmd="keepcols $column" ofmt=csv-noheader >rows
    echo "$cut: $(sed 's/^$/none/' rows | paste -sd ' ')"
  done
done >seen
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
