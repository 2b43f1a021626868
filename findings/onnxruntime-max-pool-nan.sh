#!/usr/bin/env bash
# MaxPool of ONNX Runtime answers NaN at one place of a window and drops it at the others.
#
# Versions: onnxruntime 1.32.0, onnx 1.23.2
# Behaviour: of windows of 2 x 2 ONNX Runtime answers NaN where it stands in the last place, and onnx's own reference
#   evaluator where it stands in the first; elsewhere both answer as if the pixel were absent. Relu keeps NaN in both.
#   PyTorch's max_pool2d, where such models come from, answers NaN at every place.
# Expected: NaN wherever the window holds one, so that an image with blank pixels answers NaN, as the network that was
#   exported does.
# Needs: python3 (3.11 or later) and PyPI; about a minute
# Seen:
#> MaxPool (0, 0) onnxruntime, reference: 0 1
#> MaxPool (0, 1) onnxruntime, reference: 0 0
#> MaxPool (1, 0) onnxruntime, reference: 0 0
#> MaxPool (1, 1) onnxruntime, reference: 1 0
#> Relu (0, 0) onnxruntime, reference: 1 1
#> Relu (0, 1) onnxruntime, reference: 1 1
#> Relu (1, 0) onnxruntime, reference: 1 1
#> Relu (1, 1) onnxruntime, reference: 1 1
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
env/bin/python - >seen <<'PYTHON'
import numpy as np
import onnxruntime
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1, side, side]) for name, side in (("x", 4), ("y", 2))]
for node in (
    helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2], strides=[2, 2]),
    helper.make_node("Relu", ["x"], ["y"]),
):
    outs = ends[1:] if node.op_type == "MaxPool" else [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 4, 4])]
    graph = helper.make_graph([node], "one", ends[:1], outs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    for place in np.ndindex(2, 2):
        image = np.zeros((1, 1, 4, 4), np.float32)
        image[(0, 0, *place)] = np.nan
        answers = [run(None, {"x": image})[0] for run in (session.run, ReferenceEvaluator(model).run)]
        print(node.op_type, place, "onnxruntime, reference:", *(int(np.isnan(answer).sum()) for answer in answers))
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
