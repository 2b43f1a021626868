"""Runs become a team whose answers are those that were chosen and scored; interrupted, it goes on; what does not fit is refused."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from strange_skies import KINDS

import equiradio
from equiradio.artefacts.flags import BITS
from equiradio.artefacts.run import Run
from equiradio.artefacts.shelf import team_card_of
from equiradio.artefacts.team import TeamFolder
from equiradio.cli.main import main
from equiradio.datasets.registry import open_data
from equiradio.errors import DataRefusal, RunRefusal
from equiradio.evaluation.calibration import nll
from equiradio.inference import asking
from equiradio.inference.team import load
from equiradio.sky.cutout import to_mirabest
from equiradio.sky.pictures import from_pixels
from equiradio.verbs.calibrate import calibrate
from equiradio.verbs.resolution_choice import FACTORS, FINER
from equiradio.verbs.team_choices import choice_for


@pytest.fixture(scope="module")
def runs(trained, tmp_path_factory):
    """Two runs of different seeds: a training, and the same with other weights."""
    folder, first = tmp_path_factory.mktemp("runs"), trained("lenet")
    for seed in (0, 1):
        shutil.copytree(first, folder / f"run{seed}")
    second = Run(folder / "run1")
    second.card().with_changes(seed=1).write(second.card_file)
    settings = second.settings_file.read_text()
    second.settings_file.write_text(settings.replace("seed = 0", "seed = 1"))
    weights = {name: value * 1.05 if "weight" in name else value for name, value in load_file(second.weights_file).items()}
    save_file(weights, second.weights_file, {"model": "lenet", "group": "none"})
    return [folder / "run0", folder / "run1"]


@pytest.fixture(scope="module")
def team(runs, tmp_path_factory):
    out = tmp_path_factory.mktemp("teams") / "lenets"
    calibrate(runs, out, most_poses=2)
    return out


def test_a_team_answers_as_it_was_scored(team, sky):
    card = TeamFolder(team).card()
    files = ["card.json", "distance.safetensors", "index.html", "seed0.safetensors", "seed1.safetensors"]
    assert sorted(path.name for path in team.iterdir()) == files
    assert not team.with_name("lenets.parts").exists()
    assert card.validation["nll_after"] <= card.validation["nll_before"] + 1e-9
    assert set(card.nll_by_poses) <= {"1", "2"}
    assert card.by_poses.keys() == card.nll_by_poses.keys()
    own = card.by_poses[str(card.poses)]
    assert (own["temperature"], own["threshold"], own["coverage"]) == (card.temperature, card.threshold, card.validation["coverage"])
    assert sum(row["views"] for row in card.by_beams["rows"]) > 0
    assert card.by_beams["beams_arcsec"][0] == 5.4
    opened = equiradio.load(team)
    assert opened.calibration.calibrated
    assert opened.calibration.resolved_from == card.resolved_from
    sources = open_data(str(sky)).of_split("test")
    table = opened.classify(sources.images)
    p, flags = np.array(table["p_frii"]), np.array(table["flags"])
    assert not (flags & BITS["uncalibrated"]).any()
    assert nll(sources.labels, p) == pytest.approx(card.test["nll_after"], abs=1e-6)
    assert np.mean(flags & BITS["unusual"] > 0) == pytest.approx(card.test["unusual"])
    assert 1 - np.mean(table["uncertain"]) == pytest.approx(card.test["coverage"])
    assert "temperature" in opened._repr_html_()


def test_the_page_says_of_both_splits_what_the_card_says(team):
    card, page = TeamFolder(team).card(), (team / "index.html").read_text()
    row = re.search(r"<tr>\s*<t[hd][^>]*>share answered</t[hd]>(.*?)</tr>", page, re.DOTALL)[1]
    shares = [float(value) for value in re.findall(r">\s*([0-9.]+)\s*<", row)]
    assert shares == [round(card.validation["coverage"], 3), round(card.test["coverage"], 3)]


def test_members_are_in_the_order_of_their_seeds_and_the_word_for_unknown_sources_is_nobodys_affair(runs, tmp_path):
    """Forms of layers and the word for sources of no class have no effect on the answers."""
    first, second = (Path(shutil.copytree(run, tmp_path / run.name)) for run in runs)
    card = Run(second).card()
    card.with_changes(unknown="odd one").write(Run(second).card_file)
    text = Run(second).settings_file.read_text()
    Run(second).settings_file.write_text(text.replace('layer_form = "auto"', 'layer_form = "dense"'))
    assert Run(second).settings().training.layer_form == "dense"
    assert calibrate([second, first], tmp_path / "team", most_poses=1).seeds == [0, 1]
    assert [member.card.seed for member in load(tmp_path / "team", "cpu").members] == [0, 1]


def interrupted_at(monkeypatch, number):
    """Interrupt the asking of a member at its nth call; the poses that were asked, as they are."""
    right, calls = asking.in_pose, []

    def interrupted(member, images, pose, **options):
        calls.append(pose)
        if len(calls) == number:
            raise KeyboardInterrupt
        return right(member, images, pose, **options)

    monkeypatch.setattr(asking, "in_pose", interrupted)
    return calls


def test_an_interrupted_calibration_goes_on_to_the_same_team(runs, team, tmp_path, monkeypatch):
    out, right, calls = tmp_path / "team", asking.in_pose, interrupted_at(monkeypatch, 3)
    with pytest.raises(KeyboardInterrupt):
        calibrate(runs, out, most_poses=2)
    assert len(list((tmp_path / "team.parts").glob("*.npz"))) == 2
    with pytest.raises(RunRefusal, match=r"answers of a calibration with other poses \(2 there, 1 asked\); expected the same"):
        calibrate(runs, out, most_poses=1)
    calls.clear()
    monkeypatch.setattr(asking, "in_pose", lambda *given, **options: calls.append(given[2]) or right(*given, **options))
    calibrate(runs, out, most_poses=2)
    assert json.loads((out / "card.json").read_text()) == json.loads((team / "card.json").read_text())
    card = TeamFolder(out).card()
    beams = min(len(card.by_beams["beams_arcsec"]), len(FACTORS))  # the larger ones, and the first of no use
    beams += min(len(card.by_beams["finer_arcsec"]) + 1, len(FINER))  # and likewise of the finer ones
    # validation in two poses, through beams and test in the chosen, less the two that were there
    assert len(calls) == 2 * (2 + card.poses * (1 + beams)) - 2


def test_what_is_beyond_the_reach_is_unusual_and_never_certain(team, tmp_path):
    folder = TeamFolder(shutil.copytree(team, tmp_path / "team"))
    card = folder.card()
    images = [to_mirabest(make(seed)) for make in KINDS.values() for seed in range(2)]
    doubts = [from_pixels("a", image).doubts for image in images]
    assert sorted(map(sorted, doubts)) == [[], [], *[["not_detected"]] * 2, *[["off_target"]] * 2], "both lines pass by"
    for reach, unusual in ((0.0, True), (1e9, False)):
        folder.write_card(card.with_changes(out_of_distribution=card.out_of_distribution | {"reach": reach}, threshold=0.5))
        rows = [*load(folder.path).classify(images)]
        by_reach = {"no_wcs", "no_beam"} | ({"unusual"} if unusual else set())
        assert [set(row["flag_names"].split()) - {"cut_off"} for row in rows] == [by_reach | doubt for doubt in doubts]
        assert [row["uncertain"] for row in rows] == [unusual or bool(doubt) for doubt in doubts]


def test_what_is_no_run_is_refused(team, tmp_path):
    absent = tmp_path / "absent"
    for folder, words in (
        (team, "a team; expected the folder of one training."),
        (absent, "no such folder; expected the folder of a training."),
    ):
        with pytest.raises(RunRefusal) as caught:
            calibrate([folder], tmp_path / "out")
        assert str(caught.value).startswith(f"{folder}: {words}")


def test_a_team_of_another_recipe_is_refused(team, tmp_path):
    folder = TeamFolder(shutil.copytree(team, tmp_path / "team"))
    card = folder.card()
    folder.write_card(card.with_changes(recipe=card.recipe | {"clip_sigma": 2.5}))
    with pytest.raises(RunRefusal, match=r"calibrated on images made with clip_sigma 2.5; expected clip_sigma 3\."):
        load(folder.path)


@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        (lambda runs: [runs[0], runs[0]], "a second run of seed 0; expected runs of different seeds. Leave one of them out."),
        (lambda runs: [runs[0], _changed(runs[1], state="training")], "its training is training; expected a finished training. Finish it"),
        (
            lambda runs: [runs[0], _changed(runs[1], data_md5="other")],
            "expected runs of one model, its classes and data. Choose runs alike.",
        ),
        (lambda runs: [runs[0], _changed(runs[1], training_hash="other")], "run1: trained on other sources or labels of simulated than"),
        (lambda runs: [runs[0], _set(runs[1], "dropout = 0.5", "dropout = 0.25")], "model.dropout 0.5 and 0.25"),
        (
            lambda runs: [runs[0], _changed(runs[1], seed=0, model="attention")],
            "beside lenet of FRI, FRII on simulated; expected runs of one",
        ),
        (lambda runs: [runs[0], _set(_changed(runs[1], seed=0), "dropout = 0.5", "dropout = 0.25")], "model.dropout 0.5 and 0.25"),
        (lambda runs: [_changed(runs[0], data_md5="other")], "but it was trained on other; expected the same data. Say --data"),
    ],
)
def test_runs_that_do_not_go_together_are_refused(runs, tmp_path, spoil, line):
    copies = [shutil.copytree(run, tmp_path / run.name) for run in runs]
    with pytest.raises((RunRefusal, DataRefusal)) as refusal:
        calibrate(spoil(copies), tmp_path / "team")
    assert line in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "team").exists()


def _changed(run, **changes):
    folder = Run(run)
    folder.card().with_changes(**changes).write(folder.card_file)
    return run


def _set(run, before, after):
    file = run / "settings.toml"
    assert before in file.read_text()
    file.write_text(file.read_text().replace(before, after))
    return run


def test_a_folder_that_holds_something_is_left_alone(runs, tmp_path, capsys):
    (tmp_path / "team").mkdir()
    (tmp_path / "team" / "precious").write_text("kept")
    assert main(["calibrate", *map(str, runs), "--out", str(tmp_path / "team")]) == 2
    assert capsys.readouterr().err.endswith("holds something already; expected a new or an empty folder. Choose another --out.\n")
    assert (tmp_path / "team" / "precious").read_text() == "kept"
    assert main(["calibrate", str(runs[0]), "--out", str(tmp_path / "new"), "--poses", "3"]) == 2
    assert "--poses: 3; expected one of 1, 2, 4, 8." in capsys.readouterr().err


def test_answers_about_other_sources_are_not_gone_on_with(runs, tmp_path, monkeypatch):
    """The same images, of which others are for validation."""
    out = tmp_path / "team"
    interrupted_at(monkeypatch, 2)
    with pytest.raises(KeyboardInterrupt):
        calibrate(runs, out, most_poses=1)
    data = Path(shutil.copytree(Run(runs[0]).settings().data.name, tmp_path / "sky"))
    catalogue = (data / "catalogue.csv").read_text()
    (data / "catalogue.csv").write_text(catalogue.replace(",validation,", ",test,", 1))
    with pytest.raises(RunRefusal, match="answers of a calibration with other catalogue; expected the same"):
        calibrate(runs, out, most_poses=1, data=str(data))


def test_a_kill_in_the_first_writing_leaves_a_folder_that_can_be_used(runs, tmp_path):
    for folder in (tmp_path / "team", tmp_path / "team.parts"):
        folder.mkdir()
        (folder / ".card.json.part-abcdefgh.json").write_text("{")
    assert calibrate(runs[:1], tmp_path / "team", most_poses=1).calibrated


def test_a_folder_that_cannot_be_is_called_as_the_user_called_it(runs, tmp_path, monkeypatch, capsys):
    assert main(["calibrate", str(runs[0]), "--out", "/proc/x"]) == 2
    assert capsys.readouterr().err.startswith("/proc/x: No such file or directory; expected")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    calibrate(runs[:1], Path(), most_poses=1)
    assert TeamFolder(tmp_path / "here").is_team
    assert [path.name for path in tmp_path.iterdir()] == ["here"]


def test_the_command_says_what_it_chose(runs, tmp_path, capsys):
    assert main(["calibrate", str(runs[0]), "--out", str(tmp_path / "alone"), "--poses", "1"]) == 0
    shown = capsys.readouterr().out
    assert "negative log-likelihood" in shown
    assert "1 pose, temperature " in shown
    assert load(tmp_path / "alone").calibration.poses == 1


@pytest.mark.parametrize("name", ["c4-attention", "c8-attention"])
def test_packaged_teams_are_not_sure_of_strange_skies(name):
    assert team_card_of(name).calibrated
    images = [to_mirabest(make(seed)) for make in KINDS.values() for seed in range(2)]
    assert load(name).classify(images)["uncertain"] == [True] * len(images)


def test_sources_that_are_unusual_do_not_count_as_answered():
    """As in a catalogue and on the test split: the share answered means one thing."""
    labels = np.array([0, 1] * 10)
    logits = np.where(labels[:, None] == [0, 1], 3.0, -3.0)[None, None]
    usual = np.arange(20) >= 5
    chosen = choice_for(logits, labels, 1.0, usual)
    assert chosen["coverage"] == 0.75
    assert chosen["selective_accuracy"] == 1
    assert choice_for(logits, labels, 1.0, usual & False)["selective_accuracy"] is None


@pytest.fixture(scope="module")
def half_made(runs, tmp_path_factory):
    """Interrupted while it was asked: members and card are there, temperature and threshold are not."""
    out = tmp_path_factory.mktemp("half") / "team"
    with pytest.MonkeyPatch.context() as patch:
        interrupted_at(patch, 2)
        with pytest.raises(KeyboardInterrupt):
            calibrate(runs, out, most_poses=1)
    return out


@pytest.mark.parametrize(
    "command",
    [
        "evaluate TEAM",
        "evaluate TEAM --through noise:2",
        "classify image.npy --model TEAM",
        "classify image.npy --model TEAM --cascade",
        "export TEAM --to torch --out team.pt2",
        "explain TEAM --data simulated --out explained",
        "explain quick --member TEAM --out explained",
        "serve --model TEAM --port 0",
        "survey catalogue.csv --images image.npy --model TEAM --out surveyed",
        "calibrate RUN --out other --cascade TEAM",
        "train --model lenet --data simulated --from TEAM --out trained",
    ],
)
def test_a_half_made_team_is_not_asked_by_any_command(half_made, runs, monkeypatch, capsys, command):
    monkeypatch.chdir(half_made.parent)
    np.save("image.npy", np.arange(150 * 150).reshape(150, 150).astype(np.uint8))
    Path("catalogue.csv").write_text("source_id,ra_deg,dec_deg\na,180,30\n")
    before = {path.name for path in Path.cwd().iterdir()}
    assert main([word.replace("TEAM", "team").replace("RUN", str(runs[0])) for word in command.split()]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    what = "team: a team whose calibration did not end; expected one with temperature and threshold."
    assert line == f"{what} Repeat the command that makes it, 'equiradio calibrate'."
    assert {path.name for path in Path.cwd().iterdir()} == before


def test_python_does_not_open_a_half_made_team_and_the_same_call_ends_it(half_made, runs):
    with pytest.raises(RunRefusal, match="a team whose calibration did not end"):
        equiradio.load(half_made, "cpu")
    calibrate(runs, half_made, most_poses=1)
    assert equiradio.load(half_made, "cpu").calibration.calibrated


def test_a_team_without_one_of_its_members_is_not_evaluated(team, tmp_path, capsys):
    folder = TeamFolder(shutil.copytree(team, tmp_path / "team"))
    folder.weights_file(1).unlink()
    assert main(["evaluate", str(folder.path), "--through", "noise:2"]) == 2
    assert "seed1.safetensors: no such file" in capsys.readouterr().err
