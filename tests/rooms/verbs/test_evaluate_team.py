"""`equiradio evaluate TEAM`: scores of a catalogue's answers about labelled sources of one's own, by class, and nothing chosen on them."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from equiradio.cli.main import main
from equiradio.datasets.registry import open_data
from equiradio.datasets.simulated import write_simulated
from equiradio.errors import DataRefusal, RunRefusal
from equiradio.evaluation.shares import share_interval
from equiradio.inference.team import load
from equiradio.verbs import evaluate_asked, trained_data
from equiradio.verbs.evaluate_team import evaluate_team


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    """A folder of 24 sources of all splits that nothing was trained on."""
    return write_simulated(24, 5, tmp_path_factory.mktemp("data") / "mine")


def test_scores_are_those_of_the_catalogue_by_class(trained, mine):
    run = trained("lenet")
    result, sources = evaluate_team(run, data=str(mine), split="all"), open_data(str(mine))
    rows = load(run, "cpu").classify(sources.images, beam=(5.4,))
    names = np.array(sources.classes.names)
    called, labels = np.array(rows["label"]), names[sources.labels]
    right = called == labels
    assert (result["all"]["sources"], result["no_answer"], result["split"]) == (24, 0, "all")
    assert result["all"]["accuracy"]["value"] == pytest.approx(right.mean())
    assert result["all"]["accuracy"]["interval95"] == share_interval(right.sum(), 24)
    assert result["all"]["answered"]["value"] == pytest.approx(1 - np.mean(rows["uncertain"]))
    for name, scores in result["classes"].items():
        assert (scores["labelled"], scores["called"]) == ((labels == name).sum(), (called == name).sum())
        assert scores["recall"]["value"] == pytest.approx(right[labels == name].mean())
        assert scores["precision"]["value"] == (pytest.approx(right[called == name].mean()) if scores["called"] else None)


def test_a_class_that_is_never_called_has_no_precision(untrained, mine):
    answers = evaluate_team(untrained("lenet"), data=str(mine), split="all")["classes"]
    empty = [scores for scores in answers.values() if not scores["called"]]
    assert empty
    assert all(scores["precision"] == {"value": None, "interval95": None} and scores["recall"]["value"] == 0 for scores in empty)


def test_what_it_has_learned_from_is_not_scored(trained, sky, mine, tmp_path):
    run = trained("lenet")
    copied = shutil.copytree(sky, tmp_path / "copied")
    for data in (None, str(sky), str(copied)):
        with pytest.raises(RunRefusal, match="--split all, but it has learned from the training sources of"):
            evaluate_team(run, data=data, split="all")
    joined = evaluate_team(run, data=f"{sky}+{mine}", split="all")
    assert joined["all"]["sources"] + joined["no_answer"] <= 36 + 24 - 24
    assert any("left out" in line for line in joined["left_out"])


def test_other_classes_are_refused_with_what_to_do(untrained, mine):
    with pytest.raises(RunRefusal, match=r"has the classes FRI, FRII, but it was trained on Ring, Bar; .* Choose data of its own classes"):
        evaluate_team(untrained("lenet", classes=("Ring", "Bar")), data=str(mine))


def test_no_labelled_and_no_new_source_are_refused(trained, mine, monkeypatch):
    sources = open_data(str(mine))
    for there, words in (
        (replace(sources, labels=np.full(24, -1)), "no source of split 'test' has a class"),
        (sources.choose(np.zeros(24, bool)), "no source is of split 'test'; expected some"),
    ):
        monkeypatch.setattr(trained_data, "open_sources", lambda *_, there=there, **__: there)
        with pytest.raises(DataRefusal, match=words):
            evaluate_team(trained("lenet"), data=str(mine))
    with pytest.raises(DataRefusal, match=r"none is left \(.*\); expected sources that the network has not learned from"):
        evaluate_team(trained("lenet"), data=str(mine), split="all")


def test_the_command_prints_scores_by_class(trained, mine, capsys, monkeypatch):
    run = str(trained("lenet"))
    assert main(["evaluate", run, "--data", str(mine), "--split", "all"]) == 2
    assert "--split: all, of a run; expected train, validation or test." in capsys.readouterr().err
    monkeypatch.setattr(evaluate_asked, "is_team", lambda what: str(what) == run)
    assert main(["evaluate", run, "--data", str(mine), "--split", "all"]) == 0
    shown = capsys.readouterr().out
    assert all(words in shown for words in ("By class, of all answers", "recall", "right of these", "FRII", "95 % intervals over sources"))
    assert main(["evaluate", run, "--data", str(mine), "--split", "all", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[run]["classes"]["FRI"]["labelled"] == 12
    assert main(["evaluate", run, "elsewhere", "--data", str(mine)]) == 2
    assert "elsewhere: no such folder" in capsys.readouterr().err
    assert main(["evaluate", run, str(trained("c4-attention")), "--data", str(mine)]) == 2
    assert "runs alone, or teams alone" in capsys.readouterr().err
