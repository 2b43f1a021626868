"""Pixels that all images see alike are computed once in training: the same answers, the same gradients by weights."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from equiradio.layers.convolution import LiftingConvolution, SteerableConvolution
from equiradio.layers.forms.native import learning, library
from equiradio.layers.lit import seen
from equiradio.layers.normalisation import FieldBatchNorm
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


def a_norm(layer: SteerableConvolution) -> FieldBatchNorm:
    norm = FieldBatchNorm(layer.fields_out).to(layer.weight.dtype)
    torch.nn.init.uniform_(norm.weight, 0.5, 1.5)
    torch.nn.init.uniform_(norm.bias)
    return norm


def answer_and_gradients(layer, fields, lit=None, marked=None):
    """norm(relu(layer)), its gradients by weights and by what all images have in common where they are empty, and what the norm remembers.

    ``marked`` : the pixels of the fields that differ from empty sky; ``lit`` : those of the answer, for a layer that leaves out the others.
    """
    torch.manual_seed(3)
    norm = a_norm(layer)
    common = torch.zeros(fields.shape[1:], dtype=fields.dtype, requires_grad=True)
    own = torch.zeros_like(fields, requires_grad=True)
    given = fields + common * ~marked[:, None, None] + own * marked[:, None, None]
    answer = norm(F.relu(layer(given))) if lit is None else layer.learn(given, norm, lit)
    weigh = torch.sin(torch.arange(answer.numel(), dtype=answer.dtype)).view(answer.shape)
    by = (layer.weight, norm.weight, norm.bias, common, own)
    return answer, *torch.autograd.grad((answer * weigh).sum(), by), norm.running_mean, norm.running_var, norm.num_batches_tracked


def in_dense_form(layer, fields, lit):
    layer.take("dense")
    every = answer_and_gradients(layer, fields, marked=lit)
    layer.take("native")
    return every


def check_same(layer, batch=4):
    fields, lit = a_sky(layer, batch)
    ours = answer_and_gradients(layer, fields, seen(lit, layer.size), lit)
    for one, dense in zip(ours, in_dense_form(layer, fields, lit), strict=True):
        assert_close(one, dense, rtol=0, atol=1e-12 * float(dense.detach().abs().max()))


@pytest.mark.parametrize("name", BUILT)
def test_answers_and_gradients_are_those_of_the_dense_form(variant, name):
    check_same(a_layer(name))


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_any_number_of_images(batch):
    check_same(a_layer("C4"), batch)


@pytest.mark.parametrize("order", [(0, 2, 1), (1, 2, 0), (2, 1, 0)], ids=str)
def test_lit_pixels_may_lie_in_memory_in_any_order(order):
    """As they do of images that were turned by an exchange of their axes."""
    layer = a_layer("C4")
    fields, lit = a_sky(layer)
    back = [order.index(axis) for axis in range(3)]
    elsewhere = lit.permute(order).contiguous().permute(back)
    assert not elsewhere.is_contiguous()
    usual, other = (answer_and_gradients(layer, fields, seen(each, layer.size), lit) for each in (lit, elsewhere))
    for one, another in zip(usual, other, strict=True):
        assert torch.equal(one, another)


def mutated(monkeypatch, name: str, change) -> None:
    """One of the kernels that go over the active pixels does something else, or more."""
    usual = learning._Passes.run

    def run(passes, kernel, *given, **options):
        return change(usual, passes, kernel, *given, **options) if kernel == name else usual(passes, kernel, *given, **options)

    monkeypatch.setattr(learning._Passes, "run", run)


def test_the_law_catches_gradients_that_are_dropped(monkeypatch):
    def dropped(usual, passes, kernel, grad, *rest, **options):
        return usual(passes, kernel, grad * passes.pixels.active[..., None, None], *rest, **options)

    mutated(monkeypatch, "folded", dropped)
    with pytest.raises(AssertionError):
        check_same(a_layer())


@pytest.mark.parametrize("kernel", ["moments", "unscaled"])
def test_the_law_catches_a_pixel_that_stands_for_itself_alone(monkeypatch, kernel):
    def alone(usual, passes, *given, **options):
        pixels = passes.pixels._replace(stands=passes.pixels.active.int())
        return usual(learning._Passes(pixels, passes.fields), *given, **options)

    mutated(monkeypatch, kernel, alone)
    with pytest.raises(AssertionError):
        check_same(a_layer())


def test_the_law_catches_a_gradient_that_reaches_no_further_than_its_pixel(monkeypatch):
    monkeypatch.setattr(learning, "seen", lambda active, size: active)
    with pytest.raises(AssertionError):
        check_same(a_layer())


def test_an_empty_pixel_is_computed_in_the_first_image_that_shows_it():
    lit = torch.zeros(3, 8, 8, dtype=torch.bool)
    lit[0, 2, 3] = lit[:, 5, 5] = lit[2, 0, 0] = True
    shared = learning.shared(lit)
    assert shared.active.sum((1, 2)).tolist() == [64, 2, 2]
    assert shared.active[1].nonzero().tolist() == [[2, 3], [5, 5]]
    assert shared.active[2].nonzero().tolist() == [[0, 0], [5, 5]]
    assert shared.instead.nonzero().tolist() == [[2, 3]]
    assert shared.stands[:, 5, 5].tolist() == [1, 1, 1]
    assert shared.stands[:, 2, 3].tolist() == [1, 2, 0]
    assert shared.stands[:, 0, 0].tolist() == [2, 0, 1]
    assert shared.stands.sum() == lit.numel()


@pytest.mark.parametrize("lit", [torch.zeros(1, 8, 8, dtype=torch.bool), torch.ones(4, 8, 8, dtype=torch.bool)], ids=["alone", "full"])
def test_where_little_would_be_saved_all_is_computed(lit):
    shared = learning.shared(lit)
    assert shared.active.all()
    assert (shared.stands == 1).all()


def test_only_pixels_that_differ_are_computed(monkeypatch):
    computed = []
    usual = learning.Steerable.convolve
    monkeypatch.setattr(
        learning.Steerable, "convolve", lambda way, images, packed, active: computed.append(active) or usual(way, images, packed, active)
    )
    layer = a_layer("C4")
    fields, lit = a_sky(layer)
    wide = seen(lit, layer.size)
    layer.learn(fields, a_norm(layer), wide)
    assert computed[0].sum() == wide.sum() + (~wide).any(0).sum()


def test_threads_change_no_bit():
    layer, threads, every = a_layer("C4", torch.float32), torch.get_num_threads(), []
    fields, lit = a_sky(layer, batch=5)
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            every.append(answer_and_gradients(layer, fields, seen(lit, layer.size), lit))
    finally:
        torch.set_num_threads(threads)
    for one, other in zip(every[0] * 2, every[1] + every[2], strict=True):
        assert torch.equal(one, other)


def test_forms_that_compute_everything_pay_no_heed():
    layer = a_layer("C4")
    fields, lit = a_sky(layer)
    layer.take("winograd")
    norm = FieldBatchNorm(layer.fields_out).double()
    assert torch.equal(layer.learn(fields, norm, lit), layer.learn(fields, norm, ~lit))


@pytest.mark.parametrize("group", ["C1", "C4", "D4"])
def test_the_lifting_layer_learns_alike(variant, group):
    torch.manual_seed(1)
    layer = LiftingConvolution(1, 6, parse_group(group)).double()
    lit = torch.rand(5, 30, 26) < 0.02
    images, wide = torch.randn(5, 1, 30, 26, dtype=torch.float64) * lit[:, None] - 0.1, seen(lit, 5)

    def step(learns):
        torch.manual_seed(3)
        norm = a_norm(layer)
        answer = layer.learn(images, norm, wide) if learns else norm(F.relu(layer(images)))
        weigh = torch.sin(torch.arange(answer.numel(), dtype=answer.dtype)).view(answer.shape)
        return answer, *torch.autograd.grad((answer * weigh).sum(), (layer.weight, norm.weight, norm.bias)), norm.running_var

    for ours, usual in zip(step(True), step(False), strict=True):
        assert_close(ours, usual, rtol=0, atol=1e-12 * float(usual.detach().abs().max()))
