"""Multiply-adds are those that one counts by hand."""

import pytest
import torch

from equiradio.bench.counting import Count, count_layers, of_forms, total
from equiradio.models import build

pytestmark = pytest.mark.usefixtures("no_kernels")

PIXELS = [152 * 152, 76 * 76, 38 * 38, 19 * 19]


def test_lenet_by_hand():
    counts = count_layers(build("lenet"))
    by_hand = {
        "first": 150 * 150 * 25 * 6,
        "second": 75 * 75 * 25 * 6 * 16,
        "dense.0": 16 * 37 * 37 * 120,
        "dense.2": 120 * 84,
        "dense.5": 84 * 2,
    }
    assert {name: count.forms for name, count in counts.items()} == {name: {"dense": count} for name, count in by_hand.items()}
    assert total(counts, training=False, precision="float32") == sum(by_hand.values())
    assert total(counts, training=True, precision="bf16") == 3 * sum(by_hand.values())


@pytest.mark.parametrize(("name", "order"), [("c4-attention", 4), ("d8-attention", 16)])
def test_steerable_layers_by_hand(name, order):
    counts = count_layers(build(name))
    assert counts["blocks.0.convolutions.0"] == Count({"dense": PIXELS[0] * 25 * order * 6})
    assert counts["blocks.0.convolutions.1"] == Count(
        {
            "dense": PIXELS[0] * 25 * order**2 * 36,
            "fourier": PIXELS[0] * 11 * order * (2 * 36 + 25 * 6),
            "winograd": PIXELS[0] * 4 * order**2 * 36,
        }
    )
    assert counts["blocks.2.convolutions.0"] == Count(
        {
            "dense": PIXELS[2] * 25 * order**2 * 16 * 32,
            "fourier": PIXELS[2] * 11 * order * (2 * 512 + 25 * 16),
            "winograd": PIXELS[2] * 4 * order**2 * 16 * 32,
        }
    )
    assert counts["gates.0"] == Count({"dense": 64 * (PIXELS[0] * (6 + 1) + PIXELS[3] * 64)})
    assert len([layer for layer in counts if layer.startswith("blocks")]) == 11


def test_the_issues_figure_for_d16():
    """284 thousand million multiply-adds an image in dense form at 152 pixels."""
    dense = sum(count.forms["dense"] for count in count_layers(build("d16-attention")).values())
    assert 2.8e11 < dense < 2.9e11


def test_the_cheapest_form_of_a_precision_counts():
    """Winograd's multiply-adds are float32 ones, whatever the network computes in."""
    assert Count({"dense": 5}).least("float32") == 5
    assert Count({"dense": 5, "fourier": 3}).least("bf16") == 3
    assert Count({"dense": 2, "fourier": 3}).least("float32") == 2
    every = Count({"dense": 5, "fourier": 3, "winograd": 1})
    assert (every.least("float32"), every.least("bf16")) == (1, 3)


def test_filters_that_a_form_does_not_take_are_not_counted_in_it():
    assert list(count_layers(build("c4-lenet", kernel_size=7))["second"].forms) == ["dense", "fourier"]


def test_counting_leaves_the_network_alone():
    network = build("c4-attention").train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    count_layers(network)
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert "forward" not in vars(network.blocks[0].convolutions[0])


def test_what_the_forms_of_layers_compute_is_counted_and_no_cheaper_form():
    counts = {"lifting": Count({"dense": 5}), "steerable": Count({"dense": 40, "fourier": 30})}
    assert of_forms(counts, False, {"steerable": "dense"}) == 45
    assert of_forms(counts, True, {"steerable": "fourier"}) == 3 * 35
    assert of_forms(counts, False, {"steerable": "of a plugin"}) is None
