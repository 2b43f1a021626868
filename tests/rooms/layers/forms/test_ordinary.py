"""An ordinary convolution compiled is torch's: answers, gradients in training, alone or in company, with empty sky left out."""

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from equiradio.layers import PlainConvolution
from equiradio.layers.finishing import activated
from equiradio.layers.forms import EmptySky
from equiradio.layers.forms.native import learning, library, ordinary
from equiradio.layers.normalisation import FieldBatchNorm

pytestmark = pytest.mark.skipif(library.best() is None, reason="the kernels were not compiled here")

sides = pytest.mark.parametrize("sides", [(1, 6), (6, 16), (16, 33), (5, 3)], ids=str)


def a_layer(fields_in=6, fields_out=16, dtype=torch.float64) -> PlainConvolution:
    torch.manual_seed(1)
    return PlainConvolution(fields_in, fields_out).to(dtype)


def some_fields(layer, height=13, width=17, batch=3) -> torch.Tensor:
    torch.manual_seed(2)
    return torch.randn(batch, layer.in_channels, 1, height, width, dtype=layer.weight.dtype)


def plain(layer, fields) -> torch.Tensor:
    return F.conv2d(fields[:, :, 0], layer.weight, layer.bias, padding=2)[:, :, None]


@pytest.fixture
def compiled(monkeypatch) -> list[torch.Tensor]:
    """What the kernels are given, so that a test knows that they were asked."""
    calls, usual = [], ordinary.convolve
    monkeypatch.setattr(ordinary, "convolve", lambda images, *rest: calls.append(images) or usual(images, *rest))
    return calls


@sides
@pytest.mark.parametrize("size", [(13, 17), (1, 1), (4, 2), (40, 150)], ids=str)
@torch.no_grad()
def test_answers_are_torchs(variant, compiled, sides, size):
    layer = a_layer(*sides).eval()
    fields = some_fields(layer, *size)
    assert_close(layer(fields), plain(layer, fields), rtol=0, atol=1e-12)
    assert_close(layer(fields[:, :, 0]), plain(layer, fields), rtol=0, atol=1e-12)  # as images of the sky come
    assert len(compiled) == 2


@torch.no_grad()
def test_what_follows_is_done_too(variant):
    layer, norm = a_layer().eval(), FieldBatchNorm(16).double().eval()
    norm.running_mean.uniform_(), norm.bias.data.uniform_()
    fields = some_fields(layer)
    assert_close(layer(fields, norm.finish()), norm(F.relu(plain(layer, fields))), rtol=0, atol=1e-12)


class Marked(torch.Tensor):
    """Numbers that the kernels do not take, since they may be more than numbers."""


@torch.no_grad()
def test_what_follows_is_done_where_torch_computes_too(variant, compiled):
    layer, norm = a_layer().eval(), FieldBatchNorm(16).double().eval()
    norm.running_mean.uniform_(), norm.bias.data.uniform_()
    fields = some_fields(layer)
    ours = activated(layer, norm, fields.as_subclass(Marked))
    assert not compiled
    assert_close(ours.as_subclass(torch.Tensor), norm(F.relu(plain(layer, fields))), rtol=0, atol=1e-12)


def test_where_a_gradient_by_images_is_wanted_torch_computes_it(compiled):
    layer = a_layer().eval()
    fields = some_fields(layer).requires_grad_()
    (slope,) = torch.autograd.grad(layer(fields).square().sum(), fields)
    (right,) = torch.autograd.grad(plain(layer, fields).square().sum(), fields)
    assert_close(slope, right)
    assert not compiled


@torch.no_grad()
def test_an_image_alone_answers_as_in_company_bit_for_bit(variant):
    layer = a_layer(16, 32, torch.float32).eval()
    fields = some_fields(layer, 40, 33, batch=5)
    together = layer(fields)
    for number in range(5):
        assert torch.equal(layer(fields[number : number + 1]), together[number : number + 1])


@torch.no_grad()
def test_leaving_out_empty_sky_changes_no_bit(variant):
    layer = a_layer(6, 5, torch.float32).eval()
    empty = some_fields(layer, 41, 37, batch=1)
    images = empty.repeat(2, 1, 1, 1, 1)
    images[0, :, 0, 0, 0] += 1
    images[1, :, 0, 20, 30] += 1
    everywhere = layer(images)
    layer.empty_sky = EmptySky(empty.permute(0, 3, 4, 2, 1).contiguous())
    assert torch.equal(layer(images), everywhere)
    layer.weight.mul_(2)
    assert_close(layer(images), plain(layer, images), rtol=0, atol=1e-4)


def a_step(layer, norm, fields, lit, learn) -> list[torch.Tensor]:
    answer = layer.learn(fields, norm, lit) if learn else norm(F.relu(plain(layer, fields)))
    slopes = torch.autograd.grad(answer.cos().sum(), [fields, layer.weight, layer.bias, norm.weight, norm.bias])
    empty = ~lit.all(0)
    return [answer.detach(), slopes[0].sum(0)[..., empty], *slopes[1:]]


@sides
def test_a_step_is_torchs_where_empty_sky_is_computed_once(variant, sides):
    layer, fields, lit = a_layer(*sides), None, torch.zeros(4, 23, 19, dtype=torch.bool)
    fields = some_fields(layer, 23, 19, batch=1).repeat(4, 1, 1, 1, 1)
    for image, (row, column) in enumerate([(0, 0), (10, 10), (22, 18), (5, 12)]):
        fields[image, :, 0, row, column] += 1 + image
        lit[image, max(row - 2, 0) : row + 3, max(column - 2, 0) : column + 3] = True
    fields.requires_grad_()
    assert not learning.shared(lit).active.all()
    norms = [FieldBatchNorm(layer.out_channels).double() for _ in range(2)]
    ours, right = (a_step(layer, norm, fields, lit, learn) for norm, learn in zip(norms, (True, False), strict=True))
    for one, other in zip(ours[:1] + ours[2:], right[:1] + right[2:], strict=True):
        assert_close(one, other, rtol=0, atol=1e-11 * float(other.abs().max()))
    assert_close(norms[0].running_var, norms[1].running_var, rtol=0, atol=1e-12)


def test_the_gradient_of_the_images_is_torchs_where_all_is_computed(variant):
    layer, lit = a_layer(5, 7), torch.ones(3, 13, 17, dtype=torch.bool)
    fields = some_fields(layer).requires_grad_()
    norm = FieldBatchNorm(7).double()
    slopes = [
        torch.autograd.grad((layer.learn(fields, norm, lit) if learn else norm(F.relu(plain(layer, fields)))).cos().sum(), fields)[0]
        for learn in (True, False)
    ]
    assert_close(*slopes, rtol=0, atol=1e-11 * float(slopes[1].abs().max()))


def test_in_bf16_answers_and_gradients_are_torchs_but_for_rounding():
    if not library.multiplies_bf16():
        pytest.skip("this processor, or this build, has no kernels that multiply bf16")
    for fields_in, fields_out in ((1, 6), (5, 3), (16, 33)):
        layer, exact = a_layer(fields_in, fields_out, torch.float32), a_layer(fields_in, fields_out)
        exact.load_state_dict(layer.state_dict())
        norms, lit = [FieldBatchNorm(fields_out), FieldBatchNorm(fields_out).double()], torch.ones(3, 13, 17, dtype=torch.bool)
        fields = some_fields(layer).requires_grad_()
        wide = fields.detach().double().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16):
            ours = layer.learn(fields, norms[0], lit)
        right = norms[1](F.relu(plain(exact, wide)))
        for one, other in zip(
            [ours, *torch.autograd.grad(ours.cos().sum(), [fields, layer.weight, layer.bias])],
            [right, *torch.autograd.grad(right.cos().sum(), [wide, exact.weight, exact.bias])],
            strict=True,
        ):
            assert 1e-5 < float(((one.double() - other).norm() / other.norm()).detach()) < 0.03


def test_filters_of_another_size_are_torchs(compiled):
    layer = PlainConvolution(3, 4, 7).double().eval()
    with torch.no_grad():
        assert layer(some_fields(layer)).shape == (3, 4, 1, 13, 17)
    assert not compiled
    assert not layer.finishes
