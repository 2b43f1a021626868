"""Training on a wide sky: batches of any size are alike, validation is on plain and wide views, and what was stopped ends the same."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from equiradio.compute.poses import TRAINING, VALIDATION, draw_poses
from equiradio.compute.preprocess import Preprocessing
from equiradio.compute.wide_sky import WideSky, draw_views
from equiradio.datasets.registry import open_data
from equiradio.labels import UNKNOWN
from equiradio.settings import TrainingSettings
from equiradio.training.batches import SourcesModule
from equiradio.training.fit import train
from equiradio.training.teacher import Lesson

PASSES, AGAIN, EPOCHS = 2, 2, 3


class Stage:
    """The little that the module asks of a Trainer."""

    world_size, global_rank = 1, 0

    def __init__(self, training: bool, epoch: int = 0) -> None:
        self.training, self.current_epoch = training, epoch


@pytest.fixture
def module_of(sky):
    def make(kind: str, training: bool = True, epoch: int = 0) -> SourcesModule:
        settings = TrainingSettings(passes=PASSES, validation_passes=AGAIN, batch_size=7, seed=5, sky=kind)
        made = SourcesModule(open_data(str(sky)), settings, Preprocessing(0.0, 1 / 255, None))
        made.trainer = Stage(training, epoch)
        return made

    return make


def batch_of(module: SourcesModule, rows: np.ndarray) -> torch.Tensor:
    return module.on_after_batch_transfer(torch.from_numpy(rows), 0)[0]


def check_any_size(module: SourcesModule, views: int) -> None:
    rows = np.random.default_rng(0).permutation(views)
    together = batch_of(module, rows)
    for size in (1, 3, 8):
        apart = torch.cat([batch_of(module, rows[first : first + size]) for first in range(0, views, size)])
        assert torch.equal(apart, together)


@pytest.mark.parametrize("training", [True, False])
def test_a_view_is_the_same_in_batches_of_any_size(module_of, training):
    check_any_size(module_of("wide", training), 24 * PASSES if training else 2 * 6 * AGAIN)


def test_the_law_of_sizes_catches_views_drawn_by_the_batch(module_of, monkeypatch):
    true = WideSky.show
    monkeypatch.setattr(WideSky, "show", lambda self, images, numbers: true(self, images, numbers[:1].expand_as(numbers)))
    with pytest.raises(AssertionError):
        check_any_size(module_of("wide"), 24 * PASSES)


def test_training_views_are_those_of_source_and_pass(module_of):
    source, epoch = 11, 2
    module = module_of("wide", epoch=epoch)
    image = module.splits["train"].images[source : source + 1]
    drawn = 5, TRAINING, np.array([source]), np.array([epoch * PASSES + 1])
    own = WideSky(module.splits["train"].images, 5)
    expected = own.show(torch.from_numpy(image), own.numbers(draw_poses(*drawn), draw_views(*drawn), np.array([source])))
    assert torch.allclose(batch_of(module, np.array([24 + source])), expected, atol=0.01)


def test_validation_shows_every_view_as_it_is_and_wide(module_of):
    first, wide = module_of("first", training=False), module_of("wide", training=False)
    count = 6 * AGAIN
    rows = np.arange(count)
    assert torch.equal(batch_of(wide, rows), batch_of(first, rows))
    other = batch_of(wide, rows + count)
    assert not torch.allclose(other, batch_of(first, rows), atol=20)
    drawn = 5, VALIDATION, rows % 6, rows // 6
    own, images = WideSky(wide.splits["validation"].images, 5), torch.from_numpy(wide.splits["validation"].images[rows % 6])
    assert torch.allclose(other, own.show(images, own.numbers(draw_poses(*drawn), draw_views(*drawn), rows % 6)), atol=0.01)
    labels = wide.on_after_batch_transfer(torch.arange(2 * count), 0)[1]
    assert torch.equal(labels[:count], labels[count:])
    assert len(list(torch.cat(list(wide.val_dataloader())))) == 2 * count


def test_what_fills_up_the_last_batch_has_no_class(module_of):
    module = module_of("wide", training=False)
    labels = module.on_after_batch_transfer(torch.tensor([2 * 6 * AGAIN - 1, 2 * 6 * AGAIN]), 0)[1]
    assert (labels == UNKNOWN).tolist() == [False, True]


def test_skies_of_a_lesson_are_shown_wide_too(module_of):
    module = module_of("wide")
    part = module.splits["train"]
    targets = np.tile(np.float32([0.5, 0.5]), (len(part) + 3, 1))
    module.lesson = Lesson("a team", targets, part.images[:-4:-1])  # other images than those that these numbers have in the split
    rows, every = np.array([24, 26]), np.concatenate([part.images, part.images[:-4:-1]])
    images, answers = module.on_after_batch_transfer(torch.from_numpy(rows), 0)
    assert answers.shape == (2, 2)
    own, drawn = WideSky(every, 5), (5, TRAINING, rows, np.zeros(2, int))
    expected = own.show(torch.from_numpy(every[rows]), own.numbers(draw_poses(*drawn), draw_views(*drawn), rows))
    assert torch.allclose(images, expected, atol=0.01)


def numbers_of(run) -> list[dict[str, float]]:
    return [{key: value for key, value in row.items() if key not in ("seconds", "images_per_second")} for row in run.history()]


def test_stopped_after_every_epoch_it_ends_as_one_that_nobody_disturbed(tiny, tmp_path):
    settings = tiny(epochs=EPOCHS, sky="wide")
    straight = train(settings, tmp_path / "straight", device="cpu")
    for _ in range(EPOCHS):
        stopped = train(settings, tmp_path / "stopped", device="cpu", resume=True, max_minutes=0)
    assert numbers_of(stopped) == numbers_of(straight)
    states = [torch.load(run.checkpoint, weights_only=True)["state_dict"] for run in (stopped, straight)]
    assert all(torch.equal(states[0][name], value) for name, value in states[1].items())
    assert straight.card().sky == "wide"
    assert straight.settings().training.sky == "wide"
    usual = train(replace(settings, training=replace(settings.training, sky="first")), tmp_path / "first", device="cpu")
    assert usual.card().sky == "first"
    assert numbers_of(usual) != numbers_of(straight)
