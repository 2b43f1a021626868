"""A run's card names the commit that trained it and the weights that lie beside it, also after a training was resumed."""

import json

import pytest

from equiradio.artefacts.card import read_card
from equiradio.artefacts.run import Run
from equiradio.errors import RunRefusal
from equiradio.training import fit
from equiradio.training.fit import train
from equiradio.training.keeper import RunKeeper
from equiradio.version import commit, version


def test_a_card_names_commit_version_and_weights(trained):
    run = Run(trained("lenet"))
    card = run.card()
    assert card.commit == commit()
    assert card.versions["equiradio"] == version()
    assert card.weights_hash == run.weights_hash()
    assert (len(card.weights_hash), card.weights_hash[:12]) == (64, run.weights_digest())


def test_the_hash_stays_that_of_the_best_weights_when_a_training_is_resumed(tiny, tmp_path, monkeypatch):
    settings = tiny("lenet", epochs=2)
    train(settings, tmp_path / "run", device="cpu", max_minutes=0)
    run = Run(tmp_path / "run")
    assert len(run.history()) == 1
    first = run.weights_hash()
    monkeypatch.setattr("equiradio.training.task.ClassificationTask.epoch_means", worse)
    card = train(settings, run.folder, resume=True, device="cpu").card()
    assert card.epochs == 2
    assert (card.best_epoch, card.weights_hash, run.weights_hash()) == (0, first, first)


def worse(task):
    return {"train": 9.0, "validation": 9.0, "correct": 0.0}


def test_the_hash_law_catches_a_keeper_that_forgets(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(RunKeeper, "load_state_dict", lambda self, state: setattr(self, "rows", list(state["rows"])))
    with pytest.raises(AssertionError):
        test_the_hash_stays_that_of_the_best_weights_when_a_training_is_resumed(tiny, tmp_path, monkeypatch)


def test_a_card_without_them_opens(trained, tmp_path):
    content = json.loads(Run(trained("lenet")).card_file.read_text())
    del content["commit"], content["weights_hash"]
    (tmp_path / "card.json").write_text(json.dumps(content))
    card = read_card(tmp_path / "card.json")
    assert (card.commit, card.weights_hash) == ("", "")


def test_a_commit_that_cannot_be_known_stops_nothing(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(fit, "commit", lambda: "")
    assert train(tiny("lenet", epochs=1), tmp_path / "run", device="cpu").card().commit == ""


def native(monkeypatch, there):
    monkeypatch.setattr("torch.cpu._is_avx512_bf16_supported", lambda: there)


def test_a_training_goes_on_in_the_precision_that_it_began_with(tiny, tmp_path, monkeypatch):
    native(monkeypatch, False)
    settings = tiny("lenet", epochs=2, precision="auto")
    run = train(settings, tmp_path / "run", device="cpu", max_minutes=0)
    native(monkeypatch, True)
    monkeypatch.setattr(fit.torch, "get_num_threads", lambda: 7)
    card = train(settings, run.folder, resume=True, device="cpu").card()
    assert [(stage["epochs"], stage["precision"]) for stage in card.stages] == [(1, "float32"), (1, "float32")]
    assert (card.precision, card.device, card.stages[1]["device"]) == ("float32", "CPU, 7 threads", "CPU, 7 threads")
    assert card.trained_on == "CPU, 1 threads, float32, then CPU, 7 threads, float32"


def test_a_training_in_bf16_is_refused_where_bf16_is_not_native(tiny, tmp_path, monkeypatch):
    native(monkeypatch, False)
    settings = tiny("lenet", epochs=2, precision="auto")
    run = train(settings, tmp_path / "run", device="cpu", max_minutes=0)
    run.card().with_changes(precision="bf16").write(run.card_file)
    with pytest.raises(RunRefusal) as caught:
        train(settings, run.folder, resume=True, device="cpu")
    assert str(caught.value) == (
        f"{run.folder}: trained so far in bf16, which this cpu does not compute natively; expected a machine that does. "
        "Go on there, or choose another --out to train anew in float32."
    )
    assert len(run.history()) == 1


def test_what_went_on_in_the_same_place_is_one_stage(tiny, tmp_path):
    settings = tiny("lenet", epochs=3)
    for _ in range(3):
        card = train(settings, tmp_path / "run", resume=True, device="cpu", max_minutes=0).card()
    assert [stage["epochs"] for stage in card.stages] == [3]
    assert card.trained_on == f"{card.device}, float32"


def test_epochs_of_before_there_were_stages_are_those_of_the_card(tiny, tmp_path, monkeypatch):
    settings = tiny("lenet", epochs=2)
    state = RunKeeper.state_dict
    with monkeypatch.context() as older:
        older.setattr(RunKeeper, "state_dict", lambda self: {name: part for name, part in state(self).items() if name != "stages"})
        run = train(settings, tmp_path / "run", device="cpu", max_minutes=0)
    run.card().with_changes(device="a GPU", stages=[]).write(run.card_file)
    assert run.card().trained_on == "a GPU, float32"
    card = train(settings, run.folder, resume=True, device="cpu").card()
    assert [(stage["epochs"], stage["device"] == "a GPU") for stage in card.stages] == [(1, True), (1, False)]
