"""Sources with weights are drawn by them: as many images an epoch as without, each in a pose of its own, the same when repeated."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from equiradio.compute.poses import TRAINING, draw_poses, show
from equiradio.compute.preprocess import Preprocessing, preprocessing
from equiradio.datasets.registry import open_data
from equiradio.errors import SettingRefusal
from equiradio.settings import TrainingSettings
from equiradio.training import batches
from equiradio.training.batches import SourcesModule, drawn
from equiradio.training.fit import train

PASSES = 4


class Stage:
    """The little that the module asks of a Trainer."""

    world_size, global_rank, training = 1, 0, True

    def __init__(self, epoch):
        self.current_epoch = epoch


@pytest.fixture
def sources(sky):
    whole = open_data(str(sky))
    return replace(whole, weights=np.where(np.arange(len(whole)) % 4 == 0, 2.3, 0.55))


@pytest.fixture
def module(sources):
    return SourcesModule(sources, TrainingSettings(passes=PASSES, batch_size=7, seed=5), Preprocessing(0.0, 1 / 255, None))


def law_of_shares(module):
    count = len(module.splits["train"])
    times = np.mean([np.bincount(module.shown("train", epoch)[0], minlength=count) for epoch in range(60)], axis=0)
    expected = PASSES * module.splits["train"].weights
    np.testing.assert_allclose(times, expected / expected.mean() * PASSES, atol=0.35)
    assert all(len(module.shown("train", epoch)[0]) == PASSES * count for epoch in range(3))


def test_each_source_is_shown_by_its_weight(module):
    law_of_shares(module)


def test_the_law_catches_a_draw_of_all_alike(module, monkeypatch):
    monkeypatch.setattr(batches, "drawn", lambda weights, count, rng: np.arange(count) % len(weights))
    with pytest.raises(AssertionError):
        law_of_shares(module)


def test_within_an_epoch_the_numbers_are_those_expected_rounded_up_or_down():
    weights = np.array([0.3, 1.7, 2.0, 0.01])
    for seed in range(20):
        places = drawn(weights, 50, np.random.default_rng(seed))
        expected = 50 * weights / weights.sum()
        times = np.bincount(places, minlength=4)
        assert len(places) == 50
        assert (abs(times - expected) < 1).all()


def test_no_view_is_shown_twice_and_all_follow_from_seed_and_epoch(module):
    pairs = [pair for epoch in range(4) for pair in zip(*(each.tolist() for each in module.shown("train", epoch)), strict=True)]
    assert len(set(pairs)) == len(pairs)
    np.testing.assert_array_equal(module.shown("train", 2)[0], module.shown("train", 2)[0])
    assert (module.shown("train", 1)[0] != module.shown("train", 2)[0]).any()


def test_batches_hold_the_images_labels_and_poses_of_the_draw(module):
    epoch, views = 3, torch.tensor([0, 5, 50, 95])
    module.trainer = Stage(epoch)
    images, labels = module.on_after_batch_transfer(views, 0)
    rows, passes = (each[views.numpy()] for each in module.shown("train", epoch))
    part = module.splits["train"]
    assert labels.tolist() == part.labels[rows].tolist()
    expected = show(torch.from_numpy(part.images[rows]), draw_poses(5, TRAINING, rows, passes).matrices())
    assert_close(images, expected)


def test_validation_shows_all_alike(module):
    rows, passes = module.shown("validation", 7)
    assert rows.tolist() == list(range(6)) * module.settings.validation_passes
    assert passes.tolist() == np.repeat(np.arange(module.settings.validation_passes), 6).tolist()


@pytest.mark.parametrize(("weighing", "drawn_by"), [("catalogue", True), ("none", False)])
def test_the_setting_decides_whether_weights_count(sources, tiny, tmp_path, monkeypatch, weighing, drawn_by):
    monkeypatch.setattr("equiradio.training.fit.open_data", lambda *arguments: replace(sources, left_out=("sky: 3 left out, why",)))
    seen = []
    monkeypatch.setattr(batches, "drawn", lambda weights, count, rng: seen.append(1) or drawn(weights, count, rng))
    run = train(tiny(epochs=1, **{"data.weighing": weighing}), tmp_path / "run", device="cpu")
    assert bool(seen) is drawn_by
    assert run.card().left_out == ["sky: 3 left out, why"]


def test_a_wide_sky_is_for_images_by_the_recipe_of_mirabest(sky, tiny):
    sources = open_data(str(sky))
    other = replace(sources, recipe=replace(sources.recipe, stretch="asinh"))
    settings = tiny("lenet", sky="wide")
    prepare = preprocessing(settings.data, None)
    assert SourcesModule(sources, settings.training, prepare)
    with pytest.raises(SettingRefusal, match=r"training\.sky: wide for .*images by MiraBest's recipe"):
        SourcesModule(other, settings.training, prepare)
