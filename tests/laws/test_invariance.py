"""The main law: turn or mirror the sky, and the whole network gives the same logits and moves its maps along."""

import pytest
import torch
from torch import Tensor, nn
from whole_networks import SMALL, check_same, distance, full, narrow, some_images

from equiradio.symmetry import BUILT, Cyclic, Dihedral, Group, parse_group

EXACT = {"logits": 1e-9, "maps": 1e-9}
SINGLE = {"logits": 1e-4, "maps": 1e-3}  # float32


def generators(group: Group) -> list[int]:
    """The quarter turn (or the half turn) and the mirror, as far as the group has them; all others are their products."""
    turns = [element for element in group.grid_elements if 0 < element < group.rotations][:1]
    return turns + ([group.rotations] if group.mirrored else [])


@torch.no_grad()
def check_invariance(net: nn.Module, group: Group, images: Tensor, *, logits: float, maps: float) -> None:
    before = net(images)
    for element in generators(group):
        moved = before._replace(attention=[group.act(alpha, element) for alpha in before.attention])
        check_same(net(group.act(images, element)), moved, logits, maps)


@pytest.mark.parametrize("name", ["C4", "D4", "C8"])
def test_full_networks_are_exact_in_float64(name):
    check_invariance(full(f"{name.lower()}-attention"), parse_group(name), some_images(150), **EXACT)


@pytest.mark.parametrize("name", ["D8", "C16"])
def test_large_networks_are_exact_in_float64(name):
    """At full width; 72 pixels (36, 18, 9) instead of 152 (76, 38, 19) keep it short."""
    check_invariance(full(f"{name.lower()}-attention", side=72), parse_group(name), some_images(70), **EXACT)


@pytest.mark.parametrize("name", ["C4", "D4"])
def test_full_networks_hold_to_rounding_in_float32(name):
    images = some_images(150, dtype=torch.float32)
    check_invariance(full(f"{name.lower()}-attention", torch.float32), parse_group(name), images, **SINGLE)


@pytest.mark.parametrize("name", [name for name in BUILT if name != "C1"])
def test_every_group_is_exact_under_its_own_grid_elements(name):
    group = parse_group(name)
    assert len(generators(group)) == (group.rotations > 1) + group.mirrored
    check_invariance(narrow(group), group, some_images(150), **EXACT)


@pytest.mark.parametrize("group", [Dihedral(3), Cyclic(6), Dihedral(12)], ids=lambda group: group.name)
def test_so_are_groups_that_have_no_name_here(group):
    check_invariance(narrow(group, **SMALL), group, some_images(38), **EXACT)


@pytest.mark.parametrize("gates", [0, 1, 2, 3])
@pytest.mark.parametrize("aggregation", ["fine-tuned", "mean", "concat", "deep-supervision"])
def test_every_number_of_gates_and_aggregation_is_exact(gates, aggregation):
    net = narrow(Dihedral(4), gates=gates, aggregation=aggregation, **SMALL)
    check_invariance(net, Dihedral(4), some_images(38), **EXACT)


@pytest.mark.parametrize("normalisation", ["range", "sigmoid", "softmax", "std-mean", "tanh", "anchored", "batch-range"])
@pytest.mark.parametrize("pooling", ["sum", "mean"])
def test_every_normalisation_and_pooling_is_exact(normalisation, pooling):
    net = narrow(Dihedral(4), normalisation=normalisation, pooling=pooling, **SMALL)
    check_invariance(net, Dihedral(4), some_images(38), **EXACT)


@pytest.mark.parametrize("size", [3, 5, 7, 9])
def test_every_kernel_size_is_exact(size):
    check_invariance(narrow(Dihedral(8), kernel_size=size, **SMALL), Dihedral(8), some_images(38), **EXACT)


@pytest.mark.parametrize("side", [40, 38])
def test_antialiased_pooling_is_exact_at_odd_sides_too(side):
    """38 -> 19 -> 10 -> 5 pixels."""
    net = narrow(Dihedral(8), downsampling="antialiased", side=side)
    check_invariance(net, Dihedral(8), some_images(38), **EXACT)


def test_the_law_catches_floor_pooling():
    """150 -> 75 -> 37 -> 18, the published code's habit: even quarter turns move the logits by percents."""
    with pytest.raises(AssertionError):
        check_invariance(narrow(Cyclic(4), side=150), Cyclic(4), some_images(150), logits=1e-2, maps=1e-2)


def test_the_law_catches_a_plain_network():
    with pytest.raises(AssertionError):
        check_invariance(narrow(None, **SMALL), Cyclic(4), some_images(38), logits=1e-2, maps=1e-2)


def test_the_law_catches_a_mirror_that_the_group_lacks():
    with pytest.raises(AssertionError):
        check_invariance(narrow(Cyclic(4), **SMALL), Dihedral(4), some_images(38), logits=1e-2, maps=1e-2)


def test_the_answer_is_not_the_same_for_every_image():
    """Else invariance would be cheap."""
    with torch.no_grad():
        answer = narrow(Dihedral(4), **SMALL)(some_images(38, count=2))
    assert distance(*answer.logits) > 1e-3
    for alpha in answer.attention:
        assert distance(*alpha) > 1e-3
