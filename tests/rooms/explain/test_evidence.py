"""Evidence by pixel adds up to the answer, and other maps in place of attention give what the network would say with them."""

import numpy as np
import pytest
import torch

from equiradio.errors import SettingRefusal
from equiradio.explain import evidence as room
from equiradio.explain.evidence import Evidence, evidence, margin, readings
from equiradio.inference.classifier import load
from equiradio.models import build

IMAGES = np.random.default_rng(0).integers(0, 255, (3, 150, 150)).astype(np.uint8)


def said(classifier, images=IMAGES) -> np.ndarray:
    with torch.inference_mode():
        logits = classifier.look(images).logits.double()
    return (logits[:, 1] - logits[:, 0]).numpy()


@pytest.mark.parametrize("pooling", ["mean", "sum"])
@pytest.mark.parametrize("aggregation", ["fine-tuned", "mean", "deep-supervision", "concat"])
@pytest.mark.parametrize("gates", [1, 3])
def test_the_pixels_add_up_to_the_margin(untrained, aggregation, gates, pooling):
    classifier = load(untrained("c4-attention", kernel_size=3, aggregation=aggregation, gates=gates, pooling=pooling))
    parts, constant = evidence(classifier, IMAGES, batch=2)
    assert [part.attention.shape == part.reading.shape for part in parts] == [True] * gates
    np.testing.assert_allclose(margin(parts, constant), said(classifier), rtol=2e-4, atol=2e-5)
    assert np.ptp(said(classifier)) > 1e-3


def test_maps_of_ones_are_a_network_whose_gates_are_open(untrained):
    classifier = load(untrained("attention", kernel_size=3))
    parts, constant = evidence(classifier, IMAGES)
    opened = margin([Evidence(torch.ones_like(part.attention), part.reading) for part in parts], constant)
    for gate in classifier.network.gates:
        gate.to_score.weight.data.zero_()  # a flat score is attention 1 everywhere
    np.testing.assert_allclose(opened, said(classifier), rtol=2e-4, atol=2e-5)


def test_the_law_catches_a_reading_of_the_wrong_gate(untrained, monkeypatch):
    right = readings
    monkeypatch.setattr(room, "readings", lambda network: ([2 * vector for vector in right(network)[0]], right(network)[1]))
    with pytest.raises(AssertionError):
        test_the_pixels_add_up_to_the_margin(untrained, "fine-tuned", 3, "mean")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gates": 0}, "model.gates: 0; expected 1 to 3 gates. Train with --set gates=3."),
        ({"head_relu": True}, "model.head_relu: true; expected linear heads, as in preset fast. Train with --set head_relu=false."),
    ],
)
def test_networks_that_cannot_be_taken_apart_are_refused(changes, message):
    with pytest.raises(SettingRefusal) as refusal:
        readings(build("attention", **{"head_relu": False} | changes))
    assert str(refusal.value) == message
