"""A network that was shown an empty sky answers the same, bit for bit, and a member shows it one before its second image."""

import copy

import numpy as np
import pytest
import torch

import equiradio
from equiradio.compute.empty_sky import show_empty_sky, would_help
from equiradio.compute.form_timing import steerable_layers, take
from equiradio.inference.member import Member
from equiradio.layers.forms import EmptySky
from equiradio.layers.forms.native import library
from equiradio.models import build
from equiradio.settings import change, preset
from equiradio.verbs.stored_maps import untrained

pytestmark = pytest.mark.skipif(library.best() is None, reason="the kernels were not compiled here")


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return equiradio.open_data("simulated").images[:2]


@pytest.fixture(scope="module")
def made() -> Member:
    return untrained(change(preset("quick"), {"model.name": "c4-attention-narrow"}), equiradio.open_data("simulated"))


@pytest.fixture
def member(made) -> Member:
    """One that has seen nothing yet."""
    own = copy.deepcopy(made)
    take(own.network, dict.fromkeys(steerable_layers(own.network), "native"))
    return own


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


@torch.no_grad()
def check_new_numbers(member, images):
    """What a member answers after its weights and its batch norms have changed, once it was shown an empty sky."""
    for _ in range(2):  # from the third image on it is shown one
        member.look(images)
    state = {name: value + 0.1 * (value.dim() == 1) for name, value in member.network.state_dict().items()}  # batch norms and biases
    member.network.load_state_dict(state)
    shown = member.look(images).logits
    for layer in member.network.modules():
        if hasattr(layer, "empty_sky"):
            layer.empty_sky = None
    with pytest.MonkeyPatch.context() as blind:
        blind.setattr("equiradio.inference.member.would_help", lambda network: False)
        assert torch.equal(shown, member.look(images).logits)


def test_new_numbers_are_answered_by_the_network_that_has_them(member, images):
    check_new_numbers(member, images)


def test_the_law_catches_an_answer_to_an_empty_sky_of_before(member, images, monkeypatch):
    answer = EmptySky.answer
    monkeypatch.setattr(EmptySky, "answer", lambda sky, prepared, finish, compute: answer(sky, sky, None, compute))
    with pytest.raises(AssertionError):
        check_new_numbers(member, images)
