"""What is validated and kept is the moving average of the weights, and a training that was stopped goes on with it."""

import numpy as np
import pytest
import torch
from torch.optim.swa_utils import AveragedModel

from equiradio.artefacts.run import Run
from equiradio.artefacts.weights import read_weights
from equiradio.settings import change
from equiradio.training.averaging import Averaging
from equiradio.training.fit import train
from equiradio.training.task import ClassificationTask

DECAY = 0.8
CLOCK = ("seconds", "images_per_second")


@pytest.fixture(scope="module")
def settings(tiny):
    return change(tiny(epochs=2), {"averaging": DECAY})


@pytest.fixture(scope="module")
def averaged(settings, tmp_path_factory):
    """A run, by hand the average of what its weights were after each step, and what was validated; both for each epoch."""
    mean, states, validated = {}, [], []

    def note(task, outputs, batch, number):
        for name, value in task.network.state_dict().items():
            now = value.detach().double()
            mean[name] = now.clone() if name not in mean else DECAY * mean[name] + (1 - DECAY) * now

    def validation_step(task, *words, plain=ClassificationTask.validation_step):
        if len(validated) == task.current_epoch:
            validated.append({name: value.clone() for name, value in task.network.state_dict().items()})
        return plain(task, *words)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ClassificationTask, "validation_step", validation_step)
        patch.setattr(ClassificationTask, "on_train_batch_end", note)
        patch.setattr(ClassificationTask, "on_train_epoch_end", lambda task: states.append({k: v.clone() for k, v in mean.items()}))
        run = train(settings, tmp_path_factory.mktemp("averaged") / "run", device="cpu")
    return run, states, validated


def best(run):
    return int(min(run.history(), key=lambda row: row["validation_loss"])["epoch"])


def test_the_weights_are_the_average_over_steps(averaged):
    run, states, _ = averaged
    weights = read_weights(run.weights_file, model="lenet", group="none")
    expected = states[best(run)]
    last = torch.load(run.checkpoint, weights_only=True)["current_model_state"]
    assert weights.keys() == expected.keys()
    for name, value in weights.items():
        if value.is_floating_point():
            np.testing.assert_allclose(value.double(), expected[name], rtol=1e-5, atol=1e-7)
    assert any(not torch.equal(value, last[f"network.{name}"]) for name, value in weights.items())


def test_what_is_validated_is_what_is_kept(averaged):
    run, _, validated = averaged
    shown = validated[best(run)]
    assert all(torch.equal(value, shown[name]) for name, value in read_weights(run.weights_file, model="lenet", group="none").items())


def test_a_stopped_training_goes_on_to_the_same_numbers(averaged, settings, tmp_path):
    straight, *_ = averaged
    train(settings, tmp_path / "run", device="cpu", max_minutes=0)
    run = train(settings, tmp_path / "run", device="cpu", resume=True)
    rows = [[{key: value for key, value in row.items() if key not in CLOCK} for row in each.history()] for each in (run, straight)]
    assert rows[0] == rows[1]
    ours, theirs = (torch.load(Run(each.folder).checkpoint, weights_only=True) for each in (run, straight))
    for part in ("state_dict", "current_model_state"):
        assert all(torch.equal(ours[part][name], value) for name, value in theirs[part].items())


def test_what_stays_as_it_is_stays_so_bit_for_bit():
    average = Averaging(0.3)
    module = torch.nn.BatchNorm1d(50)
    torch.nn.init.normal_(module.weight)
    mean = AveragedModel(module, use_buffers=True, avg_fn=average._kwargs["avg_fn"])
    for _ in range(7):
        mean.update_parameters(module)
    assert torch.equal(mean.module.weight, module.weight)
    assert mean.module.num_batches_tracked.dtype == torch.int64
