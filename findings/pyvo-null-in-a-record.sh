#!/usr/bin/env bash
# Rows of an archive's answer hold 0, False or -99 where the archive has no number.
#
# Versions: pyvo 1.9.1, astropy 8.0.2
# Behaviour: for row in results, results[0] and getvalue answer what lies below the mask: 0 for an empty cell of whole
#   numbers, the number that VALUES names for null where there is one, False for a logical without an answer. Columns
#   (results["n"]) and to_table() are masked. Floating-point numbers are NaN in each, so that nothing is amiss until a
#   column of whole numbers is read: counts, flags, classes and numbers of a source in another catalogue.
# Expected: masked or None in a row as in its column.
# Needs: python3 (3.11 or later) and PyPI; about a minute
# Seen:
#> components rows [2, 0] value 0 column [2, None] table [2, None]
#> gaia       rows [47, -99] value -99 column [47, None] table [47, None]
#> resolved   rows [True, False] value False column [True, None] table [True, None]
#> flux       rows [2.5, nan] value nan column [2.5, None] table [2.5, None]
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check astropy==8.0.2 pyvo==1.9.1 numpy==2.4.6
env/bin/python - >seen <<'PYTHON'
import io

from astropy.io.votable import parse
from pyvo.dal import DALResults

answer = """<?xml version="1.0"?>
<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE type="results">
<INFO name="QUERY_STATUS" value="OK"/><TABLE><FIELD name="name" datatype="char" arraysize="*"/>
<FIELD name="components" datatype="int"/><FIELD name="gaia" datatype="long"><VALUES null="-99"/></FIELD>
<FIELD name="resolved" datatype="boolean"/><FIELD name="flux" datatype="float"/><DATA><TABLEDATA>
<TR><TD>A</TD><TD>2</TD><TD>47</TD><TD>T</TD><TD>2.5</TD></TR><TR><TD>B</TD><TD/><TD>-99</TD><TD/><TD/></TR>
</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"""
results = DALResults(parse(io.BytesIO(answer.encode())))
for name in ("components", "gaia", "resolved", "flux"):
    rows, table = [row[name].item() for row in results], results.to_table()
    print(f"{name:10} rows {rows} value {results.getvalue(name, 1)}", end=" ")
    print(f"column {results[name].tolist()} table {table[name].tolist()}")
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
