"""The gated network: what it answers in every form that the settings allow."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.testing import assert_close

from equiradio.layers import AntialiasedPool
from equiradio.models import GatedNet, build
from equiradio.models.gated import MEAN_SCALE, Aggregation
from equiradio.settings import ModelSettings
from equiradio.symmetry import Cyclic, Group

NARROW, BLANK, C4 = (2, 3, 4, 5), -0.1, Cyclic(4)
AGGREGATIONS = ("fine-tuned", "mean", "concat", "deep-supervision")


def a_net(group: Group | None = C4, **changes) -> GatedNet:
    torch.manual_seed(0)
    return GatedNet(ModelSettings(**{"side": 40} | changes), group, BLANK, NARROW).eval()


def images(side: int = 38) -> Tensor:
    return torch.randn(2, 1, side, side, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("gates", [0, 1, 2, 3])
@pytest.mark.parametrize("aggregation", AGGREGATIONS)
@pytest.mark.parametrize("group", [None, Cyclic(4)], ids=["plain", "C4"])
def test_logits_maps_and_heads_have_their_shapes(gates, aggregation, group):
    answer = a_net(group, gates=gates, aggregation=aggregation)(images())
    assert answer.logits.shape == (2, 2)
    assert [alpha.shape for alpha in answer.attention] == [(2, 1, side, side) for side in (40, 20, 10)[3 - gates :]]
    heads = 0 if aggregation == "concat" else gates
    assert [head.shape for head in answer.heads] == [(2, 2)] * heads


def test_maps_of_a_mirabest_image_lie_on_152_76_and_38_pixels():
    assert [alpha.shape[-1] for alpha in a_net(side=152)(images(150)).attention] == [152, 76, 38]
    assert [alpha.shape[-1] for alpha in a_net(side=150)(images(150)).attention] == [150, 75, 37]  # the published code's habit


def test_one_gate_attends_to_the_deepest_of_the_three_blocks():
    assert [gate.from_features.in_channels for gate in a_net(gates=1).gates] == [NARROW[2]]
    assert [gate.from_features.in_channels for gate in a_net(gates=3).gates] == list(NARROW[:3])
    assert {gate.from_context.in_channels for gate in a_net(gates=3).gates} == {NARROW[3]}


@pytest.mark.parametrize("normalisation", ["range", "sigmoid", "softmax", "std-mean", "tanh", "anchored", "batch-range"])
def test_every_normalisation_trains(normalisation):
    net = a_net(normalisation=normalisation, pooling="mean", head_relu=False).train()
    F.cross_entropy(net(images()).logits, torch.tensor([0, 1])).backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    assert any(float(gate.to_score.weight.grad.abs().max()) > 0 for gate in net.gates)


@pytest.mark.parametrize("size", [3, 5, 7, 9])
def test_every_kernel_size_answers_at_the_same_side(size):
    for group in (None, Cyclic(4)):
        assert [alpha.shape[-1] for alpha in a_net(group, kernel_size=size)(images()).attention] == [40, 20, 10]


def test_antialiased_pooling_keeps_the_last_row_of_an_odd_side():
    net = a_net(downsampling="antialiased", side=150)
    assert [alpha.shape[-1] for alpha in net(images(150)).attention] == [150, 75, 38]


def test_antialiased_pooling_takes_the_place_of_maxima():
    net = a_net(downsampling="antialiased")
    with torch.no_grad():
        first = net.blocks[0](F.pad(images(), (1, 1, 1, 1), value=BLANK))
        expected = net.blocks[1](AntialiasedPool()(first))
        stage: list[Tensor] = []
        net.blocks[1].register_forward_hook(lambda block, given, found: stage.append(found))
        net(images())
    assert_close(stage[0], expected)


def test_padding_is_with_blank_sky():
    net = a_net()
    with torch.no_grad():
        assert_close(net(images()).logits, net(F.pad(images(), (1, 1, 1, 1), value=BLANK)).logits)
        assert not torch.allclose(net(images()).logits, net(F.pad(images(), (1, 1, 1, 1), value=3.0)).logits)


def test_the_sum_and_the_mean_over_pixels():
    features, alpha = torch.rand(2, 3, 8, 8), torch.rand(2, 1, 8, 8)
    assert_close(a_net(pooling="sum").pool(features, alpha), (features * alpha).sum((2, 3)))
    assert_close(a_net(pooling="mean").pool(features, alpha), MEAN_SCALE * (features * alpha).mean((2, 3)))


def an_aggregation(**changes) -> Aggregation:
    torch.manual_seed(0)
    return Aggregation((3, 4, 5), ModelSettings(**{"head_relu": False} | changes)).eval()


VECTORS = [torch.linspace(-1, 2, 2 * width).view(2, width) for width in (3, 4, 5)]


def test_fine_tuned_heads_are_joined_by_a_linear_layer():
    aggregate = an_aggregation()
    logits, heads = aggregate(VECTORS)
    for head, linear, vector in zip(heads, aggregate.linears, VECTORS, strict=True):
        assert_close(head, vector @ linear.weight.T + linear.bias)
    assert_close(logits, torch.cat(heads, 1) @ aggregate.top.weight.T + aggregate.top.bias)


def test_the_relu_of_the_paper_stands_behind_each_head():
    free, rectified = an_aggregation()(VECTORS)[1], an_aggregation(head_relu=True)(VECTORS)[1]
    assert any((head < 0).any() for head in free)
    for head, other in zip(free, rectified, strict=True):
        assert torch.equal(head.relu(), other)


def test_the_mean_of_the_heads_is_the_answer_with_and_without_deep_supervision():
    (mean, heads), (deep, deep_heads) = (an_aggregation(aggregation=name)(VECTORS) for name in ("mean", "deep-supervision"))
    assert torch.equal(mean, torch.stack(heads).mean(0))
    assert torch.equal(mean, deep)
    assert len(heads) == len(deep_heads) == 3
    assert all(torch.equal(*pair) for pair in zip(heads, deep_heads, strict=True))


def test_concat_is_one_linear_layer_on_all_features():
    aggregate = an_aggregation(aggregation="concat")
    assert len(aggregate.linears) == 0
    assert_close(aggregate(VECTORS)[0], torch.cat(VECTORS, 1) @ aggregate.top.weight.T + aggregate.top.bias)


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_without_gates_the_aggregation_makes_no_difference(aggregation):
    with torch.no_grad():
        assert torch.equal(a_net(gates=0, aggregation=aggregation)(images()).logits, a_net(gates=0)(images()).logits)


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_dropout_acts_in_training_only(aggregation):
    aggregate = an_aggregation(aggregation=aggregation, dropout=0.5)
    assert torch.equal(aggregate(VECTORS)[0], aggregate(VECTORS)[0])
    aggregate.train()
    assert not torch.equal(aggregate(VECTORS)[0], aggregate(VECTORS)[0])
    still = an_aggregation(aggregation=aggregation, dropout=0.0).train()
    assert torch.equal(still(VECTORS)[0], still(VECTORS)[0])


def test_state_goes_from_one_network_to_another():
    first, second = build("c4-attention").eval(), build("c4-attention").eval()
    sky = torch.randn(1, 1, 150, 150)
    with torch.no_grad():
        before = second(sky).logits
        second.load_state_dict(first.state_dict())
        assert torch.equal(second(sky).logits, first(sky).logits)
        assert not torch.equal(before, first(sky).logits)
