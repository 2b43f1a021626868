"""Modules that are found by being there: what goes first, and how often installed packages are read for it."""

from importlib.metadata import EntryPoint

from equiradio import plugins

ROOM = "equiradio.layers.forms"


def with_points(monkeypatch, *points):
    asked = []
    monkeypatch.setattr(plugins, "entry_points", lambda group: asked.append(group) or list(points))
    return asked


def test_installed_packages_are_read_once_for_all_modules(monkeypatch):
    asked = with_points(monkeypatch)
    assert {"dense", "fourier", "native", "winograd"} <= plugins.modules(ROOM, "FORM").keys()
    assert asked == [ROOM]


def test_an_entry_point_goes_before_a_file_and_the_first_before_the_second(monkeypatch):
    points = [EntryPoint("dense", "json", ROOM), EntryPoint("dense", "re", ROOM), EntryPoint("more", "math", ROOM)]
    with_points(monkeypatch, *points)
    assert plugins.module(ROOM, "dense").__name__ == "json"
    assert plugins.module(ROOM, "more").__name__ == "math"
    assert plugins.module(ROOM, "nothing") is None
    assert plugins.names(ROOM).count("dense") == 1
