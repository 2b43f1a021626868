"""The public check: passes what is equivariant, refuses what is not, says by how much."""

import pytest
import torch
from layer_cases import GROUPS, as_if_trained, some_fields
from torch import nn

from equiradio.layers import assert_equivariant
from equiradio.layers.fields import to_channels, to_fields
from equiradio.layers.testing import equivariance_error
from equiradio.symmetry import Cyclic, Dihedral


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_pointwise_maps_pass_without_any_error(group):
    assert equivariance_error(torch.relu, group, some_fields(group, 5)) == 0


@pytest.mark.parametrize("group", [group for group in GROUPS if group.name not in ("C1",)], ids=lambda group: group.name)
def test_free_filters_are_refused(group):
    free = as_if_trained(nn.Conv2d(2 * group.order, group.order, 3, padding=1))
    with pytest.raises(AssertionError, match=rf"the layer is not equivariant under {group.name}: relative error .*, tolerance 1.0e-09"):
        assert_equivariant(lambda fields: to_fields(free(to_channels(fields)), group.order), group, some_fields(group, 5))


def test_the_error_is_relative_and_the_worst_of_all_elements():
    """A constant bump in one pixel of one element: known distance, whatever the scale."""
    bump = torch.zeros(1, 1, 4, 3, 3, dtype=torch.float64)
    bump[0, 0, 0, 0, 0] = 1.0
    for scale in (1.0, 100.0):
        assert equivariance_error(lambda fields, scale=scale: scale * bump, Cyclic(4), bump) == pytest.approx(2**0.5)


def test_a_layer_that_is_not_a_number_is_refused():
    with pytest.raises(AssertionError, match="relative error nan"):
        assert_equivariant(lambda fields: fields * float("nan"), Dihedral(4), some_fields(Dihedral(4), 4))


def test_the_tolerance_counts():
    nearly = lambda fields: fields + 1e-6 * torch.arange(5, dtype=torch.float64)
    assert_equivariant(nearly, Cyclic(4), some_fields(Cyclic(4), 5), tolerance=1e-3)
    with pytest.raises(AssertionError):
        assert_equivariant(nearly, Cyclic(4), some_fields(Cyclic(4), 5))
