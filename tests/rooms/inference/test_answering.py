"""Answers of an ensemble: poses, spread, distance; and packaged weights."""

import numpy as np
import pytest

import equiradio
from equiradio.artefacts.shelf import PACKAGED, packaged_card, packaged_names
from equiradio.errors import ModelRefusal
from equiradio.inference.answers import Calibration, answer, frii, squared_distance
from equiradio.inference.posed import one_pose, poses_for
from equiradio.inference.team import load


def test_poses_fit_the_symmetry_and_the_first_is_the_image():
    for model, span, mirrors in (("c4-attention", 90, True), ("d4-attention", 90, False), ("attention", 360, True), ("lenet", 360, True)):
        poses = poses_for(model, 8)
        assert poses.rotation_deg[0] == 0
        assert not poses.mirrored[0]
        assert np.allclose(np.sort(poses.rotation_deg), np.arange(8) * span / 8)
        assert poses.mirrored.any() == mirrors
        assert np.array_equal(poses_for(model, 3).rotation_deg, poses.rotation_deg[:3])


@pytest.mark.parametrize("model", ["lenet", "attention"])
def test_the_mean_over_poses_is_the_mean(trained, sky, model):
    from equiradio.datasets.registry import open_data

    images = open_data(str(sky)).images[:5]
    classifier = load(trained(model))
    answers = answer(classifier, Calibration(poses=3, temperature=1.5), images)
    by_hand = np.mean([frii(one_pose(classifier, images, pose)[0], 1.5) for pose in range(3)], axis=0)
    assert np.allclose(answers.p_frii, by_hand, atol=1e-9)
    assert (answers.low <= answers.p_frii).all()
    assert (answers.p_frii <= answers.high).all()
    assert answers.gates.shape == (5, 0 if model == "lenet" else 3, 150, 150)


def test_distance_is_that_of_mahalanobis():
    from scipy.spatial.distance import mahalanobis

    rng = np.random.default_rng(0)
    seen, centre, root = rng.normal(size=(4, 3)), rng.normal(size=3), rng.normal(size=(3, 3))
    precision = root @ root.T
    assert np.allclose(squared_distance(seen, centre, precision), [mahalanobis(row, centre, precision) ** 2 for row in seen])


@pytest.mark.parametrize("name", packaged_names())
def test_packaged_weights_open_and_say_what_they_are(name):
    classifier = equiradio.load(name)
    assert [member.card.seed for member in classifier.members] == [member["seed"] for member in packaged_card(name)["members"]]
    assert name in classifier._repr_html_()
    assert sum(file.stat().st_size for file in PACKAGED.rglob("*") if file.is_file()) < 25e6


def test_an_unknown_name_is_refused():
    with pytest.raises(ModelRefusal, match="'c4-atention' is neither packaged nor a run folder"):
        packaged_card("c4-atention")


def test_arrays_and_files_give_the_same_table(trained, sky):
    from equiradio.datasets.registry import open_data

    classifier = load(trained("lenet"))
    table = classifier.classify([*open_data(str(sky)).images[:3], np.zeros((150, 150), np.uint8)])
    assert table["flag_names"].to_pylist() == ["no_wcs uncalibrated"] * 3 + ["blank"]
    assert classifier.attention([*open_data(str(sky)).images[:2]]).shape == (2, 150, 150)
