"""A team asked in another number of poses than its card's: what temperature and threshold it takes, and what it says of that."""

from dataclasses import replace

import numpy as np
import pytest

from equiradio.artefacts.team import TeamCard, team_card
from equiradio.cli.main import main
from equiradio.errors import RunRefusal, SettingRefusal
from equiradio.inference.calibration import Calibration
from equiradio.inference.team import load
from equiradio.sky.beams import Beam
from equiradio.sky.pictures import from_pixels

CHOICE = {"temperature": 1.5, "threshold": 0.9, "coverage": 0.5, "selective_accuracy": 0.95}
CALIBRATION = Calibration(2, 1.1, 0.8, reach=7.0)


@pytest.fixture(scope="module")
def card():
    """A packaged team's, with what was tried beside two poses."""
    return replace(load("c4-attention", "cpu").card, by_poses={"1": CHOICE, "8": CHOICE | {"temperature": 2.0}})


@pytest.mark.parametrize(
    ("poses", "temperature", "threshold", "calibrated"),
    [(1, 1.5, 0.9, True), (2, 1.1, 0.8, True), (3, 1.1, 0.8, False), (5, 1.1, 0.8, False), (6, 2.0, 0.9, False), (8, 2.0, 0.9, True)],
)
def test_what_was_chosen_for_a_number_is_taken_for_it_and_the_nearest_for_others(card, poses, temperature, threshold, calibrated):
    asked = CALIBRATION.in_poses(poses, card)
    assert (asked.poses, asked.temperature, asked.threshold, asked.calibrated) == (poses, temperature, threshold, calibrated)
    assert asked.reach == CALIBRATION.reach  # of the image as it is


@pytest.mark.parametrize(
    ("beam", "own"),
    [(None, True), (Beam(5.4), True), (Beam(5.4, 5.4, 0.0), True), (Beam(6.8, 5.4, 0.0), True), (Beam(6.48), False), (Beam(5.0), False)],
)
def test_thresholds_by_beam_are_of_the_card_s_poses_and_sources_through_other_beams_uncalibrated(card, beam, own):
    whole = replace(CALIBRATION, beams=(4.5, 6.48), thresholds={6.48: 0.85})
    assert whole.calibrated_for(beam)
    assert whole.in_poses(2, card).calibrated_for(beam), "the card's own"
    assert whole.in_poses(1, card).calibrated_for(beam) == own
    assert not whole.in_poses(3, card).calibrated_for(beam)
    assert CALIBRATION.in_poses(1, card).calibrated_for(beam), "no beams are known"


def test_rows_say_so(card):
    team = load("c4-attention", "cpu")
    image = np.zeros((150, 150), np.uint8)
    image[60:90, 70:80] = 200
    asked = [from_pixels("a", image, beam) for beam in (None, [5.4], [6.0])]
    flagged = lambda of: ["uncalibrated" in row["flag_names"].split() for row in of.ask(asked)[0]]
    assert flagged(team) == [False, False, False]
    assert flagged(team.in_poses(1)) == [False, False, True]


def test_without_a_calibration_any_number_is_uncalibrated(card):
    assert not Calibration().in_poses(1, card).calibrated
    assert Calibration().in_poses(1, card).poses == 1


@pytest.mark.parametrize("first", [1, 3, 8])
def test_asked_twice_it_is_as_asked_once(first):
    """Whatever was asked before, the card's own choice and its promises come back, and those of other numbers are not mixed up."""
    team = load("c4-attention", "cpu")
    for poses in (team.calibration.poses, 1, 3, 8):
        once, twice = team.in_poses(poses).calibration, team.in_poses(first).in_poses(poses).calibration
        assert all(np.array_equal(one, other) for one, other in zip(vars(once).values(), vars(twice).values(), strict=True))
    share = {"FRI": 0.7, "FRII": 0.3}
    back = team.in_poses(first).for_prior(share).in_poses(team.calibration.poses).calibration
    assert (back.limits, back.of_card, back.weights) == (team.calibration.limits, True, team.for_prior(share).calibration.weights)


@pytest.mark.parametrize("poses", [0, -1, 65])
def test_numbers_that_nobody_needs_are_refused(card, poses):
    with pytest.raises(SettingRefusal, match=f"--poses: {poses}; expected 1 to 64"):
        CALIBRATION.in_poses(poses, card)


@pytest.mark.parametrize(
    "wrong", [{"0": CHOICE}, {"one": CHOICE}, {"1": CHOICE | {"threshold": 2.0}}, {"1": CHOICE | {"temperature": 0.0}}, {"1": {}}]
)
def test_a_card_with_choices_that_nobody_makes_is_refused(card, wrong, tmp_path):
    with pytest.raises(RunRefusal, match=r"card\.json"):
        team_card(TeamCard.as_json(card) | {"by_poses": wrong}, tmp_path / "card.json")


def test_the_command_asks_in_so_many_poses_and_warns(tmp_path, monkeypatch, capsys):
    image = np.zeros((150, 150), np.uint8)
    image[70:80, 70:80] = 200
    np.save(tmp_path / "a.npy", image)
    monkeypatch.chdir(tmp_path)
    assert main(["classify", "a.npy", "--model", "c4-attention", "--poses", "3", "--json"]) == 0
    answer = capsys.readouterr()
    assert "uncalibrated" in answer.out
    assert "c4-attention is calibrated for 1, 2. Temperature and threshold are those of the nearest; flag uncalibrated." in answer.err
    assert main(["classify", "a.npy", "--model", "c4-attention", "--poses", "1", "--json"]) == 0
    answer = capsys.readouterr()
    assert "uncalibrated" not in answer.out + answer.err
    assert main(["classify", "a.npy", "--poses", "0"]) == 2
