"""Oracle: our filters span what escnn's span, and a network on escnn's layers answers as ours with the same filters."""

import copy

import pytest
import torch
from escnn_oracle import convolve, expand, steerable_convolution
from torch import Tensor, nn
from torch.testing import assert_close

from equiradio import models
from equiradio.layers import convolution
from equiradio.layers.convolution import LiftingConvolution, SteerableConvolution
from equiradio.symmetry.groups import Cyclic, Dihedral, Group

GROUPS = [Cyclic(4), Cyclic(8), Cyclic(16), Dihedral(4), Dihedral(8)]
GROUP_IDS = [group.name for group in GROUPS]
PER_ELEMENT = 11  # planar filters of side 5
ROUNDING = 1e-6  # escnn samples its basis in float32


def our_regular_filters(group: Group) -> Tensor:
    """One row per weight: our filters (11 |G|, |G| * |G| * 25) from one regular field to one."""
    count = PER_ELEMENT * group.order
    layer = SteerableConvolution(1, count, group).double()
    layer.weight.data = torch.eye(count, dtype=torch.float64).view(layer.weight.shape)
    return layer.filters().detach().unflatten(0, (group.order, count)).transpose(0, 1).flatten(1)


def our_lifting_filters(group: Group) -> Tensor:
    """One row per weight: our filters (11, |G| * 25) from an image to one regular field."""
    layer = LiftingConvolution(1, PER_ELEMENT, group).double()
    layer.weight.data = torch.eye(PER_ELEMENT, dtype=torch.float64).view(layer.weight.shape)
    return layer.filters().detach().unflatten(0, (group.order, PER_ELEMENT)).transpose(0, 1).flatten(1)


def escnn_filters(group: Group, fields_in: int | None) -> Tensor:
    """One row per weight: escnn's filters to one regular field."""
    theirs = steerable_convolution(group, fields_in, 1)
    rows = []
    for weight in torch.eye(sum(weight.numel() for weight in theirs.parameters())):
        theirs.weights.data = weight
        rows.append(expand(theirs).flatten())
    return torch.stack(rows).double()


def worst_residual(rows: Tensor, span: Tensor) -> float:
    """Largest share of any row's length that the span of the others cannot reproduce (least squares)."""
    inside = torch.linalg.lstsq(span.T, rows.T).solution
    return float(((rows.T - span.T @ inside).norm(dim=0) / rows.norm(dim=1)).max())


def check_same_span(ours: Tensor, theirs: Tensor, weights: int) -> None:
    assert ours.shape == theirs.shape
    assert len(ours) == weights
    assert torch.linalg.matrix_rank(ours, rtol=1e-4) == torch.linalg.matrix_rank(theirs, rtol=1e-4) == weights
    assert worst_residual(theirs, ours) < ROUNDING
    assert worst_residual(ours, theirs) < ROUNDING


@pytest.mark.parametrize("group", GROUPS, ids=GROUP_IDS)
def test_regular_filters_span_what_escnn_spans(group):
    check_same_span(our_regular_filters(group), escnn_filters(group, 1), PER_ELEMENT * group.order)


@pytest.mark.parametrize("group", GROUPS, ids=GROUP_IDS)
def test_lifting_filters_span_what_escnn_spans(group):
    check_same_span(our_lifting_filters(group), escnn_filters(group, None), PER_ELEMENT)


@pytest.mark.parametrize(
    ("group", "spoil"),
    [(Cyclic(8), lambda harmonics: harmonics.flip(-2)), (Dihedral(4), lambda harmonics: harmonics[torch.arange(8) % 4])],
    ids=["turned the wrong way", "mirrors that only turn"],
)
def test_the_oracle_catches_filters_that_move_wrongly(monkeypatch, group, spoil):
    right = convolution._harmonics
    monkeypatch.setattr(convolution, "_harmonics", lambda *key: spoil(right(*key)))
    with pytest.raises(AssertionError):
        test_regular_filters_span_what_escnn_spans(group)
    with pytest.raises(AssertionError):
        test_lifting_filters_span_what_escnn_spans(group)


def test_the_oracle_catches_a_quotient_taken_on_the_wrong_side(monkeypatch):
    wrong = lambda group, device: (torch.from_numpy(group.product[:, group.inverse]), torch.from_numpy(group.product))  # g h^-1
    monkeypatch.setattr(convolution, "_tables", wrong)
    with pytest.raises(AssertionError):
        test_regular_filters_span_what_escnn_spans(Dihedral(4))


class OnEscnn(nn.Module):
    """An escnn convolution in the place of one of ours: the same tensors in and out."""

    def __init__(self, ours: LiftingConvolution | SteerableConvolution) -> None:
        super().__init__()
        self.order, self.lifting = ours.group.order, isinstance(ours, LiftingConvolution)
        self.theirs = steerable_convolution(ours.group, None if self.lifting else ours.fields_in, ours.fields_out)

    def forward(self, features: Tensor) -> Tensor:
        return convolve(self.theirs, features if self.lifting else features.flatten(1, 2)).unflatten(1, (-1, self.order))


def take_filter(ours: LiftingConvolution | SteerableConvolution, theirs: nn.Module) -> float:
    """Give ours the weights nearest to an escnn convolution's filter; returns the relative residual."""
    group, lifting = ours.group, isinstance(ours, LiftingConvolution)
    blocks = expand(theirs).unflatten(0, (ours.fields_out, group.order)).unflatten(2, (ours.fields_in, -1))
    rows = blocks.permute(0, 2, 1, 3, 4, 5).flatten(2).flatten(0, 1).double()
    span = our_lifting_filters(group) if lifting else our_regular_filters(group)
    weights = torch.linalg.lstsq(span.T, rows.T).solution
    ours.weight.data = weights.T.reshape(ours.weight.shape).float()
    return float((rows.T - span.T @ weights).norm() / rows.norm())


def test_a_whole_network_on_escnn_answers_the_same():
    torch.manual_seed(0)
    ours = models.build("d4-attention", pooling="mean", head_relu=False).eval()
    theirs, before = copy.deepcopy(ours), copy.deepcopy(ours)
    steerable = [name for name, layer in ours.named_modules() if isinstance(layer, LiftingConvolution | SteerableConvolution)]
    assert len(steerable) == 11
    for name in steerable:
        on_escnn = OnEscnn(ours.get_submodule(name))
        theirs.set_submodule(name, on_escnn)
        assert take_filter(ours.get_submodule(name), on_escnn.theirs) < ROUNDING
    images = torch.randn(2, 1, 150, 150)
    with torch.no_grad():
        answer, expected = ours(images), theirs(images)
        assert (before(images).logits - expected.logits).abs().min() > 1e-2  # with other filters, another answer
    assert_close(answer.logits, expected.logits, rtol=1e-5, atol=1e-5)
    for attention, expected_attention in zip(answer.attention, expected.attention, strict=True):
        assert_close(attention, expected_attention, rtol=0, atol=5e-5)
