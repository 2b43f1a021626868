"""`equiradio evaluate TEAM`: scores of a catalogue's answers about labelled sources of one's own, by class, and nothing chosen on them."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

import equiradio
from equiradio.artefacts.team import TeamFolder
from equiradio.cli.main import main
from equiradio.datasets.folder import write_folder
from equiradio.datasets.registry import open_data
from equiradio.datasets.simulated import write_simulated
from equiradio.errors import DataRefusal, RunRefusal
from equiradio.evaluation import bootstrap
from equiradio.evaluation import transfer as transfer_scores
from equiradio.evaluation.shares import share_interval
from equiradio.inference.team import load
from equiradio.sky.conditions import Condition
from equiradio.verbs import evaluate_asked, trained_data
from equiradio.verbs.calibrate import _chosen_on, calibrate
from equiradio.verbs.evaluate import evaluate
from equiradio.verbs.evaluate_team import evaluate_team
from equiradio.verbs.transfer import transfer


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


def test_all_scores_are_of_the_same_resamples_drawn_once(untrained, mine, monkeypatch):
    draw, drawn = bootstrap.draw, []
    for module in (bootstrap, transfer_scores):
        monkeypatch.setattr(module, "draw", lambda *given: drawn.append(given) or draw(*given))
    evaluate_team(untrained("lenet"), data=str(mine))
    assert len(drawn) == 1


def test_it_is_offered_by_name():
    assert equiradio.evaluate_team is evaluate_team


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
    assert joined["all"]["sources"] + joined["no_answer"] == 36 + 24 - 24 - 6
    counts = [line for line in joined["left_out"] if "sources left out" in line]
    assert "24 test sources left out, with the pixels, or nearly these, of training sources of" in counts[0]
    assert "6 test sources left out, with the pixels, or nearly these, of validation sources of" in counts[1]
    assert counts[1].endswith("by which the network was chosen")


@pytest.mark.parametrize("verb", [evaluate_team, lambda run, **options: transfer(run, [Condition()], **options)[0], evaluate])
def test_no_split_of_other_data_holds_what_it_was_chosen_by(copy_of, sky, tmp_path, verb):
    """The same images, but for a pixel of a test source, in another split: its validation sources test, its test sources train."""
    sources = open_data(str(sky))
    images, split = sources.images.copy(), np.where(sources.split == "validation", "test", "train").astype("U10")
    images[sources.split == "test", 0, 0] += 1
    split[np.flatnonzero(sources.split == "train")[:3]] = "validation"
    other = write_folder(replace(sources, images=images, split=split), tmp_path / "other")
    with pytest.raises(DataRefusal, match=r"no source is of split 'test'; expected train \(6\)"):
        verb(copy_of("lenet"), data=str(other))


@pytest.mark.parametrize("verb", [evaluate_team, lambda run, **options: transfer(run, [Condition()], **options)[0], evaluate])
@pytest.mark.parametrize("own", [False, True])
def test_nothing_is_scored_that_the_start_was_chosen_by(copy_of, sky, mine, tmp_path, verb, own):
    """The start was trained on other data, whose validation sources are a test split now: of new data, or of the network's own."""
    run, sources = copy_of("lenet"), open_data(str(sky if own else mine))
    was = {"train": "test", "test": "validation", "validation": "test"}
    began = replace(sources, split=np.array([was[split] for split in sources.split]), name="began")
    before = write_folder(began, tmp_path / "before")
    card = json.loads((run / "card.json").read_text())
    (run / "card.json").write_text(json.dumps(card | {"start_data": {str(before): began.md5}}))
    with pytest.raises(DataRefusal, match=r"no source is of split 'test'; expected train"):
        verb(run, data=None if own else str(mine))


def test_scores_of_what_it_was_chosen_by_say_so(copy_of, capsys):
    run = copy_of("lenet")
    chosen = "it was chosen by these sources (epochs, and of a team temperature and threshold)"
    for options, words in (({"split": "validation"}, chosen), ({"split": "train"}, "it has learned from these sources"), ({}, None)):
        scores = [evaluate_team(run, **options), transfer(run, [Condition()], **options)[0], evaluate(run, passes=0, **options)]
        assert [each.get("not_held_back") for each in scores] == [words] * 3
    for command in (["--passes", "0"], ["--through", "noise:2"]):
        assert main(["evaluate", str(run), "--split", "validation", *command]) == 0
        assert f"{run}: {chosen}; scores of others may be lower" in capsys.readouterr().err


def test_what_a_team_was_calibrated_on_is_not_scored_as_new(trained, sky, mine, tmp_path, monkeypatch):
    """A team of a network of ``sky``, whose temperature and threshold were chosen by the validation sources of ``mine``."""
    monkeypatch.setattr(trained_data, "without_seen", lambda sources, *_, **__: sources)  # its own data are not compared with here
    team = tmp_path / "team"
    calibrate([trained("lenet")], team, data=str(mine), most_poses=1)
    card, sources = TeamFolder(team).card(), open_data(str(mine))
    assert card.chosen_on == {f"./{sources.name}": sources.md5}, "a folder, and not the data set of that name"
    scored = evaluate_team(team, data=str(mine), split="all")
    held = (sources.split == "validation").sum()
    assert scored["all"]["sources"] + scored["no_answer"] == 24 - held
    assert f"{sources.name}: {held} validation sources left out, by which the team was chosen" in scored["left_out"]
    assert "not_held_back" in evaluate_team(team, data=str(mine), split="validation")
    assert "not_held_back" not in evaluate_team(team, data=str(mine))
    assert _chosen_on(card.members[0], open_data(str(sky))) == {}


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
