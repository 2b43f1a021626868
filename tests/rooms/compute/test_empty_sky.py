"""A network that was shown an empty sky answers the same, bit for bit, and a member shows it one before its second image."""

import numpy as np
import pytest
import torch

import equiradio
from equiradio.compute.empty_sky import show_empty_sky, would_help
from equiradio.compute.form_timing import steerable_layers, take
from equiradio.inference.member import Member
from equiradio.layers.forms.native import library
from equiradio.models import build
from equiradio.settings import change, preset
from equiradio.verbs.stored_maps import untrained

pytestmark = pytest.mark.skipif(library.best() is None, reason="the kernels were not compiled here")


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return equiradio.open_data("simulated").images[:2]


@pytest.fixture
def member(images) -> Member:
    made = untrained(change(preset("quick"), {"model.name": "c4-attention"}), equiradio.open_data("simulated"))
    take(made.network, dict.fromkeys(steerable_layers(made.network), "native"))
    return made


def skies(member: Member) -> int:
    return sum(layer.empty_sky is not None for layer in steerable_layers(member.network).values())


def test_a_network_answers_the_same_bit_for_bit(member, images, monkeypatch):
    with monkeypatch.context() as blind:
        blind.setattr("equiradio.inference.member.would_help", lambda network: False)
        everywhere = member.look(images)
    assert skies(member) == 0
    shown = member.look(images)
    assert skies(member) == 10
    assert torch.equal(shown.logits, everywhere.logits)
    for before, after in zip(everywhere.attention, shown.attention, strict=True):
        assert torch.equal(before, after)


def test_one_image_is_not_worth_an_empty_one(member, images):
    for _ in range(2):  # the usual two poses
        member.look(images[:1])
        assert skies(member) == 0
    member.look(images[:1])
    assert skies(member) == 10


def test_layers_of_other_forms_are_shown_nothing(images):
    network = build("c4-lenet").eval()
    take(network, {"second": "dense"})
    assert not would_help(network)
    take(network, {"second": "native"})
    assert would_help(network)
    show_empty_sky(network, torch.zeros(1, 1, 150, 150))
    assert not would_help(network)


def test_pixels_as_the_published_script_feeds_them_show_no_sky(member, images):
    member.look(images, raw=True)
    assert skies(member) == 0
