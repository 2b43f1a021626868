"""How regular fields (batch, field, |G|, height, width) lie in memory: element-major, channels last, ordinary channels without a copy."""

import torch
from torch import Tensor


def to_channels(fields: Tensor) -> Tensor:
    """(batch, field, |G|, height, width) -> (batch, |G| * field, height, width): element-major, a view if memory is channels-last."""
    return fields.transpose(1, 2).flatten(1, 2)


def to_fields(channels: Tensor, order: int) -> Tensor:
    """Inverse of `to_channels`."""
    return torch.unflatten(channels, 1, (order, -1)).transpose(1, 2)
