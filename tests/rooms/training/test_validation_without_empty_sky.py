"""Validation leaves out empty sky, and says the same bit for bit."""

import lightning
import pytest
import torch

from equiradio.compute.form_timing import steerable_layers, take
from equiradio.compute.preprocess import preprocessing
from equiradio.datasets.registry import open_data
from equiradio.layers.forms import EmptySky
from equiradio.layers.forms.native import library
from equiradio.models import GatedNet
from equiradio.settings import change, preset
from equiradio.symmetry import Cyclic
from equiradio.training import task as training
from equiradio.training.batches import SourcesModule
from equiradio.training.fit import quiet
from equiradio.training.task import ClassificationTask

pytestmark = pytest.mark.skipif(library.best() is None, reason="the kernels were not compiled here")

SETTINGS = change(preset("quick"), {"training.validation_passes": 1, "training.batch_size": 3})


@pytest.fixture
def module(sky) -> SourcesModule:
    return SourcesModule(open_data(str(sky)), SETTINGS.training, preprocessing(SETTINGS.data, None))


def validated(module, form: str, precision: str = "32-true") -> ClassificationTask:
    """A task that has validated on two batches."""
    torch.manual_seed(0)
    network = GatedNet(SETTINGS.model, Cyclic(4), module.preprocess.blank, (2, 3, 4, 5))
    take(network, dict.fromkeys(steerable_layers(network), form), "float32" if precision == "32-true" else "bf16")
    task = ClassificationTask(network, SETTINGS)
    with quiet():
        usual = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
        trainer = lightning.Trainer(accelerator="cpu", precision=precision, limit_val_batches=2, **usual)
        trainer.validate(task, module, verbose=False)
    return task


@pytest.fixture
def shown(monkeypatch) -> list[int]:
    """One entry for every time that a layer asked what it answers to an empty sky: eleven layers, for that sky itself and two batches."""
    calls, usual = [], EmptySky.answer
    monkeypatch.setattr(EmptySky, "answer", lambda *all_: calls.append(1) or usual(*all_))
    return calls


def test_every_bit_is_the_same(module, shown, monkeypatch):
    without = validated(module, "native")
    assert len(shown) == 33
    monkeypatch.setattr(training, "would_help", lambda network: False)
    everywhere = validated(module, "native")
    assert len(shown) == 33
    for name, total in everywhere._sums.items():
        assert torch.equal(total, without._sums[name])


@pytest.mark.skipif(not library.multiplies_bf16(), reason="this processor, or this build, has no kernels that multiply bf16")
def test_in_bf16_the_sky_is_shown_in_bf16(module, shown, monkeypatch):
    """Shown in float32, every pixel of an image would differ from it."""
    casts, usual = [], training.show_empty_sky
    monkeypatch.setattr(training, "show_empty_sky", lambda *given: casts.append(torch.is_autocast_enabled("cpu")) or usual(*given))
    without = validated(module, "native", "bf16-mixed")
    assert casts == [True]
    assert len(shown) == 33
    monkeypatch.setattr(training, "would_help", lambda network: False)
    for name, total in validated(module, "native", "bf16-mixed")._sums.items():
        assert torch.equal(total, without._sums[name])


def test_nothing_is_left_behind(module):
    task = validated(module, "native")
    assert all(layer.empty_sky is None for layer in steerable_layers(task.network).values())
    for name, value in task.network.state_dict().items():
        assert "num_batches_tracked" not in name or int(value) == 0


def test_other_forms_are_shown_nothing(module, monkeypatch):
    monkeypatch.setattr(training, "show_empty_sky", lambda network, image: pytest.fail("was shown an empty sky"))
    validated(module, "winograd")
