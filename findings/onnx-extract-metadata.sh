#!/usr/bin/env bash
# onnx.utils.extract_model leaves out what the file says of itself.
#
# Versions: onnx 1.23.2
# Behaviour: metadata of model and graph, documentation, domain, version and producer are gone from the extracted
#   file, those of nodes stay. infer_shapes keeps them all, convert_version those of the model. A network cut out of
#   an export has lost its classes, its preprocessing and its licence.
# Expected: the same metadata: they say how the input is prepared, which cutting does not change.
# Needs: python3 (3.11 or later) and PyPI; about a minute
# Seen:
#> whole.onnx {'classes': 'FRI FRII'} 'classifies' 7 maker 'two layers'
#> part.onnx {} '' 0 onnx.utils.extract_model ''
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check onnx==1.23.2 numpy==2.4.6
env/bin/python - >seen <<'PYTHON'
import onnx
from onnx import TensorProto, helper

ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in "xy"]
nodes = [helper.make_node("Relu", ["x"], ["h"]), helper.make_node("Exp", ["h"], ["y"])]
graph = helper.make_graph(nodes, "whole", ends[:1], ends[1:], doc_string="two layers")
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10, producer_name="maker")
helper.set_model_props(model, {"classes": "FRI FRII"})
model.model_version, model.doc_string = 7, "classifies"
onnx.save(onnx.shape_inference.infer_shapes(model), "whole.onnx")
onnx.utils.extract_model("whole.onnx", "part.onnx", ["x"], ["h"])
for name in ("whole.onnx", "part.onnx"):
    read = onnx.load(name)
    metadata = {entry.key: entry.value for entry in read.metadata_props}
    print(name, metadata, repr(read.doc_string), read.model_version, read.producer_name, repr(read.graph.doc_string))
PYTHON
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
