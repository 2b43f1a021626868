"""A cascade answers as its quick team where that is sure, as the other everywhere else, and says who answered."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from equiradio.artefacts.shelf import find_team, team_card_of
from equiradio.artefacts.team import TeamFolder
from equiradio.cli.main import main
from equiradio.datasets.registry import open_data
from equiradio.errors import RunRefusal, SettingRefusal
from equiradio.inference import cascade as home
from equiradio.inference.cascade import Cascade, load_cascade
from equiradio.inference.team import Team, load
from equiradio.sky.beams import Beam
from equiradio.sky.recipe import MIRABEST, apart
from equiradio.verbs import cascade_choice
from equiradio.verbs.calibrate import calibrate
from equiradio.verbs.classify import classify


@pytest.fixture(scope="module")
def images(sky):
    return open_data(str(sky)).images


@pytest.fixture(scope="module")
def pair(untrained):
    """Two teams that never abstain by themselves."""
    return [calibrated(load(untrained("c4-attention", seed, kernel_size=3), "cpu"), threshold=0.0) for seed in (0, 1)]


def calibrated(team, **changes):
    """The team as if this had been chosen for it."""
    return Team(team.members, replace(team.calibration, **changes), team.card)


def answered_by(quick, team, cutouts, threshold=0.0):
    """Who answers each source: 0 for the quick team, 1 for the other."""
    return [[quick.name, team.name].index(row["model"]) for row in Cascade(quick, team, threshold).ask(cutouts, why=False)[0]]


def between(values: np.ndarray) -> float:
    """A threshold with half of the values above, none of them near."""
    low, high = np.sort(values)[len(values) // 2 - 1 : len(values) // 2 + 1]
    return float(low + high) / 2


def test_each_source_is_answered_by_one_of_the_two(pair, images):
    quick, team = pair
    threshold = between(quick.answer(images[:8]).p.max(1))
    both = Cascade(quick, team, threshold).classify(images[:8])
    first, second = quick.classify(images[:8]), team.classify(images[:8])
    top = np.maximum(first["p_fri"], first["p_frii"])
    expected = [one if sure else other for one, other, sure in zip(first, second, top >= threshold, strict=True)]
    assert {row["model"] for row in both} == {quick.name, team.name}
    for row, right in zip(both, expected, strict=True):
        assert row["model"] == right["model"]
        assert row["label"] == right["label"]
        np.testing.assert_allclose(row["p_frii"], right["p_frii"], atol=1e-5)  # company moves float32


def test_maps_and_evidence_are_those_of_who_answered(pair, images):
    quick, team = pair
    threshold = between(quick.answer(images[:4]).p.max(1))
    cascade = Cascade(quick, team, threshold)
    cutouts = [cutout for _, cutout in next(iter(home.reading.batches(images[:4])))]
    rows, answers = cascade.ask(cutouts, why=True)
    each = {who.name: who.ask(cutouts, why=True)[1] for who in pair}
    for place, row in enumerate(rows):
        np.testing.assert_allclose(answers.gates[place], each[row["model"]].gates[place], atol=1e-4)
        np.testing.assert_allclose(answers.evidence[place].plane, each[row["model"]].evidence[place].plane, atol=1e-4)


def test_what_is_unusual_to_the_quick_team_or_has_no_answer_goes_on(pair, images, monkeypatch):
    quick, team = pair
    original = Team.answer

    def strange(self, images, *, why=False):
        answers = original(self, images, why=why)
        if self is quick:
            unusual, p, top = answers.unusual.copy(), answers.p.copy(), answers.top.copy()
            unusual[1], p[2], top[2] = True, np.nan, -1
            answers = replace(answers, unusual=unusual, p=p, top=top)
        return answers

    monkeypatch.setattr(Team, "answer", strange)
    rows = list(Cascade(quick, team, 0.0).classify(images[:4]))
    assert [row["model"] == team.name for row in rows] == [False, True, True, False]


@pytest.fixture(scope="module")
def cutouts(images):
    """Six of them through a beam of 5.4 arcsec, the last two through one of 8 and 20."""
    seen = [cutout for _, cutout in next(iter(home.reading.batches(images[:6], beam=[5.4])))]
    return [*seen[:4], *(replace(cutout, beam=Beam.of([width])) for cutout, width in zip(seen[4:], (8.0, 20.0), strict=True))]


def test_no_source_that_the_quick_team_abstains_from_ends_with_it(pair, cutouts):
    quick, team = pair
    top = quick.ask(cutouts, why=False)[1].p.max(1)
    level = between(top)
    abstains = calibrated(quick, threshold=level)
    assert answered_by(abstains, team, cutouts) == list((top < level).astype(int)), "though a lower threshold was chosen for the two"
    assert Cascade(abstains, team, 0.0).threshold == level
    assert Cascade(abstains, team, 0.99).threshold == 0.99
    by_beam = calibrated(quick, beams=(5.4, 20.0), thresholds={8.0: 1.0, 20.0: 0.0})
    assert answered_by(by_beam, team, cutouts) == [0, 0, 0, 0, 1, 0], "the threshold through a beam counts too"


def test_what_the_image_alone_forbids_both_goes_no_further(pair, cutouts):
    quick, team = pair
    narrow, wide = {"beams": (5.0, 6.0)}, {"beams": (5.0, 10.0)}
    for first, second, expected in (
        (narrow, {}, [0, 0, 0, 0, 1, 1]),
        (narrow, wide, [0, 0, 0, 0, 1, 0]),
        (narrow, narrow, [0, 0, 0, 0, 0, 0]),
        (wide, narrow, [0, 0, 0, 0, 0, 0]),
        (narrow, {"resolved_from": 1e6}, [0, 0, 0, 0, 0, 0]),
    ):
        assert answered_by(calibrated(quick, **first), calibrated(team, **second), cutouts) == expected
    assert answered_by(calibrated(quick, resolved_from=1e6), team, cutouts) == [1] * 6
    unsure = calibrated(quick, **wide, threshold=0.0)
    assert answered_by(unsure, calibrated(team, **narrow), cutouts, threshold=1.0) == [1, 1, 1, 1, 1, 0], (
        "what nobody abstains from goes on"
    )


def test_the_header_of_a_map_names_who_answered(pair, images, tmp_path):
    quick, team = pair
    for place, image in enumerate(images[:4]):
        np.save(tmp_path / f"{place}.npy", image)
    cascade = Cascade(quick, calibrated(team, poses=2), between(quick.answer(images[:4]).p.max(1)))
    rows = classify(cascade, sorted(tmp_path.glob("*.npy")), maps=tmp_path / "maps").to_pylist()
    assert {row["model"] for row in rows} == {quick.name, team.name}
    for row in rows:
        header = fits.getheader(tmp_path / "maps" / f"{row['map_name']}.fits")
        poses = quick.calibration.poses if row["model"] == quick.name else 2
        assert (header["MODEL"], header["POSES"], header["QUICK"]) == (row["model"], poses, quick.name)


def test_rows_of_another_quick_team_are_refused_by_its_name(pair, images, tmp_path):
    quick, team = pair
    np.save(tmp_path / "a.npy", images[0])
    files, out = [tmp_path / "a.npy"], tmp_path / "c.parquet"
    classify(Cascade(quick, team, 0.5), files, out=out)
    classify(Cascade(quick, team, 0.5), files, out=out, resume=True)
    line = rf"other quick_model \({quick.name} there, {team.name} asked\), calibration; expected the same"
    with pytest.raises(RunRefusal, match=line):
        classify(Cascade(team, team, 0.5), files, out=out, resume=True)
    with pytest.raises(RunRefusal, match=r"other sure_from \(0.5 there, 0.6 asked\), calibration"):
        classify(Cascade(quick, team, 0.6), files, out=out, resume=True)
    with pytest.raises(RunRefusal, match=rf"other quick_model \({quick.name} there, none asked\), sure_from"):
        classify(team, files, out=out, resume=True)


def test_both_are_asked_for_another_mix_and_in_another_number_of_poses(quick_folder, images):
    cascade = load_cascade(str(quick_folder), "cpu")
    prior = {"FRI": 0.8}
    both, mixed = cascade.for_prior(prior), cascade.classify(images[:3], prior=prior)
    assert (both.quick.calibration.prior, both.team.calibration.prior) == ((0.8, pytest.approx(0.2)),) * 2
    assert [row["p_fri"] for row in mixed] == [row["p_fri"] for row in cascade.quick.classify(images[:3], prior=prior)]
    assert both.identity != cascade.identity
    assert str(both.about["prior"]).startswith("FRI=0.8")
    fewer = cascade.in_poses(2)
    assert (fewer.quick.calibration.poses, fewer.team.calibration.poses, fewer.about["poses"]) == (2, 2, 2)
    assert fewer.in_poses(1).threshold == cascade.threshold


def test_fewer_poses_never_make_the_quick_team_surer_than_its_own_threshold_for_them(pair):
    quick, team = pair
    card = quick.card.with_changes(by_poses={"1": {"temperature": 1.0, "threshold": 0.9, "coverage": 0.5, "selective_accuracy": None}})
    cascade = Cascade(Team(quick.members, replace(quick.calibration, poses=4, threshold=0.7), card), team, 0.8)
    assert [cascade.threshold, cascade.in_poses(1).threshold] == [0.8, 0.9]


def test_the_command_takes_another_mix_and_other_poses_and_says_what_was_not_measured(quick_folder, images, tmp_path, capsys):
    np.save(tmp_path / "a.npy", images[0])
    command = ["classify", str(tmp_path / "a.npy"), "--model", str(quick_folder), "--cascade", "--json"]
    assert main([*command, "--prior", "FRI=0.99", "--poses", "3"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)[0]["label"] == "FRI"
    assert " ".join(err.split()).count("--poses: 3; lenet is calibrated for 1. ") == 2
    assert "--prior, --poses: from which probability the quick team counts was chosen on validation without;" in " ".join(err.split())
    assert main(command) == 0
    assert "not measured" not in capsys.readouterr().err


def test_a_quick_team_that_is_sure_of_all_is_alone_asked(pair, images, monkeypatch):
    quick, team = pair
    monkeypatch.setattr(team, "ask", lambda *_, **__: pytest.fail("asked"))
    assert [row["model"] for row in Cascade(quick, team, 0.0).classify(images[:3])] == [quick.name] * 3


def test_other_gates_or_classes_are_refused(pair, untrained):
    lenet, bent = untrained("lenet"), untrained("c4-attention", classes=("FRI", "bent"), kernel_size=3)
    for other, line in ((lenet, r": gates 0 and 3; expected teams of the same"), (bent, ": classes FRI, bent and FRI, FRII; ")):
        with pytest.raises(SettingRefusal, match=line):
            Cascade(load(other, "cpu"), pair[1], 0.9)


@pytest.fixture(scope="module")
def by_another_recipe(quick_folder, tmp_path_factory):
    """The quick team's folder as if it and its run had learned from images by another recipe of the same side."""
    room = tmp_path_factory.mktemp("other") / "team"
    shutil.copytree(quick_folder.parent / "last", room)
    card = json.loads((room / "card.json").read_text())
    for each in (card["members"][0], card):
        each["recipe"] = replace(MIRABEST, stretch="linear", scale_arcsec=0.0).as_card()
    (room / "card.json").write_text(json.dumps(card))
    return room


def test_teams_that_read_files_by_different_recipes_are_no_cascade(by_another_recipe, quick_folder, trained, tmp_path, capsys):
    last = load(quick_folder.parent / "last", "cpu")
    with pytest.raises(SettingRefusal, match=r": scale_arcsec unknown and 1\.8, stretch linear and mirabest; expected teams of the same"):
        Cascade(load(by_another_recipe, "cpu"), last, 0.9)
    assert main(["calibrate", str(trained("lenet")), "--out", str(tmp_path / "team"), "--cascade", str(by_another_recipe)]) == 2
    line = "by another recipe than .*: scale_arcsec 1.8 and unknown, stretch mirabest and linear; expected a team of the same recipe"
    assert re.search(line, capsys.readouterr().err)
    assert not (tmp_path / "team").exists()


def test_recipes_that_differ_in_their_beam_alone_make_the_same_pixels():
    assert not apart(replace(MIRABEST, beam_arcsec=6.0), MIRABEST)
    assert apart(replace(MIRABEST, clip_rounds=0), MIRABEST) == "clip_rounds 0 and 5"


@pytest.fixture(scope="module")
def quick_folder(trained, tmp_path_factory):
    """A calibrated run before another calibrated run, as ``calibrate --cascade`` leaves it."""
    room = tmp_path_factory.mktemp("cascade")
    calibrate([trained("lenet")], room / "last", most_poses=1)
    calibrate([trained("lenet")], room / "quick", most_poses=1, cascade=str(room / "last"))
    return room / "quick"


def test_calibrate_says_what_follows_and_what_it_is_worth(quick_folder):
    card = TeamFolder(quick_folder).card()
    chosen = card.cascade
    assert chosen["threshold"] >= card.threshold, "where it abstains it is not sure"
    assert chosen["team"] == str(quick_folder.parent / "last")
    assert chosen["weights"] == load(chosen["team"], "cpu").name.split()[-1]
    for split, count in (("validation", 6), ("test", 6)):
        scores = chosen[split]
        assert scores["sources"] == count
        assert scores["accuracy"] == scores["team_accuracy"], "the two are the same network"
        assert scores["nll"] == pytest.approx(scores["team_nll"])
        alone = card.validation if split == "validation" else card.test
        assert scores["answered"] == pytest.approx(alone["coverage"], abs=0.2), "of validation likeness is judged by the other sources"
    opened = load_cascade(str(quick_folder), "cpu")
    assert (opened.threshold, opened.team.name) == (chosen["threshold"], load(chosen["team"], "cpu").name)


def test_scores_of_a_cascade_by_hand():
    """Right are the quick team about the first two and the last, the other team about all but the first and the last."""
    quick, team = np.array([0.9, 0.8, 0.3, 0.7, 0.95]), np.array([0.4, 0.6, 0.7, 0.1, 0.2])
    labels, usual, answers = np.array([1, 1, 1, 0, 1]), np.array([1, 1, 1, 1, 0], bool), np.array([0, 0, 1, 0, 0], bool)
    found = cascade_choice._Both(labels, quick, team, usual, answers).scores(0.75)
    both = np.array([0.9, 0.8, 0.7, 0.1, 0.2])  # the last is unusual to the quick team
    assert (found["sources"], found["asked"], found["answered"], found["selective_accuracy"]) == (5, pytest.approx(0.6), 0.6, 1)
    assert (found["accuracy"], found["team_accuracy"]) == (0.8, 0.6)
    odds = lambda p: -np.log(np.where(labels == 1, p, 1 - p)).mean()
    assert (found["nll"], found["team_nll"]) == (pytest.approx(odds(both)), pytest.approx(odds(team)))


def test_the_packaged_quick_team_is_not_sure_where_it_abstains():
    card = team_card_of("quick")
    assert card.cascade["threshold"] >= card.threshold
    assert card.cascade["validation"]["answered"] > card.validation["coverage"], "the two answer more than the quick one alone"


def test_other_weights_behind_it_are_refused(quick_folder, tmp_path):
    folder = TeamFolder(Path(shutil.copytree(quick_folder, tmp_path / "quick")))
    card = folder.card()
    folder.write_card(card.with_changes(cascade=card.cascade | {"weights": "0" * 12}))
    with pytest.raises(SettingRefusal, match="was chosen to go before weights 000000000000"):
        load_cascade(str(folder.path), "cpu")


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"weights": None}, "a cascade without weights"),
        ({"weights": ""}, "a cascade without weights"),
        ({"team": None}, "a cascade without team"),
        ({"threshold": None}, "a cascade without threshold"),
        ({"threshold": 5}, "cascade.threshold is 5, not 0 to 1"),
        ({"temperature": None}, "a cascade without temperature"),
    ],
)
def test_a_card_whose_cascade_is_none_is_refused_in_one_line(quick_folder, images, tmp_path, capsys, changes, line):
    folder = Path(shutil.copytree(quick_folder, tmp_path / "quick"))
    card = json.loads((folder / "card.json").read_text())
    for name, value in changes.items():
        within = card if name == "temperature" else card["cascade"]
        within.pop(name) if value is None else within.update({name: value})
    (folder / "card.json").write_text(json.dumps(card))
    np.save(tmp_path / "a.npy", images[0])
    assert main(["classify", str(tmp_path / "a.npy"), "--model", str(folder), "--cascade"]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"{folder / 'card.json'}: cannot be read (ValueError: {line}")


def test_a_team_behind_that_is_gone_or_was_never_calibrated_is_refused_by_name(quick_folder, trained, tmp_path):
    folder = TeamFolder(Path(shutil.copytree(quick_folder, tmp_path / "quick")))
    card = folder.card()
    for team, line in (
        (str(tmp_path / "gone"), rf"goes before {tmp_path}/gone, which cannot be opened \({tmp_path}/gone: no such folder\)"),
        ("no-such-team", r"goes before no-such-team, which cannot be opened \(model: 'no-such-team' is neither"),
        (str(trained("lenet")), r"which is not calibrated; expected a calibrated team"),
    ):
        folder.write_card(card.with_changes(cascade=card.cascade | {"team": team}))
        with pytest.raises(SettingRefusal, match=line):
            load_cascade(str(folder.path), "cpu")


def test_a_cascade_of_relative_folders_opens_from_anywhere(trained, quick_folder, tmp_path, monkeypatch):
    shutil.copytree(quick_folder.parent / "last", tmp_path / "teams" / "last")
    monkeypatch.chdir(tmp_path)
    calibrate([trained("lenet")], Path("teams/quick"), most_poses=1, cascade="teams/last")
    assert load_cascade("teams/quick", "cpu").team.name == load("teams/last", "cpu").name
    monkeypatch.chdir(tmp_path / "teams")
    assert load_cascade("./quick", "cpu").team.name == load("./last", "cpu").name


def test_a_packaged_quick_team_goes_before_the_folder_of_its_team(tmp_path):
    folder = shutil.copytree(find_team("c8-attention").path, tmp_path / "mine")
    opened = load_cascade(str(folder), "cpu")
    assert opened.quick.name == load("quick", "cpu").name
    assert opened.team.name == load("c8-attention", "cpu").name


def test_a_team_without_a_quick_one_is_refused(untrained):
    with pytest.raises(SettingRefusal, match="no quick team goes before"):
        load_cascade(str(untrained("lenet")), "cpu")


def test_an_uncalibrated_team_cannot_follow(trained, tmp_path, capsys):
    out = tmp_path / "team"
    assert main(["calibrate", str(trained("lenet")), "--out", str(out), "--cascade", str(trained("lenet"))]) == 2
    assert "is not calibrated" in capsys.readouterr().err
    assert not out.exists()


def test_a_team_of_other_gates_cannot_follow(trained, quick_folder, tmp_path, capsys):
    out, last = tmp_path / "team", quick_folder.parent / "last"
    assert main(["calibrate", str(trained("attention")), "--out", str(out), "--cascade", str(last)]) == 2
    assert f"--cascade: the runs have 3 gates, {last} has 0; expected a team of as many" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize("door", ["attention", "evidence"])
def test_maps_are_of_the_team_that_answered_each_source(pair, images, door):
    quick, team = pair
    cascade = Cascade(quick, team, between(quick.answer(images[:4]).p.max(1)))
    who = cascade.classify(list(images[:4]))["model"]
    assert set(who) == {quick.name, team.name}
    maps = [getattr(each, door)(images[:4]) for each in (quick, team)]
    expected = [maps[name == team.name][place] for place, name in enumerate(who)]
    np.testing.assert_allclose(getattr(cascade, door)(images[:4]), expected, rtol=0, atol=1e-5)
    np.testing.assert_allclose(getattr(cascade, door)(images[0])[0], expected[0], rtol=0, atol=1e-5)
    some = getattr(cascade, door)([images[0], np.zeros((150, 150), np.uint8)])
    assert np.isnan(some[1]).all()
    assert not np.isnan(some[0]).any()


def test_features_of_two_teams_are_refused_before_any_work(pair, images, tmp_path, capsys):
    with pytest.raises(
        SettingRefusal, match=r"^features: asked of a cascade, whose two teams .* Ask \.team\.features or \.quick\.features\.$"
    ):
        Cascade(*pair, 0.7).features(images)
    np.save(tmp_path / "a.npy", images[0])
    assert (
        main(["classify", str(tmp_path / "a.npy"), "--model", "no-such-team", "--cascade", "--features", str(tmp_path / "f.parquet")]) == 2
    )
    assert "--features: asked of a cascade, whose two teams have features of their own" in capsys.readouterr().err


def test_the_command_classifies_by_a_cascade_and_a_catalogue_says_so(quick_folder, images, tmp_path, capsys):
    np.save(tmp_path / "a.npy", images[0])
    out = tmp_path / "out.vot"
    assert main(["classify", str(tmp_path / "a.npy"), "--model", str(quick_folder), "--cascade", "--out", str(out)]) == 0
    text = out.read_text()
    assert 'name="quick_model"' in text
    assert 'name="sure_from"' in text
    assert main(["classify", str(tmp_path / "a.npy"), "--model", str(quick_folder), "--out", str(out), "--resume"]) == 2
    assert "calibration" in capsys.readouterr().err, "rows of a cascade are not those of its quick team"
    assert json.loads((tmp_path / "out.vot.job.json").read_text())["model"].startswith("lenet")


def test_the_printed_table_says_who_answered_each_source(quick_folder, images, tmp_path, capsys, monkeypatch):
    np.save(tmp_path / "a.npy", images[0])
    monkeypatch.setenv("COLUMNS", "200")
    command = ["classify", str(tmp_path / "a.npy"), "--model", str(quick_folder), "--cascade"]
    assert main(command) == 0
    title, columns, _, row = capsys.readouterr().out.splitlines()[:4]
    assert re.match(r"quick: lenet \w{12}, from probability [01]\.\d{3}; better: lenet \w{12}$", title)
    assert "by" in columns.split()
    assert "quick" in row.split(), "of the same name"
    assert main(command[:-1]) == 0
    assert not {"by", "quick"} & set(capsys.readouterr().out.split())
