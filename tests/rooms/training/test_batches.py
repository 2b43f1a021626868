"""The data module: every epoch shows every source as often as asked, in poses that only the training split changes."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from equiradio.compute.poses import TRAINING, VALIDATION, draw_poses
from equiradio.compute.preprocess import Preprocessing
from equiradio.datasets.registry import open_data
from equiradio.errors import DataRefusal
from equiradio.labels import FANAROFF_RILEY, UNKNOWN, Labels
from equiradio.settings import TrainingSettings
from equiradio.training.batches import SourcesModule

PASSES, AGAIN = 3, 2


class Stage:
    """The little that the module asks of a Trainer."""

    world_size, global_rank = 1, 0

    def __init__(self, training=True, epoch=0):
        self.training, self.current_epoch = training, epoch


@pytest.fixture
def module(sky):
    settings = TrainingSettings(passes=PASSES, validation_passes=AGAIN, batch_size=7, seed=5)
    made = SourcesModule(open_data(str(sky)), settings, Preprocessing(0.0, 1 / 255, None))
    made.trainer = Stage()
    return made


def shown(loader, epoch=0):
    loader.sampler.set_epoch(epoch)
    return torch.cat(list(loader))


@pytest.mark.parametrize(("loader", "count", "passes"), [("train_dataloader", 24, PASSES), ("val_dataloader", 6, AGAIN)])
def test_an_epoch_shows_every_source_as_often_as_asked(module, loader, count, passes):
    indices = shown(getattr(module, loader)())
    assert sorted(indices.tolist()) == list(range(count * passes))
    assert torch.bincount(indices % count).tolist() == [passes] * count


def test_the_order_depends_on_seed_and_epoch_alone(module):
    first = shown(module.train_dataloader())
    assert torch.equal(first, shown(module.train_dataloader()))
    assert not torch.equal(first, shown(module.train_dataloader(), epoch=1))
    assert not torch.equal(first, first.sort().values)
    assert torch.equal(shown(module.val_dataloader()), torch.arange(6 * AGAIN))
    assert torch.equal(shown(module.val_dataloader(), epoch=1), torch.arange(6 * AGAIN))


def test_training_poses_are_new_every_epoch_and_validation_poses_are_not(module):
    epochs = [module.poses("train", epoch) for epoch in range(2)]
    rows = torch.cat(epochs).flatten(1)
    assert len(rows.unique(dim=0)) == 2 * 24 * PASSES
    assert torch.equal(module.poses("validation", 0), module.poses("validation", 7))


def test_poses_are_those_of_source_and_pass(module):
    index, epoch = 24 + 11, 2  # the second pass over source 11
    for split, purpose, source, number in (("train", TRAINING, index % 24, epoch * PASSES + 1), ("validation", VALIDATION, 7 % 6, 1)):
        expected = draw_poses(5, purpose, np.array([source]), np.array([number])).matrices()[0]
        assert torch.equal(module.poses(split, epoch)[index if split == "train" else 7], expected)


@pytest.mark.parametrize(("training", "split", "index"), [(True, "train", 30), (False, "validation", 8)])
def test_a_batch_is_made_of_its_split_posed_and_labelled(module, training, split, index, monkeypatch):
    still = torch.eye(2, 3).expand(24 * PASSES, 2, 3)
    monkeypatch.setattr(SourcesModule, "poses", lambda self, split, epoch: still)
    module.trainer = Stage(training, epoch=1)
    images, labels = module.on_after_batch_transfer(torch.tensor([index, 1]), 0)
    part = module.splits[split]
    rows = [index % len(part), 1]
    assert labels.tolist() == part.labels[rows].tolist()
    assert_close(images[:, 0], torch.from_numpy(part.images[rows]).float(), rtol=0, atol=255 * 1e-5)


@pytest.mark.parametrize("world", [2, 4, 5, 8])
def test_processes_share_the_validation_views_and_what_fills_up_has_no_class(module, world):
    """Every view once with its own label; all processes take as many batches, for they wait for each other in each."""
    seen, batches = [], set()
    for rank in range(world):
        module.trainer = Stage(training=False)
        module.trainer.world_size, module.trainer.global_rank = world, rank
        loader = list(module.val_dataloader())
        batches.add(tuple(map(len, loader)))
        for batch in loader:
            labels = module.on_after_batch_transfer(batch, 0)[1]
            seen += [(int(index), int(label)) for index, label in zip(batch, labels, strict=True) if label != UNKNOWN]
    part = module.splits["validation"]
    assert sorted(seen) == [(view, part.labels[view % len(part)]) for view in range(len(part) * AGAIN)]
    assert len(batches) == 1


def test_validation_between_two_epochs_leaves_training_poses_alone(module):
    batch = torch.arange(4)
    module.trainer = Stage(True, epoch=1)
    before = module.on_after_batch_transfer(batch, 0)[0]
    module.trainer = Stage(False, epoch=1)
    module.on_after_batch_transfer(batch, 0)
    module.trainer = Stage(True, epoch=1)
    assert torch.equal(before, module.on_after_batch_transfer(batch, 0)[0])
    module.trainer = Stage(True, epoch=2)
    assert not torch.equal(before, module.on_after_batch_transfer(batch, 0)[0])


@pytest.mark.parametrize(
    ("classes", "line"),
    [
        (FANAROFF_RILEY, "2 of the sources are 'hybrid'; expected FRI, FRII only. Train on sources of these classes"),
        (Labels(("jet", "relic"), "artefact"), "2 of the sources are 'artefact'; expected jet, relic only."),
        (Labels(("jet", "relic")), "2 sources have no class; expected jet, relic only."),
    ],
)
def test_sources_of_no_class_are_refused_in_the_data_set_s_word(sky, classes, line):
    sources = replace(open_data(str(sky)), classes=classes)
    sources.labels[:2] = UNKNOWN
    with pytest.raises(DataRefusal, match=re.escape(line)):
        SourcesModule(sources, TrainingSettings(), Preprocessing(0.0, 1.0, None))
