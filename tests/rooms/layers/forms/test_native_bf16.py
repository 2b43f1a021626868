"""The compiled form where the processor multiplies bf16: float32 fields, products rounded once, and still the same bits in any company."""

import pytest
import torch
import torch.nn.functional as F

from equiradio.layers import PlainConvolution
from equiradio.layers.convolution import SteerableConvolution
from equiradio.layers.forms import EmptySky, native
from equiradio.layers.forms.native import library, ordinary, panels
from equiradio.layers.forms.native.kernels import Kernels
from equiradio.layers.normalisation import FieldBatchNorm
from equiradio.symmetry import BUILT, parse_group

ROUNDING = 2.0**-9  # of one number; a product has two

by_group = pytest.mark.parametrize("name", BUILT)


@pytest.fixture(autouse=True, params=["avx512bf16", "amx"])
def kernels(monkeypatch, request):
    if request.param not in library.variants_here():
        pytest.skip(f"this processor, or this build, has no kernels {request.param}")
    monkeypatch.setattr(library, "best", lambda: request.param)


def in_bf16():
    return torch.autocast("cpu", torch.bfloat16)


def a_layer(name="D4", fields_in=6, fields_out=16) -> SteerableConvolution:
    torch.manual_seed(1)
    layer = SteerableConvolution(fields_in, fields_out, parse_group(name))
    layer.take("native", "bf16")
    return layer


def some_fields(layer, height=13, width=17, batch=2) -> torch.Tensor:
    torch.manual_seed(2)
    return torch.randn(batch, layer.fields_in, layer.group.order, height, width, requires_grad=True)


def answer_and_gradients(layer, fields):
    with in_bf16():
        answer = layer(fields)
    return answer, *torch.autograd.grad(answer, (fields, layer.weight), torch.cos(answer.detach()))


def away(ours, right) -> float:
    return float((ours.double() - right).norm() / right.norm())


def errors(layer, fields) -> list[float]:
    """Of the answer and both gradients, against the dense form in float64."""
    exact = SteerableConvolution(layer.fields_in, layer.fields_out, layer.group).double()
    exact.load_state_dict(layer.state_dict())
    wide = fields.detach().double().requires_grad_()
    ours, dense = answer_and_gradients(layer, fields), exact(wide)
    slopes = torch.cos(ours[0].detach()).double()
    right = dense, *torch.autograd.grad(dense, (wide, exact.weight), slopes)
    return [away(one.detach(), other.detach()) for one, other in zip(ours, right, strict=True)]


@by_group
@pytest.mark.parametrize("sides", [(6, 16), (3, 5), (17, 33)], ids=str)
def test_answers_and_gradients_are_those_of_the_dense_form_but_for_rounding(name, sides):
    layer = a_layer(name, *sides)
    for error in errors(layer, some_fields(layer)):
        assert ROUNDING / 4 < error < 2 * ROUNDING  # some rounding there is: else it is not bf16 that was multiplied


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (4, 2), (40, 75)], ids=str)
def test_images_of_any_size(size):
    layer = a_layer("C4", 3, 4)
    assert max(errors(layer, some_fields(layer, *size, batch=1))) < 4 * ROUNDING  # of few numbers errors do not average out


def test_the_law_catches_pairs_that_do_not_go_together(monkeypatch):
    monkeypatch.setattr(panels, "side_by_side", lambda panel, together: panel)
    layer = a_layer()
    assert min(errors(layer, some_fields(layer))[:2]) > 10 * ROUNDING


def test_the_fields_are_float32_and_outside_of_bf16_nothing_is_rounded():
    layer = a_layer("C8", 6, 16).eval()
    fields = some_fields(layer).detach()
    with torch.no_grad():
        plain = layer(fields)
        with in_bf16():
            rounded = layer(fields)
        again = layer(fields)
    assert rounded.dtype == torch.float32
    assert 0 < away(rounded, plain.double()) < 2 * ROUNDING
    assert torch.equal(plain, again)


@torch.no_grad()
def test_an_image_alone_answers_as_in_company_bit_for_bit():
    layer = a_layer("C8", 15, 16).eval()
    fields = some_fields(layer, 40, 33, batch=5).detach()
    with in_bf16():
        together = layer(fields)
        for number in range(5):
            assert torch.equal(layer(fields[number : number + 1]), together[number : number + 1])


def test_threads_change_no_bit_of_answer_and_gradients():
    layer, threads = a_layer("D4", 6, 7), torch.get_num_threads()
    fields, every = some_fields(layer, 30, 30, batch=5), []
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            every.append(answer_and_gradients(layer, fields))
    finally:
        torch.set_num_threads(threads)
    for one, other in zip(every[0] * 2, every[1] + every[2], strict=True):
        assert torch.equal(one, other)


@by_group
@torch.no_grad()
def test_leaving_out_empty_sky_changes_no_bit(name):
    layer = a_layer(name, 6, 5).eval()
    torch.manual_seed(3)
    empty = torch.randn(1, 41, 37, layer.group.order, layer.fields_in)
    images = empty.repeat(2, 1, 1, 1, 1)
    images[0, 0, 0] += 1
    images[1, 20, 30] += 1
    fields = images.permute(0, 4, 3, 1, 2)
    with in_bf16():
        everywhere = layer(fields)
        layer.empty_sky = EmptySky(empty)
        assert torch.equal(layer(fields), everywhere)


@pytest.mark.parametrize("sides", [(6, 16), (17, 33)], ids=str)
@pytest.mark.parametrize("pixels", [1, 16, 17, 33, 97], ids=str)
def test_what_lies_in_memory_of_an_earlier_image_changes_no_bit(sides, pixels):
    layer = a_layer("C4", *sides)
    fields = some_fields(layer, 1, pixels)
    first = answer_and_gradients(layer, fields)
    other = a_layer("D8", 40, 48)
    answer_and_gradients(other, torch.full_like(some_fields(other, 20, 20), torch.nan, requires_grad=True))
    for one, again in zip(first, answer_and_gradients(layer, fields), strict=True):
        assert torch.equal(one, again)


@pytest.mark.parametrize("size", [(1, 7), (12, 14)], ids=str)
def test_ordinary_convolutions_too(size):
    torch.manual_seed(1)
    layer, fields = PlainConvolution(5, 19), torch.randn(3, 5, 1, *size, requires_grad=True)
    with in_bf16():
        ours = layer.learn(fields, FieldBatchNorm(19), torch.ones(3, *size, dtype=torch.bool))
    wide = F.conv2d(fields.double()[:, :, 0], layer.weight.double(), layer.bias.double(), padding=2)
    exact = FieldBatchNorm(19).double()(F.relu(wide)[:, :, None])
    slopes, given = torch.cos(ours.detach()), (fields, layer.weight, layer.bias)
    assert away(ours.detach(), exact.detach()) < 4 * ROUNDING
    for one, other in zip(torch.autograd.grad(ours, given, slopes), torch.autograd.grad(exact, given, slopes.double()), strict=True):
        assert away(one, other) < 16 * ROUNDING  # a number that is rounded to the other side of a ReLU changes more


@pytest.mark.parametrize("sides", [(1, 6), (5, 19), (16, 33)], ids=str)
@pytest.mark.parametrize("size", [(1, 1), (4, 2), (13, 17), (40, 75)], ids=str)
@torch.no_grad()
def test_answers_of_ordinary_convolutions_are_torchs_but_for_rounding(sides, size):
    torch.manual_seed(1)
    layer, fields = PlainConvolution(*sides).eval(), torch.randn(3, sides[0], 1, *size)
    with in_bf16():
        answer = layer(fields)
        for number in range(3):
            assert torch.equal(layer(fields[number : number + 1]), answer[number : number + 1])
    right = F.conv2d(fields.double()[:, :, 0], layer.weight.double(), layer.bias.double(), padding=2)
    assert answer.dtype == torch.float32  # so it is the compiled form that answered
    assert away(answer[:, :, 0], right) < 2 * ROUNDING


@torch.no_grad()
def test_leaving_out_empty_sky_changes_no_bit_of_them():
    torch.manual_seed(1)
    layer, empty = PlainConvolution(6, 5).eval(), torch.randn(1, 41, 37, 1, 6)
    images = empty.repeat(3, 1, 1, 1, 1)
    images[0, 0, 0] += 1
    images[1, 20, 30] += 1
    images[2] += torch.rand(41, 37, 1, 1) < 0.01
    fields = images.permute(0, 4, 3, 1, 2)
    with in_bf16():
        everywhere = layer(fields)
        layer.empty_sky = EmptySky(empty)
        assert torch.equal(layer(fields), everywhere)


@pytest.mark.parametrize("asked", [0.02, 0.5])
def test_pixels_that_are_not_asked_for_are_0(asked):
    torch.manual_seed(1)
    weight, images, active = torch.randn(7, 6, 5, 5), torch.randn(2, 41, 37, 1, 6), torch.rand(2, 41, 37) < asked
    kernels = Kernels(ordinary.windows_of(weight, torch.bfloat16), images, torch.bfloat16)
    packed = ordinary.prepare(weight, torch.randn(7), torch.bfloat16)
    everywhere = kernels.convolve(images, packed)
    assert torch.equal(kernels.convolve_at(images, packed, active, zeros=True), everywhere * active[..., None, None])


def test_rows_of_tiles_are_filled_up_and_share_no_place_in_the_cache():
    tiles, rows = panels.Product(16, 2, 16), panels.Product(16, 2)
    assert [tiles.whole(depth) for depth in (2, 32, 34)] == [32, 32, 64]
    assert [tiles.apart(depth) for depth in (2, 34, 96, 98)] == [32, 96, 96, 160]
    assert [rows.whole(depth) for depth in (2, 34)] == [rows.apart(depth) for depth in (2, 34)] == [2, 34]


def test_without_such_kernels_the_form_takes_no_bf16(monkeypatch):
    shape = a_layer().shape
    assert native.FORM.possible(shape, "cpu", "bf16")
    monkeypatch.setattr(library, "best", lambda: "avx512")
    assert not native.FORM.possible(shape, "cpu", "bf16")
    assert native.FORM.possible(shape, "cpu", "float32")
