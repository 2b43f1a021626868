"""Choices of layer forms: written, read, refused where damaged; one cache file for each machine."""

import pytest

from equiradio.artefacts.forms import Choice, machine_file, read_choices, write_choices
from equiradio.errors import RunRefusal

CHOICES = {"D8 16->16": Choice("D8 16->16", "fourier", 542.7, 61.5), "C8 6->6": Choice("C8 6->6", "dense", 3.5, 4.25)}


def test_choices_come_back_as_they_were(tmp_path):
    path = tmp_path / "new" / "plan.json"
    write_choices(path, CHOICES)
    assert read_choices(path) == CHOICES
    assert list(path.parent.iterdir()) == [path]


def test_no_file_is_no_choices(tmp_path):
    assert read_choices(tmp_path / "plan.json") == {}


DAMAGED = {
    "not JSON": "{",
    "a list": "[]",
    "no object": '{"a": 1}',
    "another key": '{"a": {"form": "dense", "speed": 1}}',
    "no form": '{"a": {"dense_ms": 1}}',
    "an unknown form": '{"a": {"form": "sparse"}}',
    "not text": b"\xff\xfe\x00",
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_refused_in_one_line(tmp_path, content):
    path = tmp_path / "plan.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(RunRefusal) as caught:
        read_choices(path)
    line = str(caught.value)
    assert line.startswith(str(path))
    assert line.endswith("Delete it to measure again.")
    assert "\n" not in line


def test_machines_do_not_share_a_file():
    assert machine_file("a") == machine_file("a") != machine_file("b")
