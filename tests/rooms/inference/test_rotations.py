"""Means over poses are those of the poses one by one; exact symmetry leaves no deviation."""

import numpy as np
import pytest
import torch

from equiradio.data.augment import Poses, turned
from equiradio.errors import SettingRefusal
from equiradio.inference.classifier import load
from equiradio.inference.rotations import mean_over_poses


@pytest.fixture(scope="module")
def images():
    smooth = torch.nn.functional.avg_pool2d(torch.rand(3, 1, 158, 158, generator=torch.Generator().manual_seed(0)), 9, 1)[:, 0]
    return (255 * (smooth - smooth.min()) / (smooth.max() - smooth.min())).to(torch.uint8).numpy()


def one_by_one(classifier, images, angles, mirrored=(False,)):
    every = [
        classifier.look(images, Poses(np.full(len(images), angle), np.full(len(images), mirror), np.ones(len(images)))).logits.softmax(1)
        for mirror in mirrored
        for angle in angles
    ]
    return torch.stack(every).double().numpy()


@pytest.mark.parametrize(("rotations", "mirrors"), [(1, False), (5, False), (3, True)])
def test_means_are_those_of_the_poses_one_by_one(trained, images, rotations, mirrors):
    classifier = load(trained("lenet"))
    found = mean_over_poses(classifier, images, rotations, mirrors)
    alone = one_by_one(classifier, images, np.arange(rotations) * 360 / rotations, (False, True)[: 1 + mirrors])
    np.testing.assert_allclose(found.probabilities, alone.mean(0), atol=1e-6)
    np.testing.assert_allclose(found.deviation, alone.std(0), atol=1e-6)
    np.testing.assert_allclose(found.probabilities.sum(1), 1)


def test_many_poses_pass_in_several_batches(trained, images):
    classifier = load(trained("lenet"))
    found = mean_over_poses(classifier, images, 50)
    np.testing.assert_allclose(found.probabilities, one_by_one(classifier, images, np.arange(50) * 7.2).mean(0), atol=1e-6)


def test_one_rotation_is_the_image_as_it_is(trained, images):
    classifier = load(trained("lenet"))
    plain = classifier.look(images, turned([0.0] * 3)).logits.softmax(1).numpy()
    found = mean_over_poses(classifier, images, 1)
    np.testing.assert_allclose(found.probabilities, plain, atol=1e-6)
    assert (found.deviation == 0).all()


def test_quarter_turns_change_nothing_for_a_symmetric_network(trained, images):
    deviation = mean_over_poses(load(trained("c4-attention")), images, 4).deviation
    assert deviation.max() < 1e-4
    assert mean_over_poses(load(trained("lenet")), images, 4).deviation.max() > 1e-4


def test_no_rotation_is_refused(trained, images):
    with pytest.raises(SettingRefusal, match="rotations: 0; expected 1 or more"):
        mean_over_poses(load(trained("lenet")), images, 0)
