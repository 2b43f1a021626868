"""What the tests of layers share: groups, inputs with a known seed, weights as if trained."""

import torch
from torch import Tensor, nn

from equiradio.symmetry import BUILT, Cyclic, Dihedral, Group, parse_group

GROUPS = [parse_group(name) for name in BUILT]
ODD_GROUPS = [Cyclic(3), Cyclic(6), Dihedral(3), Dihedral(5)]  # not offered by name, but the maths holds


def some_fields(group: Group, side: int, fields: int = 2, batch: int = 1, seed: int = 0) -> Tensor:
    """Noise in regular fields, float64 (batch, fields, |G|, side, side)."""
    return torch.randn(batch, fields, group.order, side, side, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def as_if_trained(layer: nn.Module, seed: int = 0) -> nn.Module:
    """The layer in float64 with random weights and, in its batch norms, random statistics."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in layer.double().state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 2, generator=generator)
        elif value.is_floating_point():
            value.copy_(torch.randn(value.shape, generator=generator, dtype=value.dtype))
    return layer
