"""Batch normalisation of fields: one statistic per field, equivariant, exported with the same numbers."""

import pytest
import torch
from layer_cases import GROUPS, as_if_trained, some_fields
from torch import nn
from torch.testing import assert_close

from equiradio.layers import FieldBatchNorm, assert_equivariant, normalisation
from equiradio.layers.fields import to_channels, to_fields
from equiradio.symmetry import Dihedral

by_group = pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
by_mode = pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])


def a_norm(training: bool, fields: int = 2) -> FieldBatchNorm:
    return as_if_trained(FieldBatchNorm(fields)).train(training)


@by_group
@by_mode
def test_batch_norm_turns_with_the_sky(group, training):
    norm, fields = a_norm(training), some_fields(group, 6, batch=2)
    assert_equivariant(norm, group, fields)
    for element in group.grid_elements:  # the check above asks for no gradient; in training another path is taken with one
        assert_close(norm(group.act_on_field(fields, element)), group.act_on_field(norm(fields), element), rtol=0, atol=1e-9)


def test_the_law_catches_a_norm_per_channel():
    group, norm = Dihedral(4), as_if_trained(nn.BatchNorm2d(16)).eval()
    with pytest.raises(AssertionError, match="not equivariant under D4"):
        assert_equivariant(lambda fields: to_fields(norm(to_channels(fields)), 8), group, some_fields(group, 6))


@by_group
def test_each_field_gets_mean_0_and_spread_1_over_batch_group_and_pixels(group):
    normal = FieldBatchNorm(3).double()(5 + 3 * some_fields(group, 6, fields=3, batch=4))
    assert_close(normal.mean((0, 2, 3, 4)), torch.zeros(3, dtype=torch.float64), rtol=0, atol=1e-12)
    assert_close(normal.var((0, 2, 3, 4), correction=0), torch.ones(3, dtype=torch.float64), rtol=0, atol=1e-4)


@by_group
@by_mode
def test_batch_norm_is_torchs_over_a_stack_of_elements(group, training):
    """Batch norm in three dimensions has the same statistics and counts its samples in the same way."""
    ours, torchs, fields = a_norm(training), nn.BatchNorm3d(2).double().train(training), some_fields(group, 5, batch=3)
    torchs.load_state_dict(ours.state_dict())
    assert_close(ours(fields), torchs(fields), rtol=1e-12, atol=1e-12)
    for name, value in torchs.state_dict().items():
        assert_close(ours.state_dict()[name], value, rtol=1e-12, atol=1e-12)


def gradients(norm: nn.Module, fields: torch.Tensor, cotangent: torch.Tensor) -> tuple[torch.Tensor, ...]:
    fields = fields.detach().requires_grad_()
    return torch.autograd.grad(norm(fields), (fields, norm.weight, norm.bias), cotangent)


@by_group
@by_mode
@pytest.mark.parametrize("channels_last", [True, False], ids=["channels last", "channels first"])
def test_gradients_are_torchs(group, training, channels_last):
    ours, torchs = a_norm(training), nn.BatchNorm3d(2).double().train(training)
    torchs.load_state_dict(ours.state_dict())
    fields, cotangent = some_fields(group, 5, batch=3), some_fields(group, 5, batch=3, seed=1)
    if channels_last:
        fields = to_fields(to_channels(fields).contiguous(memory_format=torch.channels_last), group.order)
    expected_gradients = gradients(torchs, fields.contiguous(), cotangent)  # torch's own errs on some strides where |G| is 1
    for found, expected in zip(gradients(ours, fields, cotangent), expected_gradients, strict=True):
        assert_close(found, expected, rtol=1e-11, atol=1e-11)


def test_the_gradient_law_catches_statistics_taken_as_constants(monkeypatch):
    @staticmethod
    def as_constants(ctx, grad):
        _, weight, _, inverse_std = ctx.saved_tensors
        return grad * (weight * inverse_std)[:, None, None], torch.zeros_like(weight), grad.sum((0, 2, 3)), None, None, None, None

    monkeypatch.setattr(normalisation._BatchNorm, "backward", as_constants)
    with pytest.raises(AssertionError):
        test_gradients_are_torchs(Dihedral(4), training=True, channels_last=True)


def test_gradients_survive_an_offset_in_float32():
    """Sums of products lose digits where the mean is large: here ten times the spread."""
    group = Dihedral(4)
    fields, cotangent = 10 + some_fields(group, 12, batch=4), some_fields(group, 12, batch=4, seed=1)
    exact = gradients(a_norm(training=True), fields, cotangent)
    single = gradients(a_norm(training=True).float(), fields.float(), cotangent.float())
    for found, expected in zip(single, exact, strict=True):
        assert float((found - expected).norm() / expected.norm()) < 1e-4


def test_gradients_in_bf16_keep_their_mean_of_zero():
    """A shift of the input changes nothing, so its gradient must add up to (nearly) nothing: a bias would add up over layers."""
    group = Dihedral(4)
    fields, cotangent = some_fields(group, 12, batch=4).abs().bfloat16(), some_fields(group, 12, batch=4, seed=1).bfloat16()
    norm = a_norm(training=True).float()
    found, exact = gradients(norm, fields, cotangent)[0].float(), gradients(norm, fields.float(), cotangent.float())[0]
    assert float((found - exact).norm() / exact.norm()) < 2e-2
    assert float(found.mean((0, 2, 3, 4)).abs().max() / found.std()) < 1e-3


@by_group
def test_exported_batch_norm_gives_the_same_numbers(group):
    norm, fields = a_norm(training=False), some_fields(group, 5)
    plain = norm.export(group.order)
    assert type(plain) is nn.BatchNorm2d
    assert not plain.training
    assert_close(plain(to_channels(fields)), to_channels(norm(fields)), rtol=1e-12, atol=1e-12)


def test_memory_stays_channels_last():
    channels = torch.randn(2, 16, 6, 6).contiguous(memory_format=torch.channels_last)
    normal = to_channels(FieldBatchNorm(2)(to_fields(channels, 8)))
    assert normal.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("options", [{"affine": False}, {"momentum": None}, {"track_running_stats": False}])
def test_options_of_a_batch_norm_are_those_of_torch(options):
    """Whatever is asked for: the same answers as an ordinary batch norm over (batch, group, pixels), trained, evaluated and exported."""
    torch.manual_seed(0)
    fields = torch.randn(2, 3, 4, 5, 5, dtype=torch.float64, requires_grad=True)
    norm, plain = FieldBatchNorm(3, **options).double(), nn.BatchNorm3d(3, **options).double()
    for mode in (True, False):
        assert_close(norm.train(mode)(fields), plain.train(mode)(fields))
    if norm.track_running_stats:
        assert_close(norm.export(4)(to_channels(fields)), to_channels(norm(fields)))
    else:
        with pytest.raises(ValueError, match="without running statistics"):
            norm.export(4)
