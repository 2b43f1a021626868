"""The Fourier form of a steerable layer: the dense form's numbers, gradients and symmetry, in every group and size."""

from collections.abc import Callable

import pytest
import torch
from layer_cases import GROUPS, ODD_GROUPS, as_if_trained, some_fields
from torch import Tensor
from torch.testing import assert_close

from equiradio.layers import SteerableConvolution, assert_equivariant
from equiradio.layers.forms import fourier, spectral
from equiradio.symmetry import Cyclic, Dihedral, Group
from equiradio.symmetry.spectrum import Coupling, Spectrum

by_any_group = pytest.mark.parametrize("group", [*GROUPS, *ODD_GROUPS, Dihedral(1), Dihedral(2)], ids=lambda group: group.name)
SIZES = [3, 5, 7, 9]


def a_layer(group: Group, size: int = 5, form: str = "fourier", fields_in: int = 2, fields_out: int = 3) -> SteerableConvolution:
    layer = as_if_trained(SteerableConvolution(fields_in, fields_out, group, size))
    layer.take(form)
    return layer


def both(layer: SteerableConvolution, call: Callable[[], tuple[Tensor, ...]]) -> list[tuple[Tensor, ...]]:
    """What a call gives in dense and in Fourier form."""
    answers = []
    for form in ("dense", "fourier"):
        layer.take(form)
        answers.append(call())
    return answers


def check_forms_agree(group: Group, size: int) -> None:
    """Output and both gradients, relative to their norms."""
    layer, fields = a_layer(group, size), some_fields(group, 7, batch=2).requires_grad_()

    def call() -> tuple[Tensor, ...]:
        answer = layer(fields)
        target = torch.randn(answer.shape, generator=torch.Generator().manual_seed(3), dtype=answer.dtype)
        return answer.detach(), *torch.autograd.grad(answer, (fields, layer.weight), target)

    for dense, quick in zip(*both(layer, call), strict=True):
        assert float((dense - quick).norm() / dense.norm()) < 1e-13


@by_any_group
@pytest.mark.parametrize("size", SIZES)
def test_outputs_and_gradients_are_those_of_the_dense_form(group, size):
    check_forms_agree(group, size)


@by_any_group
def test_it_turns_with_the_sky_by_itself(group):
    assert_equivariant(a_layer(group, fields_out=2), group, some_fields(group, 8))


SPOILS: dict[str, tuple[object, str, Callable]] = {
    "conjugates forgotten": (
        Spectrum,
        "coupling",
        lambda right: lambda self, k, s: Coupling(right(self, k, s).source, False),
    ),
    "copies joined as if mirrors did nothing": (
        Spectrum,
        "_waves",
        lambda right: property(lambda self: right.func(self) * torch.tensor([1, -1j]).numpy()[:, None]),
    ),
    "weights of the opposite frequency": (
        spectral,
        "_waves",
        lambda right: lambda group, s, dtype, device: right(group, -s, dtype, device),
    ),
    "sines of the wrong sign": (
        fourier,
        "_planes",
        lambda right: lambda *key: (right(*key)[0], -right(*key)[1]),
    ),
}


@pytest.fixture
def fresh_tables():
    """What is kept from call to call, forgotten before and after."""
    kept = (spectral.slots, spectral._waves, spectral._of_pair, fourier._transforms, fourier._planes)
    for table in kept:
        table.cache_clear()
    yield
    for table in kept:
        table.cache_clear()


@pytest.mark.parametrize("spoil", SPOILS.values(), ids=SPOILS)
def test_the_comparison_catches_a_wrong_form(monkeypatch, fresh_tables, spoil):
    place, name, change = spoil
    monkeypatch.setattr(place, name, change(place.__dict__[name]))
    with pytest.raises(AssertionError):
        check_forms_agree(Dihedral(8), 5)


@pytest.mark.parametrize("group", [Cyclic(4), Dihedral(3)], ids=lambda group: group.name)
def test_gradients_are_those_of_finite_differences(group):
    layer = a_layer(group, size=3, fields_in=1, fields_out=1)
    fields = some_fields(group, 4, fields=1).requires_grad_()

    def call(fields: Tensor, weight: Tensor) -> Tensor:
        return fourier.fourier_convolution(fields, spectral.spectral_weight(weight, group, 3), group, 3)

    assert torch.autograd.gradcheck(call, (fields, layer.weight))


def test_pieces_of_a_batch_are_put_together_in_order(monkeypatch):
    layer, fields = a_layer(Cyclic(8)), some_fields(Cyclic(8), 6, batch=5)
    alone = torch.cat([layer(image[None]) for image in fields])
    assert_close(layer(fields), alone, rtol=0, atol=0)
    monkeypatch.setattr(fourier, "_pieces", lambda components, bank: [slice(0, 2), slice(2, 4), slice(4, 6)])
    assert_close(layer(fields), alone, rtol=0, atol=1e-12)


def test_memory_layout_does_not_matter():
    group, fields = Dihedral(4), some_fields(Dihedral(4), 6, batch=2)
    layer = a_layer(group)
    channels_last = fields.permute(0, 3, 4, 2, 1).contiguous().permute(0, 4, 3, 1, 2)
    assert_close(layer(channels_last), layer(fields), rtol=0, atol=1e-12)
    assert layer(fields).transpose(1, 2).flatten(1, 2).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("group", [Cyclic(16), Dihedral(8)], ids=lambda group: group.name)
def test_bf16_is_as_near_as_the_dense_forms_bf16(group):
    layer, fields = a_layer(group, fields_in=8, fields_out=8).float(), some_fields(group, 9, fields=8).float().requires_grad_()
    exact = layer(fields)

    def call() -> tuple[Tensor, ...]:
        with torch.autocast("cpu", torch.bfloat16):
            answer = layer(fields)
        return answer.detach().float(), *torch.autograd.grad(answer.float().square().sum(), (fields, layer.weight))

    right = exact.detach(), *torch.autograd.grad(exact.square().sum(), (fields, layer.weight))
    for truth, dense, quick in zip(right, *both(layer, call), strict=True):
        ours, theirs = (float((near - truth).norm() / truth.norm()) for near in (quick, dense))
        assert 0 < ours < max(2 * theirs, 0.01)


@pytest.mark.parametrize("group", [Cyclic(8), Dihedral(8)], ids=lambda group: group.name)
def test_the_product_is_as_small_as_claimed(group):
    """22 |G| multiply-adds per pixel and pair of 5x5 fields, but for bins 0 and N/2, kept with their empty imaginary parts."""
    layer = a_layer(group, fields_in=4, fields_out=6)
    blocks, rows, columns = fourier.FORM.prepare(layer).shape
    per_pair = blocks * rows * columns / (4 * 6)
    bins = group.rotations // 2 + 1
    assert per_pair == 11 * 4 * bins * (2 if group.mirrored else 1)
    assert per_pair <= 22 * group.order * 2 * bins / group.rotations < 25 * group.order**2


def test_export_has_the_same_numbers_whatever_the_form():
    group, fields = Dihedral(4), some_fields(Dihedral(4), 6)
    layer = a_layer(group)
    plain = layer.export()(fields.transpose(1, 2).flatten(1, 2))
    assert_close(plain.unflatten(1, (group.order, -1)).transpose(1, 2), layer(fields), rtol=0, atol=1e-12)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("group", [Cyclic(16), Dihedral(8)], ids=lambda group: group.name)
def test_a_gpu_gives_the_same_numbers(group):
    layer, fields = a_layer(group), some_fields(group, 9, batch=3)
    here = layer(fields)
    assert_close(layer.cuda()(fields.cuda()).cpu(), here, rtol=0, atol=1e-11)
