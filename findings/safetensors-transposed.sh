#!/usr/bin/env bash
# safetensors.numpy writes a transposed array with its numbers in the wrong places.
#
# Versions: safetensors 0.8.0, numpy 2.4.6
# Behaviour: save() writes the array's memory as it lies beside the shape as it is seen, so an array in column order
#   comes back shuffled, without a word. numpy.ascontiguousarray before saving helps.
# Expected: the array that was saved, or a refusal as safetensors.torch has one.
# Needs: python3 (3.11 or later) and PyPI; about a minute
# Seen:
#> saved          [[0.0, 2.0, 4.0], [1.0, 3.0, 5.0]]
#> loaded         [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
#> loaded, copied [[0.0, 2.0, 4.0], [1.0, 3.0, 5.0]]
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check safetensors==0.8.0 numpy==2.4.6
env/bin/python - >seen <<'PYTHON'
import numpy as np
from safetensors.numpy import load, save

weights = np.arange(6, dtype=np.float32).reshape(3, 2).T
print("saved         ", weights.tolist())
print("loaded        ", load(save({"w": weights}))["w"].tolist())
print("loaded, copied", load(save({"w": np.ascontiguousarray(weights)}))["w"].tolist())
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
