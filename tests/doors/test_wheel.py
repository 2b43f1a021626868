"""What the wheel holds: the package, its pages, its cards and three teams; and nothing else."""

import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest

from equiradio.libraries import is_stale

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "equiradio"
SHIPPED = {".py", ".c", ".h", ".typed", ".csv", ".html", ".js", ".css", ".svg", ".json", ".safetensors"}
LARGEST = 12e6  # bytes


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built offline from this tree."""
    missing = [name for name in ("hatchling", "hatch_vcs") if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"{' and '.join(missing)} not installed: install the extra dev to build the wheel here")
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    (file,) = out.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def names(wheel):
    with zipfile.ZipFile(wheel) as file:
        return {name for name in file.namelist() if ".dist-info/" not in name}


def test_it_holds_the_package_and_nothing_else(names):
    there = {path.relative_to(ROOT / "src").as_posix() for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert names == there
    assert {Path(name).suffix for name in names} - {".so"} == SHIPPED


def test_a_wheel_with_compiled_kernels_is_for_one_platform(wheel, names):
    compiled = [name for name in names if name.endswith(".so")]
    assert wheel.name.endswith("-py3-none-any.whl") == (not compiled)
    if shutil.which("cc"):
        assert {"equiradio/layers/forms/native/steerable-plain.so", "equiradio/sky/resampling.so"} <= set(compiled)


def test_its_libraries_are_of_the_sources_in_it(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as file:
        file.extractall(tmp_path)
    assert [path.name for path in tmp_path.rglob("*.so") if is_stale(path)] == []


def test_it_says_that_it_is_typed_and_carries_its_pages(names):
    assert {"equiradio/py.typed", "equiradio/serve/static/index.html", "equiradio/datasets/frozen/mirabest_split.csv"} <= names


def test_it_carries_every_card_and_the_weights_of_three_teams(wheel, names):
    with zipfile.ZipFile(wheel) as file:
        manifest = json.loads(file.read("equiradio/weights/manifest.json"))
    assert {f"equiradio/weights/{name}/card.json" for name in manifest} <= names
    whole = {name for name, team in manifest.items() if {f"equiradio/weights/{name}/{file}" for file in team["files"]} <= names}
    assert whole == {"c4-attention", "c8-attention", "quick", "quick-wide"}
    assert {name.split("/")[2] for name in names if name.endswith(".safetensors")} == whole


def test_it_is_small(wheel):
    assert wheel.stat().st_size < LARGEST


def test_its_metadata_names_a_version_a_licence_and_every_extra(wheel):
    with zipfile.ZipFile(wheel) as file:
        (name,) = [name for name in file.namelist() if name.endswith(".dist-info/METADATA")]
        about = HeaderParser().parsestr(file.read(name).decode())
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert re.match(r"\d+\.\d+\.\d+", about["Version"])
    assert about["License-Expression"] == "BSD-3-Clause"
    assert set(about.get_all("Provides-Extra")) == set(extras)
