"""Evidence by pixel adds up to the answer, and other maps in place of attention give what the network would say with them."""

import numpy as np
import pytest
import torch

from equiradio.errors import SettingRefusal
from equiradio.inference import evidence as room
from equiradio.inference.evidence import Evidence, evidence, margin, on_sky, readings, watched
from equiradio.inference.team import load
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
        ({"gates": 0}, "model.gates: 0; expected 1 to 3 gates. Take a model with attention, or train with --set gates=3."),
        ({"head_relu": True}, "model.head_relu: true; expected linear heads, as in preset fast. Train with --set head_relu=false."),
    ],
)
def test_networks_that_cannot_be_taken_apart_are_refused(changes, message):
    with pytest.raises(SettingRefusal) as refusal:
        readings(build("attention", **{"head_relu": False} | changes))
    assert str(refusal.value) == message


@pytest.mark.parametrize("name", ["attention", "c4-attention"])
def test_on_the_whole_sky_the_pixels_still_add_up(untrained, name):
    parts, constant = evidence(load(untrained(name, kernel_size=3)), IMAGES)
    sums = on_sky(parts, sky=152, side=152).double().sum((1, 2))
    np.testing.assert_allclose(sums + constant, margin(parts, constant), rtol=1e-4, atol=1e-6)


def test_a_gate_s_pixel_lies_on_the_pixels_that_it_covers():
    """With the edge of one pixel cut off, pixel (row, column) of a gate at half scale covers 2 row - 1 and 2 row, and so on."""
    readings_of = []
    for side, place in ((152, (11, 21)), (76, (11, 21)), (38, (11, 21))):
        readings_of.append(torch.zeros(1, 1, side, side))
        readings_of[-1][0, 0, *place] = 16.0
    for scale, reading in zip((1, 2, 4), readings_of, strict=True):
        (plane,) = on_sky([Evidence(torch.full_like(reading, 0.5), reading)], 152)
        rows, columns = (slice(scale * place - 1, scale * (place + 1) - 1) for place in (11, 21))
        assert plane[rows, columns].unique().tolist() == [8 / scale**2]
        assert plane.sum() == 8


def test_what_is_shown_meanwhile_is_kept_in_order_and_afterwards_nothing(untrained):
    classifier = load(untrained("attention", kernel_size=3))
    whole, constant = evidence(classifier, IMAGES)
    with watched(classifier.network) as seen, torch.inference_mode():
        classifier.look(IMAGES[:1])
        classifier.look(IMAGES[1:])
    with torch.inference_mode():
        classifier.look(IMAGES)
    parts, again = seen()
    assert again == constant
    for part, right in zip(parts, whole, strict=True):
        torch.testing.assert_close(part.reading, right.reading)
        torch.testing.assert_close(part.attention, right.attention)


def test_a_classifier_tells_the_evidence_of_images_and_nan_for_what_it_cannot_use(untrained):
    """Of more images than are answered at once."""
    classifier = load(untrained("attention", kernel_size=3))
    sources = [*IMAGES] * 6
    sources[2] = np.zeros((150, 150), np.uint8)
    found = classifier.evidence(sources)
    parts, _ = evidence(classifier, IMAGES)
    right = on_sky(parts, 152).numpy()
    assert found.shape == (18, 150, 150)
    assert np.isnan(found[2]).all()
    for number in (0, 1, 5, 16, 17):
        np.testing.assert_allclose(found[number], right[number % 3], rtol=1e-3, atol=1e-3 * abs(right).max())
    assert classifier.evidence([]).shape == (0, 150, 150)
    assert np.isnan(classifier.evidence([sources[2]])).all()


def test_no_more_is_kept_than_was_asked_for(untrained):
    classifier = load(untrained("attention", kernel_size=3))
    with watched(classifier.network, first=3) as seen, torch.inference_mode():
        for _ in range(2):
            classifier.look(IMAGES)
    assert {len(part.reading) for part in seen()[0]} == {3}


def test_a_classifier_without_gates_has_no_evidence_and_says_so(untrained):
    with pytest.raises(SettingRefusal, match="expected 1 to 3 gates"):
        load(untrained("lenet")).evidence([*IMAGES])
