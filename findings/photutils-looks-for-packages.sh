#!/usr/bin/env bash
# photutils looks for optional packages on disk whenever a SourceCatalog is made.
#
# Versions: photutils 3.0.0, astropy 8.0.2
# Behaviour: every SourceCatalog asks the import system for each optional package that is not installed, to write the
#   versions into the table's metadata. That is nearly all of the time that making one takes.
# Expected: versions are looked up once, when the module is imported or when the metadata is first asked for.
# Needs: python3 (3.11 or later) and PyPI; about a minute
# Seen:
#> packages that are not there: looked for by the first catalogue: True
#> looked for again by every further one: True
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check photutils==3.0.0 astropy==8.0.2 numpy==2.4.6
env/bin/python - >seen <<'PYTHON'
import sys

import numpy as np
from photutils.segmentation import SegmentationImage, SourceCatalog

asked = []


class Watch:
    """First of the finders: notes what is looked for, and finds nothing."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        asked.append(name)


def catalogue():
    SourceCatalog(np.ones((9, 9)), SegmentationImage(np.eye(9, dtype=int)))


sys.meta_path.insert(0, Watch)
counts = []
for _ in range(4):
    before = len(asked)
    catalogue()
    counts.append({name for name in asked[before:] if "." not in name})
print("packages that are not there: looked for by the first catalogue:", bool(counts[0]))
print("looked for again by every further one:", all(counts[1:]) and counts[1] == counts[2] == counts[3])
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
