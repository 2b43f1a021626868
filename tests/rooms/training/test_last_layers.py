"""For other classes the last layers begin with the best linear reading of the start's features."""

import csv
from dataclasses import replace

import numpy as np
import pytest
import torch

from equiradio.compute.preprocess import preprocessing
from equiradio.datasets.folder import write_folder
from equiradio.datasets.registry import open_data
from equiradio.inference.posed import in_pose
from equiradio.inference.team import load
from equiradio.labels import Labels
from equiradio.settings import change, preset
from equiradio.training import last_layers
from equiradio.training.batches import SourcesModule
from equiradio.training.fit import train
from equiradio.training.last_layers import fit_last_layers

THREE = Labels(("FRI", "FRII", "bright"))


@pytest.fixture
def bright(sky, tmp_path):
    """The simulated sky with a third class: every third source, ten times as bright as the others may be."""
    whole = open_data(str(sky))
    third = np.arange(len(whole)) % 3 == 0
    images = np.where(third[:, None, None], np.minimum(whole.images.astype(int) * 8, 255), whole.images // 4).astype(np.uint8)
    others = replace(whole, name="bright", images=images, labels=np.where(third, 2, whole.labels), classes=THREE, masks=None)
    return write_folder(others, tmp_path / "bright")


def first_losses(run):
    return [float(row["validation_loss"]) for row in csv.DictReader(run.history_file.read_text().splitlines())]


@pytest.mark.parametrize("model", ["lenet", "attention"])
def test_a_training_for_other_classes_begins_with_what_the_body_can_tell(tiny, trained, bright, tmp_path, model):
    """Nothing learned in the epoch: what is right was right before."""
    still = {"learning_rate": 0.0, "schedule": "constant", "freeze": "blocks", "start_from": str(trained(model)), "epochs": 1}
    asked = tiny(model, **still, **{"data.name": str(bright)})
    fitted, drawn = (train(change(asked, {"training.last_layers": how}), tmp_path / how, device="cpu") for how in ("fitted", "drawn"))
    assert first_losses(fitted)[0] < first_losses(drawn)[0] - 0.1
    images, labels = (getattr(open_data(str(bright)).of_split("train"), name) for name in ("images", "labels"))
    answers = in_pose(load(fitted.folder, "cpu").members[0], images, 0).logits.argmax(1)
    assert ((answers == 2) == (labels == 2)).mean() > 0.9


def test_the_same_classes_keep_the_layers_that_they_have(tiny, trained, tmp_path, monkeypatch):
    monkeypatch.setattr(last_layers, "fit_reading", lambda *_: pytest.fail("nothing is to be fitted"))
    train(tiny("lenet", start_from=str(trained("lenet")), epochs=1), tmp_path / "run", device="cpu")


def test_an_interrupted_training_goes_on_as_if_it_had_not_been(tiny, trained, bright, tmp_path):
    asked = tiny("attention", start_from=str(trained("attention")), **{"data.name": str(bright)})
    whole = train(asked, tmp_path / "whole", device="cpu")
    train(asked, tmp_path / "run", device="cpu", max_minutes=0)
    again = train(asked, tmp_path / "run", device="cpu", resume=True)
    assert again.card().weights_hash == whole.card().weights_hash


@pytest.mark.parametrize("changes", [{"head_relu": True}, {}])
def test_what_cannot_be_read_linearly_stays_as_it_was_drawn(untrained, bright, changes, monkeypatch):
    network = load(untrained("attention", classes=THREE.names, **changes), "cpu").members[0].network
    before = {name: value.clone() for name, value in network.state_dict().items()}
    settings = change(preset("quick"), {"training.passes": 1})
    module = SourcesModule(open_data(str(bright)), settings.training, preprocessing(settings.data, None))
    if not changes:
        monkeypatch.setattr(last_layers, "fit_reading", lambda *_: None)
    assert not fit_last_layers(network, module, lambda *_: None)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items() if name.startswith(network.last))
    assert network.training


@pytest.mark.parametrize("freeze", ["none", "blocks"])
def test_they_fit_features_as_training_has_them(untrained, bright, freeze, monkeypatch):
    """A body that learns is normalised by its batches; one that doesn't stays as it is, statistics and all."""
    network = load(untrained("c4-attention", classes=THREE.names), "cpu").members[0].network
    before = {name: value.clone() for name, value in network.state_dict().items()}
    settings = change(preset("quick"), {"training.passes": 2, "training.freeze": freeze, "training.batch_size": 7})
    module = SourcesModule(open_data(str(bright)), settings.training, preprocessing(settings.data, None))
    seen, fit = [], last_layers.fit_reading
    monkeypatch.setattr(last_layers, "fit_reading", lambda *given: (seen.append(given), fit(*given))[1])
    assert fit_last_layers(network, module, lambda *_: None)
    features, probabilities, sources = seen[0]
    ways, views = (1 if freeze == "blocks" else 2), module.images_per_epoch
    assert len(features) == len(probabilities) == len(sources) == ways * views
    assert probabilities.sum() == pytest.approx(views)
    assert (probabilities.argmax(1) == module.splits["train"].labels[sources]).all()
    body = {name: value for name, value in network.state_dict().items() if not name.startswith(network.last)}
    assert all(torch.equal(value, before[name]) for name, value in body.items()) == (freeze == "blocks")
    if freeze == "none":
        means = features[:views].mean(0), features[views:].mean(0)
        assert np.abs(means[0] - means[1]).max() > 1e-3 * np.abs(features).max()
