"""Columns `set` and `expected_accuracy`: what the card promises of answers like one, and null where it promises nothing."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from equiradio.artefacts.team import TeamFolder
from equiradio.datasets.registry import open_data
from equiradio.errors import RunRefusal
from equiradio.evaluation.expected import accuracy_rows
from equiradio.inference.calibration import Calibration
from equiradio.inference.team import Team, load
from equiradio.sky.pictures import from_pixels
from equiradio.verbs.calibrate import calibrate

ROWS = accuracy_rows(5.4, np.arange(40) < 36, np.full(40, 12.0), np.ones(40, bool))


@pytest.fixture(scope="module")
def calibrated(trained, tmp_path_factory):
    out = tmp_path_factory.mktemp("teams") / "team"
    calibrate([trained("lenet")], out, most_poses=1)
    return out


@pytest.fixture(scope="module")
def images(sky):
    return open_data(str(sky)).of_split("test").images


def asked(team, images, beam=(5.4,), **chosen):
    calibration = replace(Calibration(poses=1, threshold=0.0, beams=(5.4, 6.48)), **chosen)
    rows, answers = Team(team.members, calibration, team.card).ask([from_pixels("a", image, beam) for image in images])
    return rows, answers


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ((1.0, 1.0), {"FRI|FRII"}),
        ((0.0, 0.0), {""}),
        ((1.0, 0.0), {"FRI"}),
        ((0.0, 1.0), {"FRII"}),
        (None, {None}),
    ],
)
def test_the_set_has_the_classes_within_their_limits(trained, images, limits, expected):
    rows, _ = asked(load(trained("lenet"), "cpu"), images, limits=limits)
    assert {row["set"] for row in rows} == expected


def test_a_class_is_in_where_its_probability_is_high_enough_whatever_the_mix(trained, images):
    team = load(trained("lenet"), "cpu")
    _, answers = asked(team, images)
    limit = 1 - float(np.sort(answers.p[:, 1])[2])
    plain, _ = asked(team, images, limits=(0.0, limit))
    assert sorted(row["set"] for row in plain) == [""] * 2 + ["FRII"] * 4
    mixed, other = asked(team, images, limits=(0.0, limit), weights=(9.0, 1.0), prior=(0.9, 0.1))
    assert [row["set"] for row in mixed] == [row["set"] for row in plain]
    assert (other.p[:, 1] < answers.p[:, 1]).all()


def test_accuracy_is_that_of_the_kind(trained, images):
    team = load(trained("lenet"), "cpu")
    rows, _ = asked(team, images, expected=tuple(ROWS))
    assert {row["expected_accuracy"] for row in rows} == {0.9}
    assert {row["uncertain"] for row in rows} == {False}
    unsure, _ = asked(team, images, expected=tuple(ROWS), threshold=1.0)
    assert {row["expected_accuracy"] for row in unsure} == {0.9}  # of all sizes and answers together
    only = tuple(row for row in ROWS if row["answered"])
    assert {row["expected_accuracy"] for row in asked(team, images, expected=only, threshold=1.0)[0]} == {None}


@pytest.mark.parametrize(("beam", "expected"), [((5.4,), 0.9), ((6.8, 5.4, 0.0), 0.9), ((6.4, 5.4, 0.0), 0.9), ((6.48,), 0.5)])
def test_accuracy_through_first_s_southern_beams_is_that_of_first_as_the_threshold_is(trained, images, beam, expected):
    """6.8 x 5.4 has the area of 6.06 arcsec, which is nearer to 6.48."""
    wider = accuracy_rows(6.48, np.arange(40) < 20, np.full(40, 12.0), np.ones(40, bool))
    rows, _ = asked(load(trained("lenet"), "cpu"), images[:1], beam, expected=tuple(ROWS + wider))
    assert rows[0]["expected_accuracy"] == expected


@pytest.mark.parametrize(
    ("beam", "there"),
    [(None, True), ((5.4,), True), ((5.45,), True), ((6.8, 5.4, 0.0), True), ((5.6,), False), ((6.0, 5.4, 0.0), False), ((6.48,), False)],
)
def test_sets_are_of_sources_seen_through_the_beam_that_they_were_chosen_through(trained, images, beam, there):
    team = load(trained("lenet"), "cpu")
    rows, _ = asked(team, images[:1], beam, limits=(1.0, 1.0))
    assert rows[0]["set"] == ("FRI|FRII" if there else None)
    rows, _ = asked(team, images[:1], beam, limits=(1.0, 1.0), beams=None)
    assert rows[0]["set"] == "FRI|FRII", "of a team of which no beams are known"


@pytest.mark.parametrize(
    ("beam", "chosen"),
    [(None, {}), ((15.0,), {}), ((4.0,), {}), ((5.4,), {"expected": ()}), ((5.4,), {"weights": (2.0, 1.0), "prior": (0.7, 0.3)})],
)
def test_where_nothing_was_measured_none_is_expected(trained, images, beam, chosen):
    rows, _ = asked(load(trained("lenet"), "cpu"), images[:1], beam, **({"expected": tuple(ROWS), "limits": (1.0, 1.0)} | chosen))
    assert rows[0]["expected_accuracy"] is None
    assert (rows[0]["set"] is None) == (beam in ((15.0,), (4.0,)))


def test_calibrate_writes_what_rows_then_say(calibrated, sky, images):
    card, team = TeamFolder(calibrated).card(), load(calibrated, "cpu")
    validation = open_data(str(sky)).of_split("validation")
    assert card.sets["level"] == 0.9
    assert card.sets["sources"] == {name: int((validation.labels == place).sum()) for place, name in enumerate(card.labels)}
    assert card.sets["limits"] == {"FRI": 1.0, "FRII": 1.0}, "of so few sources every class is always in"
    assert card.sets["test"]["all"]["sources"] == 6
    assert card.sets["test"]["all"]["coverage"] == 1
    assert card.expected == {"least_sources": 30, "rows": []}
    table = team.classify(images)
    assert set(table["set"]) == {"FRI|FRII"}
    assert set(table["expected_accuracy"]) == {None}


def test_another_number_of_poses_promises_nothing(calibrated, images):
    assert set(load(calibrated, "cpu").in_poses(3).classify(images)["set"]) == {None}


@pytest.mark.parametrize(
    "odd",
    [
        {"sets": {"limits": {"FRI": 0.5}}},
        {"sets": {"limits": {"FRI": 0.5, "FRII": 1.5}}},
        {"sets": {"limits": {"FRI": "a", "FRII": 1}}},
        {"expected": {"rows": [dict(ROWS[0], accuracy=1.5)]}},
        {"expected": {"rows": [dict(ROWS[0], beam_arcsec=0)]}},
        {"expected": {"rows": [{"beam_arcsec": 5.4}]}},
    ],
)
def test_a_card_that_promises_nonsense_is_refused(calibrated, tmp_path, odd):
    folder = shutil.copytree(calibrated, tmp_path / "team")
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(card | odd))
    with pytest.raises(RunRefusal, match=r"card\.json"):
        load(folder, "cpu")
