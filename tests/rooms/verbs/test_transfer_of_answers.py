"""`equiradio evaluate --through`: what a catalogue would say of a split's sources seen otherwise, as tables, JSON and a file."""

import json
from dataclasses import replace

import numpy as np
import pytest

from equiradio.cli.main import main
from equiradio.datasets.registry import open_data
from equiradio.inference.team import load
from equiradio.sky.conditions import Condition, seen
from equiradio.verbs import transfer as room
from equiradio.verbs.transfer import transfer


def test_the_command_writes_a_file_into_the_run(copy_of, capsys):
    run = copy_of("lenet")
    assert main(["evaluate", str(run), "--through", "beam:8,15", "noise:2", "field:120"]) == 0
    shown = capsys.readouterr().out
    written = json.loads((run / "transfer" / "simulated-test.json").read_text())
    names = ["as it is", "beam 8 arcsec", "beam 15 arcsec", "noise 2 times", "field 120 arcsec"]
    assert [each["condition"] for each in written["conditions"]] == names
    assert all(name in shown for name in (*names, "right of these", "By size over beam"))
    assert all(each["blank"] + (each["all"] or {"sources": 0})["sources"] == 6 for each in written["conditions"])
    assert main(["evaluate", str(run), "--through", "beam:8,15 noise:2 field:120", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {str(run): written}


def test_the_scores_are_those_of_the_catalogue(trained):
    run = trained("lenet")
    sources = open_data(load(run, "cpu").members[0].settings.data.name).of_split("test")
    result, _ = transfer(run, [Condition(), Condition("beam", 8.0)])
    for condition, scores in zip((Condition(), Condition("beam", 8.0)), result["conditions"], strict=True):
        cutouts = [seen("a", image, condition, row) for row, image in enumerate(sources.images)]
        rows, _ = load(run, "cpu").ask(cutouts)
        right = [row["label"] == sources.classes.names[label] for row, label in zip(rows, sources.labels, strict=True)]
        assert scores["all"]["accuracy"]["value"] == pytest.approx(np.mean(right))
        assert scores["all"]["answered"]["value"] == pytest.approx(np.mean([not row["uncertain"] for row in rows]))
    plain = load(run, "cpu").classify(sources.images)
    assert result["conditions"][0]["all"]["answered"]["value"] == pytest.approx(1 - np.mean(plain["uncertain"]))


def test_unresolved_sources_are_not_answered(trained, monkeypatch):
    team = load(trained("lenet"), "cpu")
    team.calibration = replace(team.calibration, threshold=0.0, resolved_from=1e6)
    monkeypatch.setattr(room, "load", lambda *_: team)
    result, _ = transfer(trained("lenet"), [Condition()])
    assert result["conditions"][0]["all"]["answered"]["value"] == 0
    assert result["conditions"][0]["all"]["flags"]["unresolved"] == 1


def test_what_is_wrong_is_refused_before_anything_is_asked(trained, capsys):
    run = str(trained("lenet"))
    for words, line in (
        ([run, "--through", "beam:2"], "--through: beam:2; expected 5.4 to 60 arcsec."),
        (["noise:2", "--through", "beam:8"], "RUN|TEAM: nothing to evaluate;"),
        (["nowhere", "--through", "beam:8"], "'nowhere' is neither a packaged team nor a folder of a run or team;"),
    ):
        assert main(["evaluate", *words]) == 2
        assert line in capsys.readouterr().err
