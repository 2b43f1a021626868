#!/usr/bin/env bash
# STILTS takes the header of a CSV file for a row where every column is text.
#
# Versions: STILTS 3.4.7 (Debian 12, stilts 3.4.7-4)
# Behaviour: where every cell is text nothing tells the names from the rows, so the columns are called col1, col2 and
#   the table has a row too many. A column of numbers, or an empty one, is enough to tell. header=true helps.
# Expected: the first line names the columns, as it does where one of them holds numbers.
# Needs: Debian 12 (apt-get, dpkg), java (11 or later); 7 MB are unpacked into a temporary folder, nothing is
#   installed
# Seen:
#> J1,FRI, csv: col1,col2 name,label J1,FRI
#> J1,FRI, csv(header=true): name,label J1,FRI
#> J1,1, csv: name,label J1,1
#> J1,1, csv(header=true): name,label J1,1
#> J1,, csv: name,label J1,
#> J1,, csv(header=true): name,label J1,
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
for row in J1,FRI J1,1 J1,; do
  printf 'name,label\n%s\n' "$row" >table.csv
  for form in csv 'csv(header=true)'; do
    echo "$row, $form: $(stilts tpipe in=table.csv ifmt="$form" ofmt=csv | paste -sd ' ')"
  done
done >seen
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
