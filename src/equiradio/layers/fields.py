"""How regular fields (batch, field, |G|, height, width) lie in memory: element-major, channels last, ordinary channels without a copy."""

import torch
from torch import Tensor

from equiradio.errors import SettingRefusal


def to_channels(fields: Tensor) -> Tensor:
    """(batch, field, |G|, height, width) -> (batch, |G| * field, height, width): element-major, a view if memory is channels-last."""
    return fields.transpose(1, 2).flatten(1, 2)


def to_fields(channels: Tensor, order: int) -> Tensor:
    """Inverse of `to_channels`."""
    return torch.unflatten(channels, 1, (order, -1)).transpose(1, 2)


def fitting(fields: Tensor, weight: Tensor) -> Tensor:
    """The fields themselves, if numbers of the weights' type can hold theirs.

    Raises
    ------
    SettingRefusal : they are float64 and the weights are not, or no floating-point numbers.
    """
    if not fields.is_floating_point() or fields.dtype == torch.float64 != weight.dtype:
        given, ours = (str(each.dtype).removeprefix("torch.") for each in (fields, weight))
        do = f"Bring one to the other: `fields.to({weight.dtype})`, or `layer.double()` for sums in double precision."
        raise SettingRefusal("fields", f"{given} for a layer with weights of {ours}", f"fields of {ours}", do)
    return fields
