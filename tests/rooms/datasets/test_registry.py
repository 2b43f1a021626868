"""Data sets by name or folder; what is neither is refused with the nearest name."""

import numpy as np
import pytest

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
    assert "has no" in refused(open_data, str(sky.parent))


def test_a_split_is_chosen_or_refused_with_those_there_are(sky):
    sources = open_data(str(sky))
    assert (chosen_split(sources, "test").split == "test").all()
    assert refused(chosen_split, sources, "tset") == (
        "simulated: no source is of split 'tset'; expected test (6), train (24), validation (6). Choose one of these splits."
    )
    alone = sources.choose(np.flatnonzero(sources.split == "train"))
    assert "expected train (24)" in refused(chosen_split, alone, "test")
