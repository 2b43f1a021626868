#!/usr/bin/env bash
# ONNX Runtime reads the pixels of a FITS image with their bytes in the wrong order.
#
# Versions: onnxruntime 1.32.0, onnx 1.23.2, astropy 8.0.2
# Behaviour: FITS is big-endian, and so are the arrays that astropy opens. The session takes such an array for a
#   native one, without an error: numbers come out as their bytes read backwards. image.astype(numpy.float32) before
#   helps; onnx's own reference evaluator refuses the type.
# Expected: the image, or a refusal as for other types that do not fit.
# Needs: python3 (3.11 or later) and PyPI; about a minute
# Seen:
#> in         >f4 [1.0, 2.0, 3.0]
#> out        <f4 [4.6e-41, 8.97e-44, 2.3e-41]
#> converted  [1.0, 2.0, 3.0]
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6 astropy==8.0.2
env/bin/python - >seen <<'PYTHON'
import numpy as np
import onnxruntime
from astropy.io import fits
from onnx import TensorProto, helper

fits.PrimaryHDU(np.array([1, 2, 3], np.float32)).writeto("image.fits")
pixels = fits.getdata("image.fits")

ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in "xy"]
graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "same", ends[:1], ends[1:])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
print("in        ", pixels.dtype.str, pixels.tolist())
(out,) = session.run(None, {"x": pixels})
print("out       ", out.dtype.str, [float(f"{value:.3g}") for value in out])
print("converted ", session.run(None, {"x": pixels.astype(np.float32)})[0].tolist())
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
