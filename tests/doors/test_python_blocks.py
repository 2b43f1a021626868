"""Every block of Python that a document shows runs, and what it imports of this package is on record as public."""

import ast
import json
import re
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
from sky_files import header, sky, write

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
BLOCKS = {path.relative_to(ROOT).as_posix(): BLOCK.findall(path.read_text(encoding="utf-8")) for path in DOCUMENTS}
SHOWN = {name: blocks for name, blocks in BLOCKS.items() if blocks}
RECORD = json.loads((ROOT / "tests" / "api_surface.json").read_text(encoding="utf-8"))


def imported(block: str) -> set[tuple[str, str]]:
    """Module and name of everything that a block takes from equiradio, as ``from`` imports or as attributes of the package."""
    names = set()
    for node in ast.walk(ast.parse(block)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "equiradio":
            names |= {(node.module, alias.name) for alias in node.names}
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "equiradio":
            names.add(("equiradio", node.attr))
    return names


@pytest.mark.parametrize("name", SHOWN)
def test_blocks_use_public_names_alone(name):
    public = {(module, each) for module, names in RECORD.items() for each in names}
    assert not set().union(*map(imported, SHOWN[name])) - public


def test_the_check_of_names_can_fail():
    assert imported("import equiradio\nequiradio.trian()\nfrom equiradio.layers import Nothing") == {
        ("equiradio", "trian"),
        ("equiradio.layers", "Nothing"),
    }


@pytest.fixture
def place(tmp_path, monkeypatch, untrained, trained):
    """A folder with what the documents' examples name: cutouts, a run with predictions, exported files."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "cutout.fits", sky(at=(5, -5)))
    (tmp_path / "cutouts").mkdir()
    for number in range(3):
        write(tmp_path / "cutouts" / f"J{number}.fits", sky(at=(number, 0), seed=number), header())
    np.save(tmp_path / "cutout.npy", np.random.default_rng(0).integers(0, 255, (150, 150), dtype=np.uint8))
    shutil.copytree(trained("lenet"), tmp_path / "runs" / "lenet-simulated-quick-seed0")
    return tmp_path


@pytest.mark.parametrize("name", SHOWN)
def test_the_blocks_of_a_document_run_one_after_the_other(name, place, untrained):
    from equiradio.export.write import write_export
    from equiradio.inference.team import load

    text = "\n".join(SHOWN[name])
    if "c4.onnx" in text or "c4.pt2" in text:
        pytest.importorskip("onnxruntime")
        team = load(untrained("c4-attention", kernel_size=3), "cpu")
        write_export(team, place / "c4.onnx", "onnx")
        write_export(team, place / "c4.pt2", "torch")
    scope: dict = {"__name__": "document"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of torch.export's reader
        for block in SHOWN[name]:
            exec(compile(block, name, "exec"), scope)
