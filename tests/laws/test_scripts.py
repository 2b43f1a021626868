"""What benchmarks and scripts take from the package is there, and a run's own weights go before those of its model's team."""

import ast
import importlib
from pathlib import Path

import pytest

from equiradio.artefacts.run import Run
from equiradio.bench.measurements import Measurement
from equiradio.inference.team import load

ROOT = Path(__file__).parents[2]
FILES = [path for folder in ("benchmarks", "scripts") for path in sorted((ROOT / folder).rglob("*.py"))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_names_that_are_imported_exist(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "equiradio":
            module = importlib.import_module(node.module)
            for name in node.names:
                assert hasattr(module, name.name) or importlib.import_module(f"{node.module}.{name.name}"), (node.module, name.name)


def test_the_weights_of_a_run_are_its_own_where_it_has_some(untrained, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "scripts")
    folder = untrained("c4-attention", seed=1, kernel_size=3)
    member = importlib.import_module("make_maps").with_weights(Run(folder))
    assert member.weights_hash == load(folder, "cpu").members[0].weights_hash


def test_a_bench_goes_on_with_what_a_peer_measured():
    peer = ast.parse((ROOT / "benchmarks" / "peer_network.py").read_text(encoding="utf-8"))
    keys = [key for node in ast.walk(peer) if isinstance(node, ast.Dict) for key in node.keys]
    assert Measurement.__required_keys__ <= {key.value for key in keys if isinstance(key, ast.Constant)}
