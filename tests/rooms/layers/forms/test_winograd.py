"""Winograd's form of a convolution: the ordinary one's numbers and gradients, at every size, in any batch, to float32 rounding."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_cases import GROUPS, as_if_trained, some_fields
from torch import Tensor
from torch.testing import assert_close

from equiradio.layers import SteerableConvolution, assert_equivariant
from equiradio.layers.forms import winograd
from equiradio.layers.forms.winograd import SIZES, spread_filters, winograd_convolution
from equiradio.symmetry import Cyclic

by_size = pytest.mark.parametrize("size", SIZES)
sides = st.integers(1, 13)


def noise(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def check_against_torch(size: int, height: int, width: int, batch: int = 2, rows: int = winograd.ROWS) -> None:
    """Output and both gradients, against torch's own convolution."""
    images, filters = noise(batch, 3, height, width, seed=1).requires_grad_(), noise(5, 3, size, size, seed=2).requires_grad_()
    slope = noise(batch, 5, height, width, seed=3)
    right = F.conv2d(images, filters, padding=size // 2)
    ours = winograd_convolution(images, spread_filters(filters), size)
    assert_close(ours, right, rtol=0, atol=1e-11)
    for found, expected in zip(
        *(torch.autograd.grad(answer, (images, filters), slope) for answer in (ours, right)),
        strict=True,
    ):
        assert_close(found, expected, rtol=0, atol=1e-10)


@by_size
@given(height=sides, width=sides, batch=st.integers(1, 5))
@settings(deadline=None, max_examples=40)
def test_it_is_the_ordinary_convolution_in_values_and_gradients(size, height, width, batch):
    check_against_torch(size, height, width, batch)


@by_size
def test_pieces_of_a_batch_are_put_together_in_order(monkeypatch, size):
    for rows in (1, 30, 10_000):  # an image at a time, some, all
        monkeypatch.setattr(winograd, "ROWS", rows)
        check_against_torch(size, 9, 11, batch=5)


MUTANTS = {
    "a tile looks at its own block only": lambda tiles, columns, t, channels, out: torch.mm(t.own, columns, out=out),
    "a tile looks at the block before": lambda tiles, columns, t, channels, out: torch.mm(t.own, columns, out=out)[:, channels:].addmm_(
        t.ahead, columns[: t.ahead.shape[1], :-channels]
    ),
}


@pytest.mark.parametrize("wrong", MUTANTS.values(), ids=MUTANTS)
def test_the_comparison_catches_a_wrong_neighbour(monkeypatch, wrong):
    monkeypatch.setattr(winograd._Tiles, "analyse_across", wrong)
    with pytest.raises(AssertionError):
        check_against_torch(5, 9, 11)


def test_the_comparison_catches_a_stale_border(monkeypatch):
    monkeypatch.setattr(winograd._Tiles, "room", lambda *given: torch.ones_like(right(*given)))
    with pytest.raises(AssertionError):
        check_against_torch(5, 9, 11)


right = winograd._Tiles.room


@by_size
def test_gradients_are_those_of_finite_differences(size):
    images, filters = noise(1, 2, 5, 3, seed=1).requires_grad_(), noise(1, 2, size, size, seed=2).requires_grad_()
    assert torch.autograd.gradcheck(lambda *given: winograd_convolution(given[0], spread_filters(given[1]), size), (images, filters))


@by_size
def test_the_matrices_multiply_polynomials_exactly(size):
    """A^T [(G w) * (B^T x)] is the correlation of x with w, in one dimension."""
    analysis, filters, synthesis = (torch.from_numpy(matrix.copy()) for matrix in winograd._exact(size))
    signal, taps = noise(size + 3, seed=1), noise(size, seed=2)
    assert_close(synthesis @ ((filters @ taps) * (analysis @ signal)), signal.unfold(0, size, 1) @ taps, rtol=0, atol=1e-12)


@by_size
def test_it_multiplies_as_rarely_as_claimed(size):
    points = spread_filters(noise(2, 3, size, size)).shape[0]
    assert points == (size + 3) ** 2
    assert math.isclose(16 * size**2 / points, {3: 4.0, 5: 6.25}[size])


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_a_steerable_layer_turns_with_the_sky_in_this_form(group):
    layer = as_if_trained(SteerableConvolution(2, 2, group))
    layer.take("winograd")
    assert_equivariant(layer, group, some_fields(group, 8))
    fields = some_fields(group, 7, batch=2)
    quick = layer(fields)
    layer.take("dense")
    assert_close(quick, layer(fields), rtol=0, atol=1e-10)


def test_float32_loses_little_more_than_the_ordinary_convolution():
    images, filters = noise(1, 64, 38, 38), noise(64, 64, 5, 5) / 40
    exact = F.conv2d(images, filters, padding=2)

    def error(answer: Tensor) -> float:
        return float((answer - exact).norm() / exact.norm())

    ours = error(winograd_convolution(images.float(), spread_filters(filters.float()), 5))
    assert 1e-8 < error(F.conv2d(images.float(), filters.float(), padding=2)) < ours < 1e-5


def test_what_lies_beside_an_image_does_not_reach_it():
    images, filters = noise(3, 2, 9, 9), spread_filters(noise(2, 2, 5, 5))
    answer = winograd_convolution(images, filters, 5)
    changed = images.clone()
    changed[1] = 1e3
    assert_close(winograd_convolution(changed, filters, 5)[[0, 2]], answer[[0, 2]], rtol=0, atol=0)


def test_an_autocast_around_it_changes_nothing():
    layer = as_if_trained(SteerableConvolution(2, 3, Cyclic(4))).float()
    layer.take("winograd")
    fields = some_fields(Cyclic(4), 6).float()
    with torch.autocast("cpu", torch.bfloat16):
        within = layer(fields.bfloat16().float())
    assert within.dtype == torch.float32
    assert torch.equal(within, layer(fields.bfloat16().float()))


def test_memory_layout_does_not_matter():
    images, filters = noise(2, 3, 6, 7), spread_filters(noise(4, 3, 5, 5))
    answer = winograd_convolution(images.contiguous(memory_format=torch.channels_last), filters, 5)
    assert_close(answer, winograd_convolution(images, filters, 5), rtol=0, atol=0)
    assert answer.is_contiguous(memory_format=torch.channels_last)


def test_among_layers_in_bf16_it_computes_in_float32_and_answers_in_bf16():
    """One rounding of what float32 gives, in the answer and in both gradients."""
    layer = SteerableConvolution(8, 8, Cyclic(8)).train()
    fields = some_fields(Cyclic(8), 12, fields=8).bfloat16().requires_grad_()
    exact = fields.detach().float().requires_grad_()
    slope = some_fields(Cyclic(8), 12, fields=8, seed=1).bfloat16()
    right = layer(exact)
    expected = torch.autograd.grad(right, (exact, layer.weight), slope.float())
    layer.take("winograd")
    with torch.autocast("cpu", torch.bfloat16):
        answer = layer(fields)
    assert answer.dtype == torch.bfloat16
    found = torch.autograd.grad(answer, (fields, layer.weight), slope)
    assert [value.dtype for value in found] == [torch.bfloat16, torch.float32]
    for ours, theirs in zip((answer, *found), (right, *expected), strict=True):
        assert_close(ours.float(), theirs, rtol=2**-7, atol=1e-4 * float(theirs.detach().abs().max()))
