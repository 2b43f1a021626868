"""Choices of layer forms: written, read, refused where damaged; one cache file for each machine."""

import json

import pytest

from equiradio.artefacts.form_choices import Choice, machine_file, read_choices, write_choices
from equiradio.errors import RunRefusal

CHOICES = {
    "D8 16->16": Choice("D8 16->16", "fourier", {"dense": 542.7, "fourier": 61.5}),
    "C8 6->6": Choice("C8 6->6", "dense", {"dense": 3.5, "fourier": 4.25, "a form of tomorrow": 5.0}),
}
OLD = {"C8 6->6": {"form": "dense", "dense_ms": 3.5, "fourier_ms": 4.25, "winograd_ms": None}}  # as written up to 0.1


def test_choices_come_back_as_they_were(tmp_path):
    path = tmp_path / "new" / "forms.json"
    write_choices(path, CHOICES)
    assert read_choices(path) == CHOICES
    assert list(path.parent.iterdir()) == [path]


def test_no_file_is_no_choices(tmp_path):
    assert read_choices(tmp_path / "forms.json") == {}


DAMAGED = {
    "not JSON": "{",
    "a list": "[]",
    "no object": '{"a": 1}',
    "another key": '{"a": {"form": "dense", "speed": 1}}',
    "no form": '{"a": {"dense_ms": 1}}',
    "a form that is no text": '{"a": {"form": 3}}',
    "a time that is no number": '{"a": {"form": "dense", "milliseconds": {"dense": "soon"}}}',
    "times that are no object": '{"a": {"form": "dense", "milliseconds": [1]}}',
    "not text": b"\xff\xfe\x00",
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_refused_in_one_line(tmp_path, content):
    path = tmp_path / "forms.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(RunRefusal) as caught:
        read_choices(path)
    line = str(caught.value)
    assert line.startswith(str(path))
    assert line.endswith("Delete it to measure again.")
    assert "\n" not in line


def test_a_file_of_an_older_version_is_read_in_its_old_place(tmp_path):
    was = {"C8 6->6": Choice("C8 6->6", "dense", {"dense": 3.5, "fourier": 4.25})}
    for old, new in (("run/plan.json", "run/forms.json"), ("plans/0f.json", "forms/0f.json")):
        (tmp_path / old).parent.mkdir()
        (tmp_path / old).write_text(json.dumps(OLD))
        assert read_choices(tmp_path / new) == was
        write_choices(tmp_path / new, CHOICES)
        assert read_choices(tmp_path / new) == CHOICES


def test_machines_do_not_share_a_file():
    assert machine_file("a") == machine_file("a") != machine_file("b")
