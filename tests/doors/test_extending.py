"""The three files that docs/how-to/extend.md shows work as they stand there, in a package of their own that names them as entry points."""

import re
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from equiradio.cli.main import main
from equiradio.datasets.registry import open_data
from equiradio.explain.case import Case, Effort
from equiradio.explain.folder import Folder
from equiradio.explain.part import parts
from equiradio.inference.team import load
from equiradio.layers import SteerableConvolution, forms
from equiradio.layers.forms import find_form
from equiradio.report.page import Page
from equiradio.symmetry import Cyclic, Dihedral

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "extend.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^```python\n# (more/\w+\.py)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))
ENTRIES = tomllib.loads(re.search(r"^```toml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)[1])["project"]["entry-points"]


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The package as the page shows it, on the path."""
    about = tmp_path / "more-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: more\nVersion: 1.0\n")
    lines = [f"[{group}]\n" + "".join(f"{name} = {module}\n" for name, module in each.items()) for group, each in ENTRIES.items()]
    (about / "entry_points.txt").write_text("\n".join(lines))
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "__init__.py").touch()
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    forms._all_forms.cache_clear()
    yield
    forms._all_forms.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "more"]:
        sys.modules.pop(name)


def test_the_page_shows_a_file_of_each_kind():
    assert sorted(FILES) == ["more/lit.py", "more/one_by_one.py", "more/squares.py"]
    assert {module for each in ENTRIES.values() for module in each.values()} == {"more.lit", "more.one_by_one", "more.squares"}


def test_the_data_set_is_listed_and_trained_on(installed, tmp_path, capsys):
    assert main(["data", "list"]) == 0
    assert "open and filled squares" in " ".join(capsys.readouterr().out.split())
    sources = open_data("squares")
    assert sources.classes.names == ("Open", "Filled")
    assert {split: len(sources.of_split(split)) for split in ("train", "validation", "test")} == dict.fromkeys(
        ("train", "validation", "test"), 8
    )
    out = tmp_path / "run"
    quick = ["--preset", "quick", "--epochs", "1", "--set", "precision=float32", "--device", "cpu"]
    assert main(["train", "--model", "lenet", "--data", "squares", "--out", str(out), *quick]) == 0
    assert load(out, "cpu").labels.names == ("Open", "Filled")


def test_without_the_package_there_is_no_such_data_set(capsys):
    assert main(["train", "--data", "squares"]) == 2
    assert "'squares' is not a data set nor a folder" in capsys.readouterr().err


def test_the_explanation_is_measured_and_on_the_page(installed, untrained, sky, tmp_path):
    pytest.importorskip("captum")
    (member,) = load(untrained("attention", kernel_size=3), "cpu").members
    test = open_data(str(sky)).of_split("test")
    case = Case("run", member, {}, test, test, test, Effort(deep=1, window=50), lambda what, done, total: None)
    folder, answer = Folder(tmp_path / "out"), {}
    assert list(parts())[list(parts()).index("lit") - 1] == "faithfulness"
    for name in ("maps", "lit"):
        answer[name], arrays = parts()[name].measure(case, folder)
        folder.write_part(name, answer[name], arrays)
    maps = folder.arrays("maps")["maps"][:, -1].astype(float)
    shares = [plane[image > 0].sum() / plane.sum() for plane, image in zip(maps, test.images, strict=True)]
    assert answer["lit"]["share"] == pytest.approx(np.mean(shares))
    page = Page("test")
    parts()["lit"].sections(page, case, folder, answer, None)
    assert f"Mean over 6 sources: {np.mean(shares):.3f}." in page.render()
    assert ["attention on lit pixels", f"{np.mean(shares):.3f}"] in [row[:2] for row in parts()["lit"].headlines(answer)]


@pytest.mark.parametrize("group", [Cyclic(4), Dihedral(4)])
def test_the_form_gives_the_dense_numbers(installed, group):
    torch.manual_seed(0)
    layer = SteerableConvolution(2, 3, group).double().eval()
    fields = torch.randn(3, 2, group.order, 11, 13, dtype=torch.float64)
    with torch.no_grad():
        dense = layer(fields)
        layer.take("one-by-one")
        assert layer.form is find_form("one-by-one")
        assert_close(layer(fields), dense, rtol=0, atol=1e-12)
