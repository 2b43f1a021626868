#!/usr/bin/env bash
# Fluxes that are computed from a column of VizieR's are written to a VOTable as 0.00.
#
# Versions: astropy 8.0.2, numpy 2.4.6
# Behaviour: what is computed from a column inherits its metadata, and with them the number of decimals that the archive
#   stated for it (precision). The writer prints the new numbers with that many, in TABLEDATA, the default, without a word:
#   4.13 mJy with two decimals, divided by 1000, is 0.00 Jy, and positions that were improved are as coarse as before. In
#   memory, in ECSV and in BINARY2 all digits are there.
# Expected: all digits, or those of the column alone that the archive wrote.
# Needs: python3 (3.11 or later) and PyPI; about a minute
# Seen:
#> in memory                   0.00413  150.1234567
#> VOTable                     0        150.123
#> VOTable, binary2            0.00413  150.1234567
#> VOTable, without precision  0.00413  150.1234567
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check astropy==8.0.2 numpy==2.4.6
env/bin/python - >seen <<'PYTHON'
import io

import astropy.units as u
from astropy.table import QTable, Table

STATED = """<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE><TABLE>
<FIELD name="Fint" datatype="double" unit="mJy" width="8" precision="2" ucd="phot.flux.density"/>
<FIELD name="RAJ2000" datatype="double" unit="deg" width="7" precision="3"/>
<DATA><TABLEDATA><TR><TD>4.13</TD><TD>150.123</TD></TR></TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"""

table = QTable.read(io.BytesIO(STATED.encode()), format="votable")
table["flux"] = table["Fint"].to(u.Jy)
table["ra"] = table["RAJ2000"] + 0.0004567 * u.deg


def line(name, table):
    print(f"{name:27} {float(table['flux'][0]):<8.7g} {float(table['ra'][0]):.10g}")


line("in memory", QTable(table, copy=True).as_array())
table.write("text.vot", format="votable")
line("VOTable", Table.read("text.vot").as_array())
table.write("binary.vot", format="votable", tabledata_format="binary2")
line("VOTable, binary2", Table.read("binary.vot").as_array())
for name in ("flux", "ra"):
    table[name].info.meta = {"ucd": table[name].info.meta.get("ucd")}
table.write("plain.vot", format="votable")
line("VOTable, without precision", Table.read("plain.vot").as_array())
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
