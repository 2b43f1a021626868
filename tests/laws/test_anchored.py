"""Anchored gates attend to nothing where they see what an empty sky would show them, and to what differs from it by how much it differs."""

import pytest
import torch
from torch import Tensor, nn
from whole_networks import BLANK, SMALL, check_same, distance, full, narrow

from equiradio.layers.attention_gate import NORMALISATIONS
from equiradio.models.gated import GatedNet
from equiradio.symmetry import Cyclic, Dihedral

ANCHORED = {"normalisation": "anchored"}


def one_source(side: int = 38, dtype: torch.dtype = torch.float64) -> Tensor:
    """Empty sky with a few lit pixels, two images."""
    sky = torch.full((2, 1, side, side), BLANK, dtype=dtype)
    sky[0, 0, side // 2, side // 2 : side // 2 + 3] = 2.0
    sky[1, 0, 6:9, 5] = 1.0
    return sky


@torch.no_grad()
def check_empty_sky_is_zero(net: nn.Module, images: Tensor) -> None:
    """Every pixel of a map is 0 if, and hardly ever unless, its features are those of an empty sky."""
    empty = net(torch.full_like(images[:1], BLANK))
    output = net(images)
    for alpha, features, nothing in zip(output.attention, output.attended, empty.attended, strict=True):
        same = (features - nothing).abs().amax(1, keepdim=True) <= 1e-12
        assert float(alpha[same].abs().max() if same.any() else 0) <= 1e-9
        assert torch.equal(alpha.amax((1, 2, 3)), torch.ones(len(images), dtype=alpha.dtype))
        assert float(alpha.min()) >= 0
    assert same.any() or len(output.attention) == 3, "no pixel sees an empty sky"
    first = (output.attended[0] - empty.attended[0]).abs().amax(1, keepdim=True) <= 1e-12
    assert 0.3 < float(first.double().mean()) < 1, "the first gate sees both"


@pytest.mark.parametrize("group", [None, Cyclic(4), Dihedral(4), Cyclic(8)], ids=lambda group: group.name if group else "plain")
def test_an_empty_sky_is_not_attended_to(group):
    faint = 1.0 if group else 1e3  # free filters are born with so small weights that a faint source is lost in them
    check_empty_sky_is_zero(narrow(group, **SMALL, **ANCHORED), one_source().where(one_source() < 0, faint * one_source()))


@pytest.mark.parametrize("normalisation", ["range", "sigmoid", "softmax"])
def test_the_law_catches_other_normalisations(normalisation):
    with pytest.raises(AssertionError):
        check_empty_sky_is_zero(narrow(Cyclic(4), **SMALL, normalisation=normalisation), one_source())


def test_the_law_catches_an_anchor_elsewhere(monkeypatch):
    original = GatedNet._empty_sky
    monkeypatch.setattr(GatedNet, "_empty_sky", lambda self, image: original(self, image + 0.1))
    with pytest.raises(AssertionError):
        check_empty_sky_is_zero(narrow(Cyclic(4), **SMALL, **ANCHORED), one_source())


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_image_without_a_source_has_maps_of_zeros_and_an_answer(dtype):
    """Also where rounding differs between an image alone and in company."""
    output = narrow(Cyclic(4), dtype, **SMALL, **ANCHORED)(torch.full((3, 1, 38, 38), BLANK, dtype=dtype))
    assert all(float(alpha.abs().max()) == 0 for alpha in output.attention)
    assert output.logits.isfinite().all()


def test_the_map_is_the_difference_of_two_scores_in_one_context():
    net = narrow(Cyclic(4), **SMALL, **ANCHORED)
    with torch.no_grad():
        output, pooled = net(one_source()), net._blocks(one_source())
        empty = net._blocks(torch.full((1, 1, 38, 38), BLANK, dtype=torch.float64))
        for gate, features, nothing, alpha in zip(net.gates, pooled, empty, output.attention, strict=False):
            raised = nn.functional.interpolate(gate.from_context(pooled[3]), size=features.shape[-2:], mode="bilinear")
            score = lambda fields, gate=gate, raised=raised: gate.to_score((gate.from_features(fields) + raised).relu())
            difference = (score(features) - score(nothing)).abs()
            torch.testing.assert_close(alpha, difference / difference.amax((2, 3), keepdim=True))


@torch.no_grad()
def check_weights_that_change(net: nn.Module, fresh: nn.Module) -> None:
    """An answer after a change of weights is that of a network that was born with them."""
    net(one_source())
    net.load_state_dict(fresh.state_dict())
    check_same(net(one_source()), fresh(one_source()), logits=1e-12, maps=1e-12)
    for each in (net, fresh):
        each.blocks[0].norms[0].bias.add_(0.3)
    check_same(net(one_source()), fresh(one_source()), logits=1e-12, maps=1e-12)


def two_networks() -> tuple[nn.Module, nn.Module]:
    net, fresh = (narrow(Cyclic(4), **SMALL, **ANCHORED) for _ in range(2))
    with torch.no_grad():
        for weight in fresh.parameters():
            weight.mul_(1.3)
    return net, fresh


def test_what_is_kept_of_an_empty_sky_goes_with_the_weights():
    check_weights_that_change(*two_networks())


def test_the_law_catches_a_stale_empty_sky(monkeypatch):
    original = GatedNet._empty_sky

    def stale(self, image):
        self._stale = getattr(self, "_stale", None) or original(self, image)
        return self._stale

    monkeypatch.setattr(GatedNet, "_empty_sky", stale)
    with pytest.raises(AssertionError):
        check_weights_that_change(*two_networks())


def test_gradients_and_evaluation_agree_and_training_answers_for_the_images_alone():
    net = narrow(Cyclic(4), **SMALL, **ANCHORED)
    images = one_source().requires_grad_()
    with torch.no_grad():
        kept = net(images)
    along = net(images)
    detached = along._replace(logits=along.logits.detach(), attention=[alpha.detach() for alpha in along.attention])
    check_same(detached, kept, logits=1e-12, maps=1e-12)
    along.logits.sum().backward()
    assert images.grad is not None
    assert float(images.grad.abs().max()) > 0
    trained = net.train()(one_source())
    assert {len(part) for part in (trained.logits, *trained.attention, *trained.vectors, *trained.attended)} == {2}
    gates = [gate.from_features.weight for gate in net.gates]
    assert all(grad.isfinite().all() for grad in torch.autograd.grad(trained.logits.square().sum(), gates))


def test_stages_end_in_the_same_maps():
    net = narrow(Cyclic(4), **SMALL, **ANCHORED)
    with torch.no_grad():
        stages, output = net.stages(one_source()), net(one_source())
    for number, alpha in enumerate(output.attention, 1):
        torch.testing.assert_close(stages[f"gate {number}"], alpha)


def test_the_named_models_are_anchored_and_as_heavy_as_the_others():
    for name, other in (("attention-anchored", "attention"), ("c4-attention-anchored", "c4-attention")):
        net, plain = full(name), full(other)
        assert {gate.normalisation for gate in net.gates} == {"anchored"}
        assert sum(weight.numel() for weight in net.parameters()) == sum(weight.numel() for weight in plain.parameters())
        images = torch.nn.functional.pad(one_source(), (56,) * 4, value=BLANK)
        with torch.no_grad():
            assert distance(net(images).logits, plain(images).logits) > 1e-3


def test_a_score_without_a_difference_is_zero_and_learns_nothing():
    flat = torch.zeros(2, 1, 5, 5, requires_grad=True)
    alpha = NORMALISATIONS["anchored"](flat)
    assert torch.equal(alpha, torch.zeros_like(alpha))
    assert torch.equal(torch.autograd.grad(alpha.sum(), flat)[0], torch.zeros_like(flat))
