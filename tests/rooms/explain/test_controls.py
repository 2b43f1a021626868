"""Controls: what needs no network is what it says; what others draw of a network changes when the network does."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from equiradio.explain import controls as room
from equiradio.explain.attention import maps
from equiradio.explain.controls import centred_gaussian, fresh_network, grad_cam, integrated_gradients, randomised
from equiradio.explain.dropout import dropout_answers
from equiradio.inference.team import load
from equiradio.models.registry import build

pytest.importorskip("captum")

CLASSES = np.array([0, 1])


@pytest.fixture(scope="module")
def member(trained):
    return load(trained("attention"), "cpu").members[0]


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    planes = np.zeros((2, 150, 150), np.uint8)
    for plane, (row, column) in zip(planes, ((60, 70), (85, 80)), strict=True):
        plane[row : row + 9, column : column + 9] = rng.integers(60, 255, (9, 9))
    return planes


def test_the_gaussian_is_centred_round_and_as_wide_as_said():
    plane = centred_gaussian(30.0, 151)
    assert plane[75, 75] == 1
    assert plane[75, 90] == pytest.approx(0.5)
    assert np.array_equal(plane, np.rot90(plane))


def test_integrated_gradients_lie_where_there_is_light(member, images):
    """And leave the network's parameters as they are."""
    planes = integrated_gradients(member, images[:1], CLASSES[:1], steps=4)
    assert planes.shape == (1, 150, 150)
    assert (planes >= 0).all()
    lit = images[0] > 0
    assert planes[0][lit].sum() > 0.5 * planes[0].sum() > 0
    assert not any(parameter.grad is not None for parameter in member.network.parameters())
    assert all(parameter.requires_grad for parameter in member.network.parameters())


class Halves(torch.nn.Module):
    """Class 0 is the light of the upper half, class 1 that of the lower half twice, by a layer whose two channels are these halves."""

    side = 150

    def __init__(self):
        super().__init__()
        upper = (torch.arange(150) < 75).float()[:, None].expand(150, 150)
        self.halves = torch.stack([upper, 1 - upper])
        self.parted = torch.nn.Identity()

    def layer(self, name):
        return self.parted

    def forward(self, images):
        return SimpleNamespace(logits=self.parted(images * self.halves).sum((2, 3)) * torch.tensor([1.0, 2.0]))


def test_they_are_of_the_class_that_is_given(images):
    """A network that is linear: integrated gradients are weight times light, and Grad-CAM weighs the channels by the same weights."""
    network = Halves()
    member = SimpleNamespace(network=network, device=torch.device("cpu"), preprocess=lambda pixels: pixels.float() / 255)
    for given, lit in ((np.array([0, 1]), [True, True]), (np.array([1, 0]), [False, False])):
        expected = images / np.float32(255) * network.halves[given].numpy() * (1 + given)[:, None, None]
        assert expected.any((1, 2)).tolist() == lit
        np.testing.assert_allclose(integrated_gradients(member, images, given, steps=2), expected, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(grad_cam(member, images, given), expected, rtol=1e-4, atol=1e-6)


def test_grad_cam_has_the_images_scale_and_follows_the_weights(member, images):
    planes = grad_cam(member, images, CLASSES)
    assert planes.shape == (2, 150, 150)
    assert (planes >= 0).all()
    other = grad_cam(member.with_network(fresh_network(member, seed=3)), images, CLASSES)
    assert not np.allclose(planes, other)


@pytest.mark.parametrize("model", ["attention", "attention-anchored", "c4-attention-anchored"])
def test_grad_cam_of_an_image_is_its_own_in_any_company(untrained, images, model):
    """Anchored gates take the empty sky along in the batch, of which no map is drawn."""
    member = load(untrained(model, kernel_size=3), "cpu").members[0]
    several, classes = np.stack([images[0], images[1], images[0], images[1], images[1]]), np.array([0, 1, 1, 0, 1])
    together = grad_cam(member, several, classes, batch=4)
    assert together.shape == (5, 150, 150)
    alone = np.concatenate([grad_cam(member, several[[place]], classes[[place]]) for place in range(5)])
    np.testing.assert_allclose(together, alone, rtol=1e-2, atol=1e-3 * alone.max())
    assert len(set(alone.max((1, 2)).tolist())) > 1


def test_a_fresh_network_is_the_same_every_time_and_leaves_the_random_state(member):
    state = torch.random.get_rng_state()
    one, other = fresh_network(member), fresh_network(member)
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))
    assert torch.equal(state, torch.random.get_rng_state())
    assert not one.training


def test_fresh_weights_are_not_those_that_the_training_began_with(member):
    fresh = fresh_network(member).state_dict()
    torch.manual_seed(member.card.seed)
    born = build(member.settings.model, blank=member.preprocess.blank).state_dict()  # as a training by this seed builds it
    same_seed = fresh_network(member, member.card.seed).state_dict()
    random = [name for name, value in born.items() if value.is_floating_point() and value.std() > 0]
    assert len(random) > 10
    assert all(torch.equal(same_seed[name], born[name]) for name in random)
    assert not any(torch.equal(fresh[name], born[name]) for name in random)


def check_cascade(member, images):
    before = maps(member, images)
    stages = dict(randomised(member))
    assert list(stages) == ["gates", "blocks.3", "blocks.2", "blocks.1", "blocks.0"]
    fresh = fresh_network(member).state_dict()
    own = member.network.state_dict()
    for name, value in stages["blocks.2"].network.state_dict().items():
        expected = fresh if name.startswith(("gates.", "blocks.3.", "blocks.2.")) else own
        assert torch.equal(value, expected[name])
    changes = [np.abs(maps(there, images) - before).mean() for there in stages.values()]
    assert min(changes) > 1e-4
    assert np.array_equal(maps(member, images), before)


def test_each_stage_randomises_more(member, images):
    check_cascade(member, images)


def test_the_cascade_law_catches_one_that_changes_nothing(member, images, monkeypatch):
    monkeypatch.setattr(room, "cascade", lambda network: ["gates", "blocks.3", "blocks.9", "blocks.1", "blocks.0"])
    with pytest.raises(AssertionError):
        check_cascade(member, images)


def test_dropout_draws_differ_and_their_first_row_is_the_plain_answer(member, images):
    answers = dropout_answers(member, images, draws=20)
    plain = member.look(images).logits.double().softmax(1).numpy()
    assert answers.shape == (21, 2, 2)
    assert answers[0] == pytest.approx(plain, abs=1e-12)
    assert answers[1:].std(0).min() > 0
    assert np.array_equal(answers, dropout_answers(member, images, draws=20))
    assert not any(module.training for module in member.network.modules())
