#!/usr/bin/env bash
# Two sources whose names agree up to the decimal point become one sample of a WebDataset.
#
# Versions: webdataset 1.0.2, numpy 2.4.6
# Behaviour: a name is cut at its first dot, and names of the IAU's form have one in their right ascension. The writer takes
#   them as keys; read back, the key is what stands before the dot, the rest belongs to the suffix, neighbours in the tar
#   whose beginnings agree are one sample, and "npy" is none of its parts. Names without a dot come back.
# Expected: the samples that were written, or a refusal of such keys.
# Needs: python3 (3.11 or later) and PyPI; about a minute
# Seen:
#> written 3 samples
#> read    J084957 ['6+273059.npy', '9+273102.npy']
#> read    J1200+1200 ['npy']
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check webdataset==1.0.2 numpy==2.4.6
env/bin/python - >seen <<'PYTHON'
import numpy as np
import webdataset

NAMES = ("J084957.6+273059", "J084957.9+273102", "J1200+1200")
with webdataset.TarWriter("cutouts.tar") as writer:
    for place, name in enumerate(NAMES):
        writer.write({"__key__": name, "npy": np.full(2, place, np.float32)})
print("written", len(NAMES), "samples")
for sample in webdataset.WebDataset("cutouts.tar", shardshuffle=False):
    print("read   ", sample["__key__"], sorted(part for part in sample if not part.startswith("__")))
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
