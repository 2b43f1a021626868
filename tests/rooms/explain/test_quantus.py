"""Measures are those of quantus, where it is installed (`pip install quantus`, which brings opencv-python)."""

import warnings

import numpy as np
import pytest
import torch

from equiradio.explain.faithfulness import curves, similarity
from equiradio.explain.islands import energy_inside, points_at

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    quantus = pytest.importorskip("quantus")
pytestmark = pytest.mark.filterwarnings("ignore")
SIDE = 32


class Toy(torch.nn.Module):
    """Two classes by the light in a corner."""

    def forward(self, images):
        light = images[:, 0, :10, :10].sum((1, 2)) / 20
        return torch.stack([1 - light, light], 1)


@pytest.fixture
def scene():
    """Images (4, 1, side, side), their islands, and maps of no meaning."""
    rng = np.random.default_rng(0)
    masks = np.zeros((4, 1, SIDE, SIDE), bool)
    masks[:, 0, 4:12, 4:14] = True
    images = np.where(masks, rng.random(masks.shape), 0).astype(np.float32)
    return images, masks, (rng.random(masks.shape) + masks * rng.random((4, 1, 1, 1))).astype(np.float32)


def ask(metric, scene):
    images, masks, maps = scene
    return np.array(metric(model=Toy().eval(), x_batch=images, y_batch=np.ones(4, int), a_batch=maps, s_batch=masks, device="cpu"), float)


def test_energy_is_their_relevance_mass(scene):
    theirs = ask(quantus.RelevanceMassAccuracy(abs=False, normalise=False, disable_warnings=True), scene)
    np.testing.assert_allclose([energy_inside(plane[0], mask[0]) for mask, plane in zip(*scene[1:], strict=True)], theirs, rtol=1e-5)


def test_pointing_is_theirs(scene):
    theirs = ask(quantus.PointingGame(abs=False, normalise=False, disable_warnings=True), scene)
    ours = [points_at(plane[0], mask[0], tolerance=0) for mask, plane in zip(*scene[1:], strict=True)]
    np.testing.assert_array_equal(ours, theirs)
    assert 0 < np.mean(ours) <= 1


def test_deletion_is_their_pixel_flipping(scene):
    images, _, maps = scene
    step = 64
    flipping = quantus.PixelFlipping(
        features_in_step=step, perturb_baseline="black", abs=False, normalise=False, return_auc_per_sample=False, disable_warnings=True
    )
    theirs = ask(flipping, scene)
    fractions = tuple(step * number / SIDE**2 for number in range(1, SIDE**2 // step + 1))
    probability = lambda planes: Toy()(torch.from_numpy(planes)[:, None]).softmax(1)[:, 1].numpy()
    sky = np.zeros((SIDE, SIDE), np.float32)
    ours = [curves(probability, image[0], plane[0], sky, 0, fractions)[0] for image, plane in zip(images, maps, strict=True)]
    assert np.ptp(ours) > 0.1
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_likeness_is_their_rank_correlation(scene):
    _, _, maps = scene
    theirs = quantus.similarity_func.correlation_spearman(maps[0].ravel(), maps[1].ravel())
    assert similarity(maps[0, 0], maps[1, 0], np.ones((SIDE, SIDE), bool)) == pytest.approx(theirs)
