"""Data sets by name or folder; what is neither is refused with the nearest name."""

import json
import subprocess
import sys

import numpy as np
import pytest
from own_images import file_table

from equiradio.datasets.registry import chosen_split, data_sets, open_data
from equiradio.errors import DataRefusal


def refused(call, *arguments):
    with pytest.raises(DataRefusal) as caught:
        call(*arguments)
    line = str(caught.value)
    assert "\n" not in line
    return line


def test_an_unknown_name_is_refused_with_the_nearest(tmp_path):
    assert refused(open_data, "mirabset") == (
        f"data: 'mirabset' is not a data set nor a folder; expected {', '.join(data_sets())}. Did you mean mirabest?"
    )
    assert "mirabest-of" in refused(open_data, "mirabest-of")
    (tmp_path / "file").write_text("")
    assert "is not a data set nor a folder" in refused(open_data, str(tmp_path / "file"))


@pytest.mark.parametrize("name", [name for name in data_sets() if name.startswith("mirabest")])
def test_an_absent_mirabest_is_refused_with_both_ways_out(name, tmp_path, monkeypatch):
    monkeypatch.setattr("pooch.retrieve", _offline)
    line = refused(open_data, name, tmp_path)
    assert "--data-dir" in line
    assert "10.5281/zenodo.4288837" in line


def _offline(*arguments, **named):
    raise OSError("Network is unreachable")


def test_a_folder_opens_as_written(sky):
    sources = open_data(str(sky))
    assert {name: int((sources.split == name).sum()) for name in ("train", "validation", "test")} == {
        "train": 24,
        "validation": 6,
        "test": 6,
    }
    assert "and no dataset.json; expected a data set" in refused(open_data, str(sky.parent))


def test_a_split_is_chosen_or_refused_with_those_there_are(sky):
    sources = open_data(str(sky))
    assert (chosen_split(sources, "test").split == "test").all()
    assert refused(chosen_split, sources, "tset") == (
        f"{sky}: no source is of split 'tset'; expected test (6), train (24), validation (6). Choose one of these splits."
    )
    alone = sources.choose(np.flatnonzero(sources.split == "train"))
    assert "expected train (24)" in refused(chosen_split, alone, "test")


TOY = '''
"""Crosses and rings."""

import json
import subprocess
import sys

import numpy as np

from equiradio.datasets.sources import Sources
from equiradio.labels import Labels

DATASETS = {"toy": "crosses and rings", "toy-small": "a few of them"}


def load(name, data_dir):
    count = {"toy": 24, "toy-small": 12}[name]
    images = np.zeros((count, 150, 150), np.uint8)
    images[::2, 70:80, 40:110] = images[::2, 40:110, 70:80] = 255
    images[1::2, 40:110, 40:110] = 255
    images[1::2, 50:100, 50:100] = 0
    return Sources(
        name, images, np.arange(count) % 2, np.array([f"toy-{k}" for k in range(count)]), np.full(count, "confident"),
        np.repeat(["train", "validation", "test"], count // 3), np.full(count, np.nan), "0" * 32, Labels(("cross", "ring")),
    )
'''


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A data set in a file of its own, in another folder of the package."""
    import equiradio.datasets as room

    (tmp_path / "toy.py").write_text(TOY)
    monkeypatch.setattr(room, "__path__", [*room.__path__, str(tmp_path)])
    yield
    sys.modules.pop("equiradio.datasets.toy", None)
    vars(room).pop("toy", None)


def test_a_new_data_set_is_one_new_file(toy, tmp_path, tiny, capsys, monkeypatch):
    from equiradio.cli.main import main
    from equiradio.training.fit import train

    assert main(["data", "list", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["toy-small"] == {"name": "toy-small", "what": "a few of them", "where": None}
    assert open_data("toy-small").classes.names == ("cross", "ring")
    assert "Did you mean toy?" in refused(open_data, "tooy")
    assert main(["data", "fetch", "toy"]) == 2
    assert "data: 'toy' is not published; expected a published data set (first, mirabest). See" in capsys.readouterr().err
    assert main(["data", "verify", "toy"]) == 2
    assert "data: 'toy' has no published checksums to compare with; expected a published" in capsys.readouterr().err
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["data", "list"]) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("toy-small")] == [
        ["toy-small", "a", "few", "of", "them", "its", "module", "does", "not", "say"]
    ]
    card = train(tiny(**{"data.name": "toy", "epochs": 1}), tmp_path / "run", device="cpu").card()
    assert (card.data, card.classes, card.sources) == ("toy", ["cross", "ring"], {"train": 8, "validation": 8})


def test_modules_that_are_no_data_sets_are_none():
    for name in ("registry", "sources", "folder", "simulated_shapes", "simulated_cutouts"):
        assert "is not a data set nor a folder" in refused(open_data, name)


def test_a_data_set_is_imported_when_it_is_asked_for():
    code = "import sys, equiradio.datasets.registry; assert not {'equiradio.datasets.mirabest', 'scipy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_an_import_notes_is_among_the_lines_of_the_sources(tmp_path):
    words = ["train", "train", "val", "val"] * 6
    lines = open_data(str(file_table(tmp_path / "two", split=words, ra=None, dec=None))).left_out
    assert lines == ("table: no test source: a team will have no test scores",)
