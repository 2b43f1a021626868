"""Checks that anybody can run on a layer of their own."""

from collections.abc import Callable

import torch
from torch import Tensor

from equiradio.symmetry.groups import Group


@torch.no_grad()
def equivariance_error(layer: Callable[[Tensor], Tensor], group: Group, fields: Tensor, *, lifts: bool = False) -> float:
    """Largest relative error |layer(g x) - g layer(x)| / |layer(x)| over the elements that map the pixel grid onto itself.

    Parameters
    ----------
    layer : from fields (batch, field, |G|, n, n), or from images (batch, channel, n, n) if ``lifts``, to fields.
    group : the group that acts on both.
    fields : an input, float64 for an error near 1e-15.
    """
    plain, errors = layer(fields), []
    for element in group.grid_elements:
        moved = group.act(fields, element) if lifts else group.act_on_field(fields, element)
        errors.append((layer(moved) - group.act_on_field(plain, element)).norm() / plain.norm())
    return float(torch.stack(errors).max())  # not Python's max, which loses what is not a number


def assert_equivariant(
    layer: Callable[[Tensor], Tensor], group: Group, fields: Tensor, *, lifts: bool = False, tolerance: float = 1e-9
) -> None:
    """Raise AssertionError unless `equivariance_error` stays within ``tolerance``."""
    error = equivariance_error(layer, group, fields, lifts=lifts)
    if not error <= tolerance:
        raise AssertionError(f"the layer is not equivariant under {group.name}: relative error {error:.1e}, tolerance {tolerance:.1e}")
