"""Every network answers for itself: what it decides from, what it attends to, its layers, its parts."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from equiradio.errors import SettingRefusal
from equiradio.models import Network, build
from equiradio.settings import Settings, preset

KINDS = ("lenet", "c4-lenet", "attention", "c4-attention", "d4-attention-clean")
GATED = tuple(name for name in KINDS if "attention" in name)
by_kind = pytest.mark.parametrize("name", KINDS)


def a_network(name: str, **changes) -> Network:
    torch.manual_seed(0)
    return build(name, **changes).eval()


def images(count: int = 2) -> Tensor:
    return torch.randn(count, 1, 150, 150, generator=torch.Generator().manual_seed(1))


@by_kind
@torch.no_grad()
@pytest.mark.parametrize("aggregation", ["fine-tuned", "mean", "concat", "deep-supervision"])
def test_it_decides_from_the_vectors_of_its_answer(name, aggregation):
    net = a_network(name, aggregation=aggregation)
    answer = net(images())
    logits, heads = net.decide(answer.vectors)
    assert_close(logits, answer.logits, rtol=0, atol=0)
    assert len(heads) == len(answer.heads)
    assert answer.features.shape == (2, sum(vector.shape[1] for vector in answer.vectors))


@pytest.mark.parametrize("pooling", ["mean", "sum"])
@pytest.mark.parametrize("name", GATED)
@torch.no_grad()
def test_vectors_are_weighted_sums_over_attended_pixels(name, pooling):
    net = a_network(name, pooling=pooling)
    answer = net(images())
    assert len(answer.attention) == len(answer.attended) == net.gate_count == 3
    for vector, alpha, features in zip(answer.vectors, answer.attention, answer.attended, strict=True):
        weight = net.pixel_weight(alpha[0].numel())
        assert_close(vector, weight * (alpha * features).sum((-2, -1)), rtol=1e-4, atol=1e-4 * float(vector.abs().max()))


@pytest.mark.parametrize("aggregation", ["fine-tuned", "mean", "concat", "deep-supervision"])
@torch.no_grad()
def test_readings_give_the_logits_of_linear_heads(aggregation):
    net = a_network("c4-attention", aggregation=aggregation)
    answer, readings = net(images()), net.readings()
    parts = [vector.double() @ reading.T for vector, reading in zip(answer.vectors, readings.vectors, strict=True)]
    assert_close(readings.constant + torch.stack(parts).sum(0), answer.logits.double(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("aggregation", ["fine-tuned", "mean", "concat", "deep-supervision"])
@pytest.mark.parametrize(("name", "gates"), [("lenet", 3), ("c4-attention", 0), ("c4-attention", 2), ("attention", 3)])
@torch.no_grad()
def test_it_answers_by_the_reading_that_it_is_given(name, gates, aggregation):
    net = a_network(name, gates=gates, aggregation=aggregation)
    features = net(images()).features
    weight, constant = torch.randn(2, features.shape[1]), torch.randn(2)
    net.read_by(weight, constant)
    assert_close(net(images()).logits, features @ weight.T + constant, rtol=1e-4, atol=1e-4)


def test_a_reading_is_refused_where_a_relu_stands_behind_the_heads():
    net = a_network("c4-attention", head_relu=True)
    before = [weight.clone() for weight in net.parameters()]
    with pytest.raises(SettingRefusal, match=r"model\.head_relu: true"):
        net.read_by(torch.zeros(2, net(images()).features.shape[1]), torch.zeros(2))
    assert all(torch.equal(*pair) for pair in zip(before, net.parameters(), strict=True))


@pytest.mark.parametrize(
    ("name", "changes", "found"),
    [
        ("lenet", {}, "model.gates: 0"),
        ("c4-attention", {"gates": 0}, "model.gates: 0"),
        ("c4-attention", {"head_relu": True}, "model.head_relu: true"),
    ],
)
def test_readings_are_refused_where_logits_are_no_sum_over_pixels(name, changes, found):
    with pytest.raises(SettingRefusal, match=found):
        a_network(name, **changes).readings()


@by_kind
@torch.no_grad()
def test_stages_are_what_the_forward_pass_goes_through(name):
    net = a_network(name)
    answer, stages = net(images()), net.stages(images())
    gates = [value for stage, value in stages.items() if stage.startswith("gate")]
    assert len(gates) == net.gate_count
    for ours, theirs in zip(gates, answer.attention, strict=True):
        assert_close(ours, theirs, rtol=0, atol=0)
    if net.gate_count:
        assert_close(stages["block 3, layer 3"], answer.attended[-1], rtol=0, atol=0)
    else:
        assert_close(net.decide([net.dense[:-1](stages["second"].flatten(1))])[0], answer.logits, rtol=0, atol=1e-6)


@by_kind
def test_parts_hold_all_weights_and_nothing_twice(name):
    net = a_network(name)
    owners = [[part for part in net.parts if weight.startswith(f"{part}.")] for weight in net.state_dict()]
    assert all(len(owner) == 1 for owner in owners)
    assert {owner[0] for owner in owners} == set(net.parts)
    assert all(next(net.layer(part).parameters()) is not None for part in net.parts)


@by_kind
def test_heads_are_as_many_as_there_are_classes(name):
    assert build(name, classes=4)(images()).logits.shape == (2, 4)


def test_without_a_preset_it_is_preset_fast():
    assert Settings() == preset("fast")
    assert build("c4-attention").settings == replace(preset("fast").model, name="c4-attention")
    assert build("c4-attention").settings != replace(preset("paper").model, name="c4-attention")


@by_kind
@pytest.mark.parametrize("learning", [False, True], ids=["answers", "learns"])
def test_heads_decide_in_float32_under_an_autocast(name, learning):
    net = a_network(name).train(learning)
    with torch.autocast("cpu", torch.bfloat16), torch.set_grad_enabled(learning):
        answer = net(images())
        again = net.decide([vector.float() for vector in answer.vectors])[0]
    assert answer.logits.dtype == torch.float32
    assert all(head.dtype == torch.float32 for head in answer.heads)
    if learning:
        last = list(net.get_submodule(net.last).parameters())
        grads = [grad for grad in torch.autograd.grad(answer.logits.square().sum(), last, allow_unused=True) if grad is not None]
        assert grads
        assert all(grad.dtype == torch.float32 and float(grad.norm()) > 0 for grad in grads)
    else:
        assert_close(again, answer.logits, rtol=0, atol=0)
        assert not torch.equal(answer.logits, answer.logits.bfloat16().float())
