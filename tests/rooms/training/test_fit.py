"""What a training leaves behind: its files, the best weights, and a reason where it went wrong."""

import csv
import errno
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from equiradio.artefacts.claim import Claimed, claimed
from equiradio.artefacts.run import HISTORY, Run
from equiradio.artefacts.weights import read_weights
from equiradio.compute.poses import VALIDATION, draw_poses
from equiradio.datasets.registry import open_data
from equiradio.errors import DiskRefusal, ModelRefusal, RunRefusal, SettingRefusal, TrainingRefusal
from equiradio.inference.team import load
from equiradio.models.registry import build
from equiradio.training import fit
from equiradio.training.fit import train
from equiradio.training.keeper import RunKeeper
from equiradio.training.task import ClassificationTask


def weights(run):
    return read_weights(run.weights_file, model="lenet", group="none")


def test_a_run_holds_the_files_of_the_contract(trained):
    folder = trained("lenet")
    own = {path.name for path in folder.iterdir() if path.is_file()}
    assert own == {"settings.toml", "card.json", "weights.safetensors", "last.ckpt", "history.csv"}
    with open(folder / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == HISTORY
    assert [int(row["epoch"]) for row in rows] == [0, 1]
    assert all(math.isfinite(float(row[name])) for row in rows for name in HISTORY)


def test_the_card_says_what_was_done(trained, tiny, sky):
    run = Run(trained("c4-attention"))
    card = run.card()
    assert (card.model, card.group, card.order, card.weights) == ("c4-attention", "C4", 4, 429_606)
    assert (card.data, card.data_md5, card.sources) == ("simulated", open_data(str(sky)).md5, {"train": 24, "validation": 6})
    assert (card.state, card.epochs, card.best_epoch, card.images_seen, card.reason) == ("finished", 1, 0, 24, "")
    assert card.best_validation_loss == run.history()[0]["validation_loss"]
    assert card.preprocessing == {"pixel_mean": 0.0031, "pixel_std": 0.035, "mask_radius": None}
    assert card.classes == ["FRI", "FRII"]
    assert {"equiradio", "torch", "lightning", "python"} == card.versions.keys()
    assert run.settings() == tiny("c4-attention", epochs=1)


def test_settings_that_a_name_decides_are_written_as_they_are_and_older_ones_go_on(tiny, tmp_path):
    settings = tiny("attention-anchored", kernel_size=3, epochs=2)
    run = train(settings, tmp_path / "run", device="cpu", max_minutes=0)
    written = run.settings_file.read_text()
    assert 'normalisation = "anchored"' in written
    run.settings_file.write_text(written.replace('"anchored"', '"range"'))  # as it was written before
    assert load(run.folder, "cpu").members[0].settings.model.normalisation == "anchored"
    assert train(settings, run.folder, device="cpu", resume=True).card().state == "finished"


def test_the_weights_are_those_of_the_lowest_validation_loss(tiny, tmp_path):
    kept = {}

    def report(row):
        last = torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)["state_dict"]
        kept[row["epoch"]] = {name.removeprefix("network."): value for name, value in last.items()}

    run = train(tiny(epochs=4, schedule="constant", learning_rate=3e-3), tmp_path / "run", device="cpu", on_epoch=report)
    losses = [row["validation_loss"] for row in run.history()]
    best = int(np.argmin(losses))
    assert list(kept) == [0, 1, 2, 3]
    assert run.card().best_epoch == best
    assert best != len(losses) - 1, "choose a learning rate at which the last epoch is not the best"
    for epoch, state in kept.items():
        same = all(torch.equal(weights(run)[name], value) for name, value in state.items())
        assert same == (epoch == best)


def test_the_history_holds_the_loss_of_the_kept_weights(trained, sky):
    """The validation loss in the history is that of the weights on disk, on the fixed poses, computed by hand."""
    run, (member,) = Run(trained("lenet")), load(trained("lenet")).members
    part = open_data(str(sky)).of_split("validation")
    poses = draw_poses(0, VALIDATION, np.arange(6), np.zeros(6, int))
    logits = member.look(part.images, poses).logits
    loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(part.labels)).item()
    assert loss == pytest.approx(run.card().best_validation_loss, rel=1e-5)


def test_a_loss_that_is_not_finite_stops_the_training_by_name(tiny, tmp_path):
    with pytest.raises(TrainingRefusal) as caught:
        train(tiny(learning_rate=1e30, schedule="constant", epochs=5), tmp_path / "run", device="cpu")
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith(f"{tmp_path / 'run'}: training loss is nan in epoch ")
    assert line.endswith("expected a finite loss. Lower training.learning_rate or use --precision float32.")
    card = Run(tmp_path / "run").card()
    assert card.state == "failed"
    assert card.reason == line
    json.loads((tmp_path / "run" / "card.json").read_text(), parse_constant=lambda word: pytest.fail(word))


def test_a_validation_loss_that_is_not_finite_is_named(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(ClassificationTask, "epoch_means", lambda task: {"train": 0.5, "validation": float("inf"), "correct": 0.5})
    with pytest.raises(TrainingRefusal, match="validation loss is inf in epoch 0; expected a finite loss"):
        train(tiny(), tmp_path / "run", device="cpu")
    assert not (tmp_path / "run" / "weights.safetensors").exists()


def test_a_dead_head_is_reported_by_the_number_of_its_gate(tiny, tmp_path, monkeypatch):
    def stillborn(settings, **options):
        network = build(settings, **options)
        torch.nn.init.constant_(network.aggregate.linears[1].bias, -1e6)
        return network

    monkeypatch.setattr(fit, "build", stillborn)
    settings = tiny("attention", epochs=1, batch_size=12, head_relu=True, learning_rate=1e-6)
    with pytest.raises(TrainingRefusal) as caught:
        train(settings, tmp_path / "run", device="cpu")
    assert str(caught.value) == (
        f"{tmp_path / 'run'}: head of gate 2 said the same of every image in epoch 0 (dead); expected outputs that differ between images. "
        "Set model.head_relu=false, lower training.learning_rate, or take another seed."
    )
    assert Run(tmp_path / "run").card().state == "failed"


def test_living_heads_are_not_called_dead(trained):
    assert Run(trained("attention")).card().state == "finished"


@pytest.mark.parametrize(
    ("heads", "dead"),
    [([[0.0, 0.0], [0.0, 0.0]], [1]), ([[0.0, 1.0], [0.0, 2.0]], []), ([[3.0, -3.0], [3.0, -3.0]], [1]), ([[1e-9, 0.0], [0.0, 0.0]], [])],
)
def test_a_head_is_dead_when_it_says_the_same_of_every_image(tiny, heads, dead):
    task = ClassificationTask(torch.nn.Linear(1, 1), tiny())
    for row in heads:  # in two batches: the spread is that of the whole epoch
        task._watch([torch.tensor([row])])
    assert task.dead_heads() == dead


@pytest.mark.parametrize(
    ("losses", "patience", "out"),
    [([1, 2, 3], 2, True), ([1, 2, 3], 3, False), ([3, 2, 1], 1, False), ([1, 1], 1, True), ([1, 2, 3, 4], 0, False), ([], 1, False)],
)
def test_patience_counts_epochs_since_the_lowest_loss(trained, losses, patience, out):
    run = Run(trained("lenet"))
    keeper = RunKeeper(run, run.card(), 24)
    keeper.rows = [{"validation_loss": loss} for loss in losses]
    assert keeper.out_of_patience(patience) == out


def test_patience_stops_the_training(tiny, tmp_path):
    run = train(tiny(epochs=50, patience=2, learning_rate=0.0, schedule="constant"), tmp_path / "run", device="cpu")
    assert len(run.history()) == 3
    assert run.card().state == "finished"


def test_the_learning_rate_goes_up_and_down_once(tiny, tmp_path):
    run = train(tiny(epochs=4), tmp_path / "run", device="cpu")
    rates = [row["learning_rate"] for row in run.history()]
    assert rates[0] == pytest.approx(2e-3 / 25)
    assert max(rates) <= 2e-3
    assert rates[1] > rates[2] > rates[3] > rates[0] / 25


def test_progress_is_told(tiny, tmp_path):
    steps = []
    train(tiny(epochs=1), tmp_path / "run", device="cpu", step=lambda *told: steps.append(told))
    assert steps == [("images of this epoch", done, 24) for done in (8, 16, 24)]


def test_interrupted_from_python_it_is_a_keyboard_interrupt_and_the_card_says_so(tiny, tmp_path):
    def report(row):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(tiny(), tmp_path / "run", device="cpu", on_epoch=report)
    assert Run(tmp_path / "run").card().state == "interrupted"


@pytest.mark.parametrize("error", [RunRefusal("another run", "cannot be read", "a card", "Mend it."), RuntimeError("out of memory")])
def test_what_stops_a_training_without_being_its_fault_leaves_it_to_go_on(tiny, tmp_path, error):
    def report(row):
        raise error

    with pytest.raises(type(error)):
        train(tiny(), tmp_path / "run", device="cpu", on_epoch=report)
    assert Run(tmp_path / "run").card().state == "interrupted"


@pytest.mark.parametrize("options", [{"devices": 2, "strategy": "ddp"}, {"num_nodes": 2}])
def test_the_other_processes_of_a_distributed_training_follow_the_first(tiny, tmp_path, monkeypatch, options):
    """They work in the folder that it has begun, under its claim; alone, a rank set by a scheduler excuses nobody from either."""
    settings, seen = tiny(), []
    Run(tmp_path / "run").write_settings(settings)
    monkeypatch.setattr(fit, "_train", lambda settings, run, sources, resume, *rest: seen.append(resume))
    monkeypatch.setattr(fit.rank_zero_only, "rank", 1)
    with claimed(tmp_path / "run"):
        train(settings, tmp_path / "run", device="cpu", trainer_options=options)
        with pytest.raises(Claimed):
            train(settings, tmp_path / "run", device="cpu")
    train(settings, tmp_path / "run", device="cpu")
    assert seen == [True, False]


@pytest.mark.parametrize("rank", ["0", "1"])
def test_one_device_is_one_process_in_a_slurm_job_of_many_tasks(sky, tmp_path, rank):
    job = {"SLURM_JOB_ID": "1", "SLURM_NTASKS": "4", "SLURM_NTASKS_PER_NODE": "4", "SLURM_PROCID": rank, "SLURM_LOCALID": rank}
    job |= {"SLURM_JOB_NAME": "train", "SLURM_NODEID": "0", "SLURM_JOB_NUM_NODES": "1", "SLURM_NODELIST": "node1"}
    out = tmp_path / "run"
    words = ["--model", "lenet", "--data", str(sky), "--preset", "quick", "--epochs", "1", "--out", str(out), "--device", "cpu"]
    command = [sys.executable, "-m", "equiradio", "train", *words]
    done = subprocess.run(command, env=os.environ | job, capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    assert Run(out).card().state == "finished"
    assert Run(out).checkpoint.is_file()


@pytest.mark.parametrize("file", ["last.ckpt", "history.csv", "card.json", "weights.safetensors"])
def test_a_full_disk_names_the_file_that_was_being_written(tiny, tmp_path, monkeypatch, file):
    """The same name goes for the checkpoint, which Lightning writes."""
    replace = os.replace

    def full(source, target):
        if Path(target).name == file:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(source))
        replace(source, target)

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(DiskRefusal, match=f"{file}: no space left on the disk while it was written; expected free space"):
        train(tiny(), tmp_path / "run", device="cpu")
    monkeypatch.setattr("os.replace", replace)
    assert train(tiny(), tmp_path / "run", device="cpu", resume=True).card().state == "finished"


def test_what_cannot_be_trained_is_refused_before_anything_is_written(tiny, tmp_path):
    with pytest.raises(ModelRefusal, match="Did you mean lenet"):
        train(tiny("lnet"), tmp_path / "run", device="cpu")
    with pytest.raises(SettingRefusal, match=r"--device: 'gpu'; expected auto, cpu or cuda\. Choose one of these\."):
        train(tiny(), tmp_path / "run", device="gpu")
    assert not (tmp_path / "run").exists()
