#!/usr/bin/env bash
# Exact zeros of a Zarr array of version 2 are NaN in xarray: labels of class 0 are missing, and HEALPix numbers are rounded.
#
# Versions: xarray 2026.9.0, zarr 3.1.6
# Behaviour: zarr sets fill_value 0 by itself, which in its format is what was not written. xarray takes it for the sign of a
#   missing value where the format is version 2, and not where it is version 3, as its manual says: zeros become NaN, and
#   integers float64. use_zarr_fill_value_as_mask=False, which is to leave the values alone, changes nothing. No warning.
# Expected: what zarr reads, or at least with that setting.
# Needs: python3 (3.11 or later) and PyPI; about a minute
# Seen:
#> zarr itself, version 2       image [[0.0, 1.5], [2.5, 0.0]]
#> xarray, version 2            image [[nan, 1.5], [2.5, nan]] labels [nan, 1.0, 1.0, nan] ids of three 2
#> version 3                    image [[0.0, 1.5], [2.5, 0.0]] labels [0, 1, 1, 0] ids of three 3
#> version 2, not as mask       image [[nan, 1.5], [2.5, nan]] labels [nan, 1.0, 1.0, nan] ids of three 2
#> version 2, fill_value=None   image [[0.0, 1.5], [2.5, 0.0]] labels [0, 1, 1, 0] ids of three 3
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check xarray==2026.9.0 zarr==3.1.6 numpy==2.4.6
env/bin/python - >seen <<'PYTHON'
import warnings

import numpy as np
import xarray
import zarr

warnings.simplefilter("error")
image = np.array([[0, 1.5], [2.5, 0]], "f4")
labels = np.array([0, 1, 1, 0], "i8")  # FRI, FRII, FRII, FRI
ids = np.array([0, 2**53 + 1, 7, 8], "i8")


def write(path, version, **fill):
    group = zarr.open_group(path, mode="w", zarr_format=version)
    for name, values, axes in (("image", image, ["row", "column"]), ("label", labels, ["source"]), ("id", ids, ["source"])):
        names = {"dimension_names": axes} if version == 3 else {"attributes": {"_ARRAY_DIMENSIONS": axes}}
        group.create_array(name, shape=values.shape, dtype=values.dtype, **names, **fill)[:] = values


def show(name, path, **how):
    with xarray.open_zarr(path, consolidated=False, **how) as read:
        label, back = read["label"].values, read["id"].values
        print(f"{name:28} image {read['image'].values.tolist()} labels {label.tolist()} ids of three {sum(int(one) == other for one, other in zip(back[1:], ids[1:], strict=True))}")


write("two", 2)
write("three", 3)
write("none", 2, fill_value=None)
print("zarr itself, version 2      ", "image", zarr.open_group("two", mode="r")["image"][:].tolist())
show("xarray, version 2", "two")
show("version 3", "three")
show("version 2, not as mask", "two", use_zarr_fill_value_as_mask=False)
show("version 2, fill_value=None", "none")
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
