"""Answers of an ensemble: poses, spread, distance; and packaged weights."""

import numpy as np
import pytest

import equiradio
from equiradio.artefacts.shelf import find_team, team_card_of, team_names
from equiradio.errors import ModelRefusal
from equiradio.evaluation.choosing import probabilities, squared_distance
from equiradio.inference.answers import answer
from equiradio.inference.calibration import Calibration
from equiradio.inference.posed import in_pose, poses_for
from equiradio.inference.team import load
from equiradio.models.names import group_of


def test_poses_fit_the_symmetry_and_the_first_is_the_image():
    for model, span, mirrors in (("c4-attention", 90, True), ("d4-attention", 90, False), ("attention", 360, True), ("lenet", 360, True)):
        poses = poses_for(group_of(model), 8)
        assert poses.rotation_deg[0] == 0
        assert not poses.mirrored[0]
        assert np.allclose(np.sort(poses.rotation_deg), np.arange(8) * span / 8)
        assert poses.mirrored.any() == mirrors
        assert np.array_equal(poses_for(group_of(model), 3).rotation_deg, poses.rotation_deg[:3])


@pytest.mark.parametrize("model", ["lenet", "attention"])
def test_the_mean_over_poses_is_the_mean(trained, sky, model):
    from equiradio.datasets.registry import open_data

    images = open_data(str(sky)).images[:5]
    members = load(trained(model)).members
    answers = answer(members, Calibration(poses=3, temperature=1.5), images)
    by_hand = np.mean([probabilities(in_pose(members[0], images, pose).logits, 1.5) for pose in range(3)], axis=0)
    assert np.allclose(answers.p, by_hand, atol=1e-9)
    assert np.allclose(answers.p.sum(1), 1, atol=1e-12)
    assert (answers.low <= answers.p).all()
    assert (answers.p <= answers.high).all()
    assert np.array_equal(answers.top, by_hand.argmax(1))
    assert answers.gates.shape == (5, 0 if model == "lenet" else 3, 150, 150)


def test_distance_is_that_of_mahalanobis():
    from scipy.spatial.distance import mahalanobis

    rng = np.random.default_rng(0)
    seen, centre, root = rng.normal(size=(4, 3)), rng.normal(size=3), rng.normal(size=(3, 3))
    precision = root @ root.T
    assert np.allclose(squared_distance(seen, centre, precision), [mahalanobis(row, centre, precision) ** 2 for row in seen])


@pytest.mark.parametrize("name", ["c4-attention", "c8-attention"])
def test_packaged_teams_open_and_say_what_they_are(name):
    team = equiradio.load(name)
    assert [member.card.seed for member in team.members] == team_card_of(name).seeds
    for text in (repr(team), team._repr_html_()):
        assert name in text
        assert "FRI, FRII" in text
        assert f"{team.calibration.temperature:.3f}" in text


def test_an_unknown_name_is_refused():
    with pytest.raises(ModelRefusal, match="'c4-atention' is neither"):
        find_team("c4-atention")
    assert "c4-attention" in team_names()


def test_arrays_and_files_give_the_same_table(trained, sky):
    from equiradio.datasets.registry import open_data

    team = load(trained("lenet"))
    table = team.classify([*open_data(str(sky)).images[:3], np.zeros((150, 150), np.uint8)])
    assert table["flag_names"] == ["no_wcs uncalibrated"] * 3 + ["blank"]
    assert team.attention([*open_data(str(sky)).images[:2]]).shape == (2, 150, 150)
