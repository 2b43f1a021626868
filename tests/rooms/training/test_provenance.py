"""A run's card names the commit that trained it and the weights that lie beside it, also after a training was resumed."""

import json

import pytest

from equiradio.artefacts.card import read_card
from equiradio.artefacts.run import Run
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
