"""Steerable convolutions: the filters are those of the definition, and the group's algebra holds for every element."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from layer_cases import GROUPS, ODD_GROUPS, as_if_trained, some_fields
from torch import Tensor
from torch.testing import assert_close

from equiradio.errors import SettingRefusal
from equiradio.layers import LiftingConvolution, PlainConvolution, SteerableConvolution, assert_equivariant, convolution
from equiradio.layers.fields import to_channels, to_fields
from equiradio.layers.forms import find_form
from equiradio.symmetry import Cyclic, Dihedral, Group, harmonic_basis, moved_filters

by_group = pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
by_any_group = pytest.mark.parametrize("group", [*GROUPS, *ODD_GROUPS], ids=lambda group: group.name)
by_size = pytest.mark.parametrize("size", [3, 5, 7, 9])
PER_ELEMENT = {3: 6, 5: 11, 7: 18, 9: 31}


def lifting(group: Group, size: int = 5, fields_in: int = 2, fields_out: int = 2) -> LiftingConvolution:
    return as_if_trained(LiftingConvolution(fields_in, fields_out, group, size))


def steerable(group: Group, size: int = 5, fields_in: int = 2, fields_out: int = 2) -> SteerableConvolution:
    return as_if_trained(SteerableConvolution(fields_in, fields_out, group, size))


def lifting_blocks(layer: LiftingConvolution) -> Tensor:
    """The filter as K[o, g, i] (fields out, |G|, fields in, size, size)."""
    return layer.filters().detach().unflatten(0, (layer.group.order, -1)).transpose(0, 1)


def steerable_blocks(layer: SteerableConvolution) -> Tensor:
    """The filter as K[o, g, i, h] (fields out, |G|, fields in, |G|, size, size)."""
    order = layer.group.order
    return layer.filters().detach().unflatten(0, (order, -1)).unflatten(2, (order, -1)).permute(1, 0, 3, 2, 4, 5)


@by_group
@by_size
def test_lifting_turns_with_the_sky(group, size):
    assert_equivariant(lifting(group, size), group, some_fields(Cyclic(1), 8)[:, :, 0], lifts=True)


@by_group
@by_size
def test_regular_convolution_turns_with_the_sky(group, size):
    assert_equivariant(steerable(group, size), group, some_fields(group, 8))


@by_group
def test_odd_sides_turn_too(group):
    assert_equivariant(steerable(group), group, some_fields(group, 7))


SPOILS = {
    "turned the wrong way": ("_harmonics", lambda right: lambda *key: right(*key).flip(-2)),
    "mirrors that only turn": ("_harmonics", lambda right: lambda *key: right(*key)[torch.arange(8) % 4]),
    "quotient on the wrong side": (
        "_tables",
        lambda right: lambda group, device: (torch.from_numpy(group.product[:, group.inverse]), right(group, device)[1]),
    ),
}


@pytest.mark.parametrize("spoil", SPOILS.values(), ids=SPOILS)
def test_the_laws_catch_wrong_filters(monkeypatch, spoil):
    name, change = spoil
    monkeypatch.setattr(convolution, name, change(getattr(convolution, name)))
    with pytest.raises(AssertionError):
        test_regular_convolution_turns_with_the_sky(Dihedral(4), 5)
    with pytest.raises(AssertionError):
        test_regular_algebra_holds_for_every_element(Dihedral(4), 5)
    with pytest.raises(AssertionError):
        test_regular_filters_are_those_of_the_definition(Dihedral(4))


@by_any_group
def test_lifting_filters_are_those_of_the_definition(group):
    layer = lifting(group)
    harmonics, found = torch.from_numpy(moved_filters(group, 5)), lifting_blocks(layer)
    for o in range(2):
        for g in range(group.order):
            for i in range(2):
                assert_close(found[o, g, i], sum(layer.weight[o, i, b].detach() * harmonics[g, b] for b in range(11)), rtol=0, atol=1e-12)


@pytest.mark.parametrize("group", [Cyclic(1), Cyclic(3), Cyclic(8), Dihedral(1), Dihedral(4), Dihedral(5)], ids=lambda group: group.name)
def test_regular_filters_are_those_of_the_definition(group):
    layer = steerable(group, fields_in=1)
    harmonics, found = torch.from_numpy(moved_filters(group, 5)), steerable_blocks(layer)
    for o in range(2):
        for g in range(group.order):
            for h in range(group.order):
                weight = layer.weight[o, 0, int(group.product[group.inverse[g], h])].detach()
                assert_close(found[o, g, 0, h], sum(weight[b] * harmonics[g, b] for b in range(11)), rtol=0, atol=1e-12)


def coordinates(filters: Tensor, size: int) -> Tensor:
    """Filters (..., size, size) as combinations (..., B) of the harmonics at rest; they must lie in their span."""
    at_rest = torch.from_numpy(moved_filters(Cyclic(1), size)[0]).flatten(1)
    found = filters.flatten(-2) @ torch.linalg.pinv(at_rest)
    assert_close(found @ at_rest, filters.flatten(-2), rtol=0, atol=1e-9)
    return found


def moves(group: Group, size: int) -> Tensor:
    """How each element moves a filter that is given by its coordinates: (|G|, B, B), off the pixel grid too."""
    return coordinates(torch.from_numpy(moved_filters(group, size)), size)


@by_any_group
@by_size
def test_lifting_algebra_holds_for_every_element(group, size):
    """K[o, u g, i] is K[o, g, i] moved by u, for every u, also where pixels cannot follow."""
    filters = coordinates(lifting_blocks(lifting(group, size)), size)
    for u, move in enumerate(moves(group, size)):
        assert_close(filters[:, group.product[u]], filters @ move, rtol=0, atol=1e-9)


@by_any_group
@pytest.mark.parametrize("size", [3, 5])
def test_regular_algebra_holds_for_every_element(group, size):
    """K[o, u g, i, u h] is K[o, g, i, h] moved by u, for every u, also where pixels cannot follow."""
    filters = coordinates(steerable_blocks(steerable(group, size, fields_in=1, fields_out=1)), size)
    for u, move in enumerate(moves(group, size)):
        permuted = filters[:, group.product[u]][:, :, :, group.product[u]]
        assert_close(permuted, filters @ move, rtol=0, atol=1e-9)


@by_group
@by_size
def test_weights_per_pair_of_fields(group, size):
    assert LiftingConvolution(1, 1, group, size).weight.numel() == PER_ELEMENT[size] == harmonic_basis(size).count
    assert SteerableConvolution(1, 1, group, size).weight.numel() == PER_ELEMENT[size] * group.order
    assert SteerableConvolution(3, 2, group, size).weight.numel() == 6 * PER_ELEMENT[size] * group.order


def test_the_weights_receive_the_gradient_of_the_definition():
    """The hand-written backward of the gathering against autograd's own."""
    group, layer = Dihedral(3), steerable(Dihedral(3))
    cotangent = torch.randn_like(layer.filters())
    (found,) = torch.autograd.grad((layer.filters() * cotangent).sum(), layer.weight)
    harmonics = torch.from_numpy(moved_filters(group, 5))
    naive = torch.einsum("oighb,gbyx->gohiyx", layer.weight[:, :, torch.from_numpy(group.relative)], harmonics)
    (expected,) = torch.autograd.grad((naive.flatten(0, 1).flatten(1, 2) * cotangent).sum(), layer.weight)
    assert_close(found, expected, rtol=1e-12, atol=1e-12)


@by_group
def test_exported_convolutions_give_the_same_numbers(group):
    fields, sky = some_fields(group, 9), some_fields(Cyclic(1), 9)[:, :, 0]
    regular, first = steerable(group), lifting(group)
    for layer, given, channels in ((regular, fields, to_channels(fields)), (first, sky, sky)):
        plain = layer.export()
        assert type(plain) is torch.nn.Conv2d
        assert_close(plain(channels), to_channels(layer(given)), rtol=1e-12, atol=1e-12)


def test_an_export_is_a_copy():
    layer = steerable(Cyclic(4))
    plain, before = layer.export(), layer.filters().detach()
    with torch.no_grad():
        layer.weight.zero_()
    assert torch.equal(plain.weight, before)


def test_a_plain_convolution_is_torchs():
    layer, sky = PlainConvolution(2, 3, 5).double(), some_fields(Cyclic(1), 8)
    expected = F.conv2d(sky[:, :, 0], layer.weight, layer.bias, padding=2)
    assert_close(layer(sky)[:, :, 0], expected)
    assert_close(layer(sky[:, :, 0])[:, :, 0], expected)


@by_group
def test_fields_and_channels_are_views_of_each_other(group):
    channels = torch.randn(2, 3 * group.order, 5, 4).contiguous(memory_format=torch.channels_last)
    fields = to_fields(channels, group.order)
    assert fields.shape == (2, 3, group.order, 5, 4)
    for field in range(3):
        for element in range(group.order):
            assert torch.equal(fields[:, field, element], channels[:, element * 3 + field])
    back = to_channels(fields)
    assert back.data_ptr() == fields.data_ptr() == channels.data_ptr()
    assert torch.equal(back, channels)
    assert back.is_contiguous(memory_format=torch.channels_last)


def test_layers_hand_on_channels_last_without_a_copy():
    group = Dihedral(4)
    lifted = lifting(group, fields_in=1)(torch.randn(2, 1, 8, 8, dtype=torch.float64))
    for fields in (lifted, steerable(group)(lifted)):
        channels = to_channels(fields)
        assert channels.is_contiguous(memory_format=torch.channels_last)
        assert channels.data_ptr() == fields.data_ptr()


def test_numpy_tables_are_not_changed_by_use():
    """The tables are cached for every layer of a process: nobody may write into them."""
    before = moved_filters(Cyclic(4), 5).copy()
    layer = steerable(Cyclic(4))
    layer(some_fields(Cyclic(4), 6)).sum().backward()
    np.testing.assert_array_equal(moved_filters(Cyclic(4), 5), before)


@pytest.mark.parametrize("given", [torch.float64, torch.int32], ids=str)
@pytest.mark.parametrize("form", ["dense", "fourier", "winograd", "native"])
def test_fields_that_the_weights_cannot_hold_are_refused_and_not_rounded(form, given):
    layer = SteerableConvolution(2, 2, Cyclic(4))
    if not find_form(form).possible(layer.shape, "cpu", "float32"):
        pytest.skip(f"{form} is not possible here")
    layer.take(form)
    fields = some_fields(layer.group, 8).to(given)
    kind = str(given).removeprefix("torch.")
    words = rf"fields: {kind} for a layer with weights of float32; expected fields of float32. Bring one to the other"
    for gradients in (False, True):
        with torch.set_grad_enabled(gradients), pytest.raises(SettingRefusal, match=words):
            layer(fields)
    with torch.no_grad():
        assert layer.double()(some_fields(layer.group, 8)).dtype == torch.float64
