"""Pooling over pixels and over the group."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_cases import GROUPS, ODD_GROUPS, some_fields
from torch.testing import assert_close

from equiradio.layers import AntialiasedPool, assert_equivariant, group_pool, max_pool, pooling
from equiradio.layers.fields import to_channels, to_fields
from equiradio.symmetry import Cyclic, Dihedral

by_group = pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)


@by_group
def test_max_pooling_turns_with_the_sky_at_even_sides(group):
    fields = some_fields(group, 8)
    assert_equivariant(max_pool, group, fields)
    assert torch.equal(max_pool(fields)[0, 1], F.max_pool2d(fields[0, 1], 2))


def test_max_pooling_breaks_turns_at_odd_sides():
    """Why images are padded: 150 becomes 75, which 2x2 cells do not tile."""
    with pytest.raises(AssertionError, match="not equivariant under C4"):
        assert_equivariant(max_pool, Cyclic(4), some_fields(Cyclic(4), 9))


@pytest.mark.parametrize("group", [*GROUPS, *ODD_GROUPS], ids=lambda group: group.name)
def test_group_pooling_leaves_channels_in_their_place(group):
    fields = some_fields(group, 7)
    pooled = group_pool(fields)
    assert torch.equal(pooled, fields.amax(2))
    for element in group.grid_elements:
        assert torch.equal(group_pool(group.act_on_field(fields, element)), group.act(pooled, element))


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 8), st.integers(1, 4), st.integers(0, 2**31))
def test_group_pooling_has_the_gradient_of_amax(order, values, seed):
    """Few different values: equals share the gradient."""
    generator = torch.Generator().manual_seed(seed)
    fields = torch.randint(values, (2, 3, order, 4, 4), generator=generator).double().requires_grad_()
    cotangent = torch.randn(2, 3, 4, 4, generator=generator, dtype=torch.float64)
    (found,) = torch.autograd.grad(group_pool(fields), fields, cotangent)
    (expected,) = torch.autograd.grad(fields.amax(2), fields, cotangent)
    assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_the_gradient_law_catches_equals_that_do_not_share(monkeypatch, no_kernels):
    @staticmethod
    def to_each_in_full(ctx, grad):
        columns, largest = ctx.saved_tensors
        return (columns == largest.unsqueeze(3)) * grad.unsqueeze(3)

    monkeypatch.setattr(pooling._GroupMax, "backward", to_each_in_full)
    with pytest.raises(AssertionError):
        test_group_pooling_has_the_gradient_of_amax.hypothesis.inner_test(order=4, values=2, seed=0)


@by_group
@pytest.mark.parametrize("side", [5, 6, 9, 10])
def test_antialiased_pooling_turns_with_the_sky_at_any_side(group, side):
    pool, fields = AntialiasedPool(), some_fields(group, side)
    assert_equivariant(pool, group, fields)
    assert pool(fields).shape[-1] == pool.pooled_side(side) == (side + 1) // 2


def test_the_law_catches_five_pixels_at_an_even_side():
    profile = torch.tensor([1.0, 4, 6, 4, 1], dtype=torch.float64) / 16
    kernel = torch.outer(profile, profile).expand(8, 1, 5, 5)
    five = lambda fields: to_fields(F.conv2d(to_channels(fields), kernel, stride=2, padding=2, groups=8), 4)
    assert_equivariant(five, Cyclic(4), some_fields(Cyclic(4), 9))
    with pytest.raises(AssertionError, match="not equivariant under C4"):
        assert_equivariant(five, Cyclic(4), some_fields(Cyclic(4), 10))


@pytest.mark.parametrize("side", [11, 12])
def test_antialiased_pooling_keeps_a_constant_and_blurs_by_sigma(side):
    pool = AntialiasedPool(sigma=0.66)
    pooled = pool(torch.ones(1, 2, 8, side, side, dtype=torch.float64))
    assert_close(pooled[..., 1:-1, 1:-1], torch.ones_like(pooled[..., 1:-1, 1:-1]), rtol=0, atol=1e-12)
    assert float(pooled[..., 0, 0].max()) < 1  # outside the image is zero
    rows = torch.arange(side, dtype=torch.float64)[:, None].expand(1, 1, 1, side, side)
    centres = pool(rows)[0, 0, 0, 1:-1, 2]
    assert_close(centres, 2 * torch.arange(1, len(centres) + 1).double() + (0.5 if side % 2 == 0 else 0), rtol=0, atol=1e-9)


def test_antialiased_pooling_removes_what_it_cannot_sample():
    checks = (-1.0) ** torch.arange(12, dtype=torch.float64)
    fields = torch.outer(checks, checks)[None, None, None]
    assert float(AntialiasedPool(sigma=2.0)(fields)[..., 1:-1, 1:-1].abs().max()) < 0.01
    assert float(fields[..., ::2, ::2].abs().max()) == 1


def test_pooled_maps_stay_channels_last():
    fields = to_fields(torch.randn(2, 16, 6, 6).contiguous(memory_format=torch.channels_last), Dihedral(4).order)
    assert to_channels(max_pool(fields)).is_contiguous(memory_format=torch.channels_last)
    assert group_pool(fields).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("sides", [(8, 8), (7, 9), (2, 3)])
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_max_pooling_without_a_gradient_gives_the_same_numbers_in_the_same_layout(sides, dtype):
    channels_last = torch.randn(2, *sides, 4, 3, generator=torch.Generator().manual_seed(0)).to(dtype).permute(0, 4, 3, 1, 2)
    with_gradient, without = max_pool(channels_last.clone().requires_grad_()), max_pool(channels_last)
    assert torch.equal(with_gradient, without)
    assert torch.equal(without, torch.nn.functional.max_pool2d(channels_last.flatten(1, 2), 2).unflatten(1, (3, 4)))
    assert without.transpose(1, 2).flatten(1, 2).is_contiguous(memory_format=torch.channels_last)
