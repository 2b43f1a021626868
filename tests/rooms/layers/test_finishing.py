"""A layer that ends with ReLU and batch norm itself answers as the three do, whatever becomes of the batch norm."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close

from equiradio.layers import finishing
from equiradio.layers.convolution import LiftingConvolution, SteerableConvolution
from equiradio.layers.finishing import activated
from equiradio.layers.forms import EmptySky
from equiradio.layers.forms.native import library
from equiradio.layers.normalisation import FieldBatchNorm
from equiradio.symmetry import parse_group

pytestmark = pytest.mark.skipif(library.best() is None, reason="the kernels were not compiled here")

kinds = pytest.mark.parametrize("kind", ["lifting", "steerable"])


def a_pair(kind: str, group: str = "D4", fields: int = 18, dtype: torch.dtype = torch.float64) -> tuple[nn.Module, FieldBatchNorm]:
    """A convolution and its batch norm, in evaluation, with statistics and scales of both signs."""
    torch.manual_seed(1)
    made = LiftingConvolution if kind == "lifting" else SteerableConvolution
    convolution, norm = made(3, fields, parse_group(group)).to(dtype).eval(), FieldBatchNorm(fields).to(dtype).eval()
    if kind == "steerable":
        convolution.take("native")
    for value in (norm.weight, norm.bias, norm.running_mean):
        nn.init.normal_(value)
    nn.init.uniform_(norm.running_var, 0.5, 2)
    return convolution, norm


def some_fields(convolution: nn.Module, batch: int = 2) -> torch.Tensor:
    torch.manual_seed(2)
    axes = () if isinstance(convolution, LiftingConvolution) else (convolution.group.order,)
    return torch.randn(batch, 3, *axes, 23, 30, dtype=convolution.weight.dtype)


def one_by_one(convolution, norm, fields):
    return norm(F.relu(convolution(fields)))


@kinds
@pytest.mark.parametrize("group", ["C1", "C4", "C8", "D1", "D4"])
@torch.no_grad()
def test_the_answer_is_that_of_the_three(variant, kind, group):
    for fields in (5, 18):
        convolution, norm = a_pair(kind, group, fields)
        given = some_fields(convolution)
        assert_close(activated(convolution, norm, given), one_by_one(convolution, norm, given), rtol=0, atol=1e-12)


@torch.no_grad()
def test_a_layer_that_cannot_finish_answers_the_same_when_asked():
    convolution, norm = a_pair("steerable")
    given = some_fields(convolution)
    convolution.take("dense")
    assert not convolution.finishes
    assert_close(convolution(given, norm.finish()), one_by_one(convolution, norm, given), rtol=0, atol=1e-12)


@torch.no_grad()
def check_changes(kind):
    """Over an empty sky, and with every way in which a batch norm or a weight changes afterwards: the bits of a layer that saw none."""
    convolution, norm = a_pair(kind, dtype=torch.float32)
    sky = some_fields(convolution, batch=1)
    images = sky.repeat(3, *[1] * (sky.dim() - 1))
    images[0, ..., 0, 0] += 1
    images[1, ..., 22, 11] += 1
    axes = (0, 2, 3, 1) if kind == "lifting" else (0, 3, 4, 2, 1)

    def check():
        convolution.empty_sky = None
        everywhere = activated(convolution, norm, images)
        convolution.empty_sky = remembered
        assert torch.equal(activated(convolution, norm, images), everywhere)

    remembered = EmptySky(sky.permute(axes).contiguous())
    check()
    norm.weight.mul_(-1)
    check()
    norm.running_mean.data += 1  # a change that torch does not count
    check()
    norm.load_state_dict({**norm.state_dict(), "running_var": norm.running_var + 1})
    check()
    convolution.load_state_dict({"weight": 2 * convolution.weight})
    check()


@kinds
def test_no_answer_to_an_empty_sky_outlives_what_it_was_made_with(variant, kind):
    check_changes(kind)


@kinds
def test_the_law_catches_an_answer_that_outlives_its_batch_norm(monkeypatch, kind):
    answers = {}

    def first_ever(sky, prepared, finish, compute):
        if sky not in answers:
            answers[sky] = compute(sky.fields)
        return answers[sky]

    monkeypatch.setattr(EmptySky, "answer", first_ever)
    with pytest.raises(AssertionError):
        check_changes(kind)


@kinds
def test_with_a_gradient_the_three_are_computed(kind):
    convolution, norm = a_pair(kind)
    given = some_fields(convolution)
    answer = activated(convolution, norm, given)
    assert torch.equal(answer, one_by_one(convolution, norm, given))
    answer.sum().backward()
    assert norm.weight.grad is not None
    assert convolution.weight.grad is not None


@kinds
@torch.no_grad()
def test_in_training_the_statistics_are_those_of_the_batch(kind):
    convolution, norm = a_pair(kind)
    norm.train()
    before = norm.running_mean.clone()
    answer = activated(convolution, norm, some_fields(convolution))
    assert not torch.equal(norm.running_mean, before)
    columns = (answer - norm.bias[:, None, None, None]).mean((0, 2, 3, 4))
    assert_close(columns, torch.zeros_like(columns), rtol=0, atol=1e-9)


@torch.no_grad()
def test_without_running_statistics_nothing_is_finished():
    norm = FieldBatchNorm(4, track_running_stats=False).eval()
    assert norm.finish() is None


@torch.no_grad()
def test_scales_without_weights_are_the_statistics():
    norm = FieldBatchNorm(3, affine=False).double().eval()
    norm.running_mean += 1
    given = torch.randn(2, 3, 4, 5, 6, dtype=torch.float64)
    scale, shift = norm.finish()[:, :, None, None, None]
    assert_close(given * scale + shift, norm(given), rtol=0, atol=1e-12)


@kinds
@torch.no_grad()
def test_who_listens_hears_what_each_module_answers(kind):
    convolution, norm = a_pair(kind)
    given, heard = some_fields(convolution), {}
    with convolution.register_forward_hook(lambda module, inputs, answer: heard.update(convolution=answer)):
        activated(convolution, norm, given)
    with norm.register_forward_hook(lambda module, inputs, answer: heard.update(norm=inputs[0])):
        activated(convolution, norm, given)
    assert float(heard["convolution"].min()) < 0
    assert torch.equal(heard["norm"], F.relu(convolution(given)))


@pytest.mark.parametrize("register", ["register_full_backward_hook", "register_full_backward_pre_hook"])
@pytest.mark.parametrize("listened", [0, 1])
def test_who_listens_to_gradients_in_training_hears_them(register, listened):
    pair, heard = [module.train() for module in a_pair("steerable")], []
    given, lit = some_fields(pair[0]).requires_grad_(), torch.rand(2, 23, 30) < 0.2
    getattr(pair[listened], register)(lambda module, *gradients: heard.append(module))
    activated(*pair, given, lit).sum().backward()
    assert heard == [pair[listened]]


@torch.no_grad()
def test_the_three_are_not_called_where_the_layer_finishes(monkeypatch):
    """Else nothing here would have been tried."""
    convolution, norm = a_pair("steerable")
    monkeypatch.setattr(finishing.F, "relu", None)
    activated(convolution, norm, some_fields(convolution))
