"""A training that was stopped, however it was stopped, goes on to the very same numbers."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from equiradio.artefacts.run import Run
from equiradio.artefacts.weights import read_weights
from equiradio.datasets.simulated import write_simulated
from equiradio.errors import RunRefusal
from equiradio.settings import change
from equiradio.training.fit import train
from equiradio.training.task import ClassificationTask

EPOCHS = 3
CLOCK = ("seconds", "images_per_second")
KILLING = Path(__file__).with_name("killing.py")


def timeless(run):
    return [{key: value for key, value in row.items() if key not in CLOCK} for row in run.history()]


def weights(run):
    # not byte for byte: safetensors writes the two entries of its header in any order
    return read_weights(run.weights_file, model="lenet", group="none")


def last(run):
    return torch.load(run.checkpoint, weights_only=True)["state_dict"]


@pytest.fixture(scope="module")
def straight(tiny, tmp_path_factory):
    """The training that nobody disturbed."""
    return train(tiny(epochs=EPOCHS), tmp_path_factory.mktemp("straight") / "run", device="cpu")


def assert_the_same(run, straight):
    assert timeless(run) == timeless(straight)
    for ours, theirs in (map(weights, (run, straight)), map(last, (run, straight))):
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    card = run.card()
    assert (card.state, card.epochs, card.best_epoch) == ("finished", EPOCHS, straight.card().best_epoch)


def test_a_training_that_was_killed_in_its_first_writing_can_be_begun(tiny, straight, tmp_path):
    """A real kill, within the writing of settings.toml."""
    code = "import os, sys, pathlib, equiradio.artefacts.atomic as files\n"
    code += "files.os.replace = lambda *names: os.kill(os.getpid(), 9)\n"
    code += "from equiradio.cli.main import main; main(sys.argv[1:])"
    settings = tiny(epochs=EPOCHS)
    words = ["train", "--model", "lenet", "--preset", "quick", "--data", settings.data.name, "--out", str(tmp_path / "run")]
    assert subprocess.run([sys.executable, "-c", code, *words], check=False).returncode == -signal.SIGKILL
    assert [path.name.startswith(".settings.toml.part-") for path in (tmp_path / "run").iterdir()] == [True]
    assert_the_same(train(settings, tmp_path / "run", device="cpu"), straight)


def test_a_training_on_other_labels_is_not_gone_on_with(tiny, sky, tmp_path):
    data = Path(shutil.copytree(sky, tmp_path / "sky"))
    settings = change(tiny(epochs=EPOCHS), {"data.name": str(data)})
    train(settings, tmp_path / "run", device="cpu", max_minutes=0)
    catalogue = (data / "catalogue.csv").read_text()
    (data / "catalogue.csv").write_text(catalogue.replace(",0,train,", ",1,train,", 1))
    with pytest.raises(RunRefusal, match="trained so far on other labels, splits or sizes of simulated than it has now"):
        train(settings, tmp_path / "run", device="cpu", resume=True)


def test_a_training_on_classes_of_other_names_is_not_gone_on_with(tiny, sky, tmp_path):
    data = Path(shutil.copytree(sky, tmp_path / "sky"))
    settings = change(tiny(epochs=EPOCHS), {"data.name": str(data)})
    train(settings, tmp_path / "run", device="cpu", max_minutes=0)
    about = json.loads((data / "dataset.json").read_text())
    (data / "dataset.json").write_text(json.dumps(about | {"classes": ["FRII", "FRI"]}))
    with pytest.raises(
        RunRefusal, match="trained so far on the classes FRI, FRII, but simulated now has FRII, FRI; expected the same data"
    ):
        train(settings, tmp_path / "run", device="cpu", resume=True)


def law_of_stopping(settings, straight, out):
    for done in range(1, EPOCHS + 1):
        run = train(settings, out, device="cpu", resume=True, max_minutes=0)
        assert run.card().epochs == done
        assert run.card().state == ("finished" if done == EPOCHS else "interrupted")
    assert_the_same(run, straight)


def test_stopped_after_every_epoch_it_ends_the_same(tiny, straight, tmp_path):
    law_of_stopping(tiny(epochs=EPOCHS), straight, tmp_path / "run")


def test_the_law_catches_dropout_that_remembers_the_past(tiny, straight, tmp_path, monkeypatch):
    true, draws = ClassificationTask.on_train_epoch_start, iter(range(100))

    def careless(task):
        true(task)
        torch.manual_seed(1000 + next(draws) + int(time.time()))

    monkeypatch.setattr(ClassificationTask, "on_train_epoch_start", careless)
    with pytest.raises(AssertionError):
        law_of_stopping(tiny(epochs=EPOCHS), straight, tmp_path / "run")


def test_a_finished_training_resumes_to_itself(tiny, straight):
    before = straight.weights_file.read_bytes(), straight.history_file.read_bytes()
    train(tiny(epochs=EPOCHS), straight.folder, device="cpu", resume=True)
    assert (straight.weights_file.read_bytes(), straight.history_file.read_bytes()) == before
    assert straight.card().state == "finished"


def test_resuming_a_finished_training_leaves_what_its_epochs_were_trained_by(tiny, straight, tmp_path, monkeypatch):
    run = Run(Path(shutil.copytree(straight.folder, tmp_path / "run")))
    before = run.card()
    monkeypatch.setattr("equiradio.training.fit.commit", lambda: "another")
    train(tiny(epochs=EPOCHS), run.folder, device="cpu", resume=True)
    assert run.card() == before
    assert before.commit != "another"


def test_a_training_out_of_patience_resumes_to_itself(tiny, tmp_path):
    settings = tiny(epochs=9, patience=1, schedule="constant", learning_rate=0.0)
    run = train(settings, tmp_path / "run", device="cpu")
    before = run.history_file.read_bytes(), run.checkpoint.read_bytes()
    assert len(run.history()) == 2
    train(settings, run.folder, device="cpu", resume=True)
    assert (run.history_file.read_bytes(), run.checkpoint.read_bytes()) == before
    assert run.card().state == "finished"


def test_the_same_seed_gives_the_same_bytes_and_another_gives_others(tiny, straight, tmp_path):
    again = train(tiny(epochs=EPOCHS), tmp_path / "again", device="cpu")
    assert_the_same(again, straight)
    other = train(tiny(epochs=1, seed=1), tmp_path / "other", device="cpu")
    assert not torch.equal(weights(other)["dense.0.weight"], weights(straight)["dense.0.weight"])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked children")
def test_killed_at_random_moments_it_ends_the_same(tiny, straight, sky, tmp_path):
    out = tmp_path / "run"
    command = [sys.executable, str(KILLING), str(sky), str(out), "3"]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=200, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert answer.returncode == 0, answer.stderr
    assert int(answer.stdout.split()[-1]) >= 2
    assert_the_same(Run(out), straight)


def test_ctrl_c_keeps_finished_epochs_and_says_how_to_go_on(tiny, sky, tmp_path):
    out = tmp_path / "run"
    options = [
        "train",
        "--model",
        "lenet",
        "--data",
        str(sky),
        "--preset",
        "quick",
        "--epochs",
        "500",
        "--out",
        str(out),
        "--device",
        "cpu",
    ]
    heed = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"  # which a shell's background jobs ignore
    command = [sys.executable, "-c", f"{heed}; from equiradio.cli.main import run; run()", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            if line.startswith("epoch   2"):
                break
        process.send_signal(signal.SIGINT)
        answer, rest = process.communicate(timeout=60)
    assert process.returncode == 130
    told = [line for line in rest.splitlines() if not line.startswith("epoch ")]
    assert told == [f"Interrupted. Finished epochs are kept in {out}; add --resume to go on."]
    assert not answer
    run = Run(out)
    assert run.card().state == "interrupted"
    assert run.card().epochs == len(run.history()) >= 2
    assert len(torch.load(run.checkpoint, weights_only=True)["callbacks"]["RunKeeper"]["rows"]) >= 2


def refused(settings, out, **named):
    kept = {file: file.read_bytes() for file in out.rglob("*") if file.is_file()} if out.is_dir() else {}
    with pytest.raises(RunRefusal) as caught:
        train(settings, out, device="cpu", **named)
    line = str(caught.value)
    assert "\n" not in line
    assert all(file.read_bytes() == content for file, content in kept.items())  # nothing is lost
    return line


def test_resuming_with_other_settings_is_refused(tiny, copy_of):
    run = copy_of("lenet")
    assert refused(tiny(epochs=7, batch_size=4), run, resume=True) == (
        f"{run}: holds a training with other settings (training.epochs 2 there, 7 asked, training.batch_size 8 there, 4 asked); "
        "expected the same settings. Choose another --out."
    )


def test_a_training_is_not_overwritten(tiny, copy_of):
    run = copy_of("lenet")
    assert refused(tiny(), run) == (
        f"{run}: holds a training already (2 of 2 epochs done); expected a new folder. "
        "Add --resume to go on with it, or choose another --out."
    )


def test_a_folder_of_something_else_and_a_file_are_refused(tiny, tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    line = refused(tiny(), tmp_path)
    assert re.search(r": a folder with other files and no settings\.toml; expected an empty or new folder, or a run\. Choose another", line)
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.tex"]
    assert ": a file; expected an empty or new folder" in refused(tiny(), tmp_path / "thesis.tex")


@pytest.mark.parametrize("resume", [False, True])
def test_a_run_without_settings_is_refused(tiny, copy_of, resume):
    run = copy_of("lenet")
    (run / "settings.toml").unlink()
    assert "no settings.toml" in refused(tiny(), run, resume=resume)


@pytest.mark.parametrize("kept", [0, 1000, -1000])
def test_a_truncated_checkpoint_is_refused(tiny, copy_of, kept):
    checkpoint = copy_of("lenet") / "last.ckpt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:kept])
    line = refused(tiny(), checkpoint.parent, resume=True)
    assert line.startswith(f"{checkpoint}: {checkpoint.stat().st_size:,} bytes that cannot be read as a checkpoint (")


def test_a_hostile_checkpoint_is_refused_and_nothing_runs(tiny, copy_of, tmp_path):
    class Bomb:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    checkpoint = copy_of("lenet") / "last.ckpt"
    torch.save({"state_dict": Bomb()}, checkpoint)
    assert "cannot be read as a checkpoint (UnpicklingError)" in refused(tiny(), checkpoint.parent, resume=True)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("damage", [lambda file: file.unlink(), lambda file: file.write_bytes(file.read_bytes()[:-9])])
def test_resuming_without_whole_weights_is_refused(tiny, copy_of, damage):
    weights = copy_of("lenet") / "weights.safetensors"
    damage(weights)
    assert refused(tiny(), weights.parent, resume=True).startswith(f"{weights}: ")


def test_a_run_that_has_not_finished_an_epoch_resumes_from_the_start(tiny, straight, tmp_path):
    run = Run(tmp_path / "run")
    run.write_settings(tiny(epochs=EPOCHS))
    assert_the_same(train(tiny(epochs=EPOCHS), run.folder, device="cpu", resume=True), straight)


def test_finished_epochs_without_their_checkpoint_are_not_overwritten(tiny, copy_of):
    run = Run(copy_of("lenet"))
    run.checkpoint.unlink()
    assert refused(tiny(), run.folder, resume=True) == (
        f"{run.checkpoint}: no such file, though 2 of 2 epochs are done; expected the checkpoint of the last of them. "
        "Put it back, delete the folder to train anew, or choose another --out."
    )
    assert len(run.history()) == 2


def test_one_epoch_alone_is_not_overwritten_either_if_it_was_all(tiny, tmp_path):
    run = train(tiny(epochs=1), tmp_path / "run", device="cpu")
    run.checkpoint.unlink()
    assert "though 1 of 1 epochs are done" in refused(tiny(epochs=1), run.folder, resume=True)


def test_a_first_epoch_whose_checkpoint_was_not_written_any_more_is_repeated(tiny, straight, tmp_path):
    """The checkpoint is written after the history: a kill between the two costs the epoch."""
    run = train(tiny(epochs=EPOCHS), tmp_path / "run", device="cpu", max_minutes=0)
    run.checkpoint.unlink()
    assert_the_same(train(tiny(epochs=EPOCHS), run.folder, device="cpu", resume=True), straight)


def test_other_data_under_the_same_name_are_refused(tiny, sky, tmp_path):
    data = Path(shutil.copytree(sky, tmp_path / "sky"))
    settings = tiny(epochs=2, **{"data.name": str(data)})
    run = train(settings, tmp_path / "run", device="cpu", max_minutes=0)
    shutil.rmtree(data)
    write_simulated(36, 1, data)
    with pytest.raises(RunRefusal, match=r"trained so far on data of md5 \w{32}, but simulated now has \w{32}; expected the same data"):
        train(settings, tmp_path / "run", device="cpu", resume=True)
    assert run.card().state == "interrupted"
