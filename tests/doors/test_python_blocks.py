"""Every block of Python that a document shows runs, and what it imports of this package is on record as public."""

import ast
import json
import re
import shutil
import warnings
from pathlib import Path

import pytest
from sky_files import header, write
from sky_files import sky as a_sky

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
BLOCKS = {path.relative_to(ROOT).as_posix(): BLOCK.findall(path.read_text(encoding="utf-8")) for path in DOCUMENTS}
SHOWN = {name: blocks for name, blocks in BLOCKS.items() if blocks}
ELSEWHERE = {"hats_import", "hyrax", "lsdb"}  # blocks with these need an environment of their own: rooms/survey/test_survey_recipes.py
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


def packages(block: str) -> set[str]:
    """Packages that a block imports."""
    nodes = list(ast.walk(ast.parse(block)))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    return {name.split(".")[0] for name in names}


PUBLIC = {(module, each) for module, names in RECORD.items() for each in names}
PLACES = {"equiradio.datasets", "equiradio.explain.parts"}  # where modules are found by being there: groups of entry points, no names


@pytest.mark.parametrize("name", SHOWN)
def test_blocks_use_public_names_alone(name):
    assert not set().union(*map(imported, SHOWN[name])) - PUBLIC


def unheard(text: str) -> set[str]:
    """Dotted names of the package in backticks that are neither public names nor modules that hold some."""
    names = set(re.findall(r"`(equiradio(?:\.\w+)+)[`(]", text))
    return {name for name in names if tuple(name.rsplit(".", 1)) not in PUBLIC and name not in RECORD.keys() | PLACES}


@pytest.mark.parametrize("name", BLOCKS)
def test_names_in_the_text_are_public(name):
    assert not unheard((ROOT / name).read_text(encoding="utf-8"))


def test_the_check_of_the_text_can_fail():
    assert unheard("`equiradio.load(x)`, `equiradio.lode(x)`, `equiradio.layers`, `equiradio.sky.cutout.cut`") == {
        "equiradio.lode",
        "equiradio.sky.cutout.cut",
    }


def test_the_check_of_names_can_fail():
    assert imported("import equiradio\nequiradio.trian()\nfrom equiradio.layers import Nothing") == {
        ("equiradio", "trian"),
        ("equiradio.layers", "Nothing"),
    }


@pytest.fixture
def place(tmp_path, monkeypatch, untrained, trained, sky):
    """A folder with what the documents' examples name: cutouts, data sets, a run with predictions, a team, exported files."""
    from equiradio.datasets.simulated import write_simulated
    from equiradio.datasets.simulated_cutouts import write_cutouts
    from equiradio.verbs.evaluate import evaluate

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EQUIRADIO_DATA", str(tmp_path / "data"))  # the same everywhere, whatever real data lie on this machine
    write(tmp_path / "cutout.fits", a_sky(at=(5, -5)))
    write_cutouts(2, 7, tmp_path / "cutouts")
    for number in range(3):
        write(tmp_path / "cutouts" / f"J{number}.fits", a_sky(at=(number, 0), seed=number), header())
    write_simulated(12, 7, tmp_path / "few")
    shutil.copytree(sky, tmp_path / "sky")
    run = tmp_path / "runs" / "lenet-simulated-quick-seed0"
    shutil.copytree(trained("lenet"), run)
    evaluate(run, passes=1)
    shutil.copytree(untrained("c4-attention", kernel_size=3), tmp_path / "teams" / "sky")
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
            if packages(block) & ELSEWHERE:
                continue
            exec(compile(block, name, "exec"), scope)
