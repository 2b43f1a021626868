"""Pixels that all images see alike are computed once in training: the same answers, the same gradients by weights."""

from typing import Any

import pytest
import torch
from torch.testing import assert_close

from equiradio.layers.convolution import SteerableConvolution
from equiradio.layers.forms import native
from equiradio.layers.forms.native import library
from equiradio.layers.lit import seen
from equiradio.symmetry import BUILT, parse_group

pytestmark = pytest.mark.skipif(library.best() is None, reason="the kernels were not compiled here")


def a_layer(name: str = "D4", dtype: torch.dtype = torch.float64) -> SteerableConvolution:
    torch.manual_seed(1)
    layer = SteerableConvolution(6, 5, parse_group(name)).to(dtype)
    layer.take("native")
    return layer


def a_sky(layer: SteerableConvolution, batch: int = 4, height: int = 31, width: int = 29) -> tuple[torch.Tensor, torch.Tensor]:
    """Fields of an empty sky that is nowhere the same, and which pixels of each image differ from it: few, and one that is lit in all."""
    torch.manual_seed(2)
    kind: Any = {"dtype": layer.weight.dtype}
    empty = torch.randn(layer.fields_in, layer.group.order, height, width, **kind)
    lit = torch.rand(batch, height, width) < 0.01
    lit[:, 7, 9] = True
    sources = torch.randn(batch, *empty.shape, **kind) * lit[:, None, None]
    return (empty + sources).contiguous(), lit


def answer_and_gradients(layer, fields, lit=None):
    """The answer; gradients by weights, and by what the fields of all images have in common where they are empty."""
    common = torch.zeros(fields.shape[1:], dtype=fields.dtype, requires_grad=True)
    own = torch.zeros_like(fields, requires_grad=True)
    inside = torch.zeros(len(fields), *fields.shape[-2:], dtype=torch.bool) if lit is None else lit
    answer = layer(
        fields + common * ~inside[:, None, None] + own * inside[:, None, None], lit=None if lit is None else seen(lit, layer.size)
    )
    weigh = torch.sin(torch.arange(answer.numel(), dtype=answer.dtype)).view(answer.shape)
    return answer, *torch.autograd.grad((answer * weigh).sum(), (layer.weight, common, own))


def in_dense_form(layer, fields, lit):
    layer.take("dense")
    answer, by_weight, _, _ = answer_and_gradients(layer, fields)
    again = answer_and_gradients(layer, fields, lit)
    layer.take("native")
    return answer, by_weight, *again[2:]


def check_same(layer, batch=4):
    fields, lit = a_sky(layer, batch)
    for ours, dense in zip(answer_and_gradients(layer, fields, lit), in_dense_form(layer, fields, lit), strict=True):
        assert_close(ours, dense, rtol=0, atol=1e-12 * float(dense.detach().abs().max()))


@pytest.mark.parametrize("name", BUILT)
def test_answers_and_gradients_are_those_of_the_dense_form(variant, name):
    check_same(a_layer(name))


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_any_number_of_images(batch):
    check_same(a_layer("C4"), batch)


def test_the_law_catches_gradients_that_are_dropped(monkeypatch):
    monkeypatch.setattr(native._Shared, "fill_back", lambda shared, grad: grad * shared.active[..., None, None])
    with pytest.raises(AssertionError):
        check_same(a_layer())


def test_the_law_catches_a_gradient_that_reaches_no_further_than_its_pixel(monkeypatch):
    monkeypatch.setattr(native, "seen", lambda active, size: active)
    with pytest.raises(AssertionError):
        check_same(a_layer())


def test_the_law_catches_pixels_that_stay_empty(monkeypatch):
    monkeypatch.setattr(native._Shared, "fill", lambda shared, fields: fields)
    with pytest.raises(AssertionError):
        check_same(a_layer())


def test_an_empty_pixel_is_computed_in_the_first_image_that_shows_it():
    lit = torch.zeros(3, 8, 8, dtype=torch.bool)
    lit[0, 2, 3] = lit[:, 5, 5] = lit[2, 0, 0] = True
    shared = native._shared(lit)
    assert shared is not None
    assert shared.active.sum((1, 2)).tolist() == [64, 2, 2]
    assert shared.active[1].nonzero().tolist() == [[2, 3], [5, 5]]
    assert shared.active[2].nonzero().tolist() == [[0, 0], [5, 5]]
    assert shared.instead.nonzero().tolist() == [[2, 3]]


def test_where_little_would_be_saved_all_is_computed():
    assert native._shared(torch.zeros(1, 8, 8, dtype=torch.bool)) is None
    assert native._shared(torch.ones(4, 8, 8, dtype=torch.bool)) is None


def test_only_pixels_that_differ_are_computed(monkeypatch):
    """What is not filled in shows what was not computed."""
    monkeypatch.setattr(native._Shared, "fill", lambda shared, fields: fields)
    layer = a_layer("C4")
    fields, lit = a_sky(layer)
    wide = seen(lit, layer.size)
    computed = layer(fields, lit=wide)[:, 0, 0] != 0
    assert computed.sum() == wide.sum() + (~wide).any(0).sum()


def test_threads_change_no_bit():
    layer, threads, every = a_layer("C4", torch.float32), torch.get_num_threads(), []
    fields, lit = a_sky(layer, batch=5)
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            every.append(answer_and_gradients(layer, fields, lit))
    finally:
        torch.set_num_threads(threads)
    for one, other in zip(every[0] * 2, every[1] + every[2], strict=True):
        assert torch.equal(one, other)


def test_forms_that_compute_everything_pay_no_heed():
    layer = a_layer("C4")
    fields, lit = a_sky(layer)
    layer.take("winograd")
    assert torch.equal(layer(fields, lit=seen(lit, layer.size)), layer(fields))
