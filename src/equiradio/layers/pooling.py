"""Pooling of regular fields over pixels and over the group."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equiradio.layers.fields import to_channels, to_fields
from equiradio.layers.forms.native import passes
from equiradio.layers.lit import halved, seen


def max_pool(fields: Tensor) -> Tensor:
    """Largest of each 2x2 pixels: (..., height, width) -> half the height and width (rounded down), laid out in memory as before.

    Turns with the sky exactly where height and width are even. torch's pooling remembers places, which makes its backward pass quick and
    its forward pass slow; where no gradient is wanted rows and then columns are compared instead.
    """
    if fields.requires_grad and torch.is_grad_enabled():
        return to_fields(F.max_pool2d(to_channels(fields), 2), fields.shape[2]) if fields.dim() == 5 else F.max_pool2d(fields, 2)
    images = fields.permute(0, 3, 4, 2, 1) if fields.dim() == 5 else fields.permute(0, 2, 3, 1)
    if images.is_contiguous() and passes.possible(fields):
        pooled = torch.unflatten(passes.max_pool(images.flatten(3)), 3, images.shape[3:])
        return pooled.permute(0, 4, 3, 1, 2) if fields.dim() == 5 else pooled.permute(0, 3, 1, 2)
    height, width = (side // 2 * 2 for side in fields.shape[-2:])
    rows = torch.maximum(fields[..., 0:height:2, :width], fields[..., 1:height:2, :width])
    return torch.maximum(rows[..., 0::2], rows[..., 1::2])


class _GroupMax(torch.autograd.Function):
    """Largest over axis 3 of (batch, height, width, |G|, field); equals share the gradient, as in torch.amax but without integer copies."""

    @staticmethod
    def forward(ctx: Any, columns: Tensor) -> Tensor:
        largest = columns.amax(3)
        ctx.save_for_backward(columns, largest)
        return largest

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        columns, largest = ctx.saved_tensors
        shares = torch.eq(columns, largest.unsqueeze(3), out=torch.empty_like(columns))
        return shares.mul_((grad / shares.sum(3)).unsqueeze(3))


def group_pool(fields: Tensor) -> Tensor:
    """Largest over the group: (batch, field, |G|, height, width) -> (batch, field, height, width); channels stay put as the sky turns."""
    columns = fields.permute(0, 3, 4, 2, 1)  # contiguous where channels are last: the pooled map then is channels-last too
    if fields.shape[2] == 1:
        largest = columns.squeeze(3)
    else:
        learns = passes.learns(columns)
        if columns.is_contiguous() and passes.fits(fields):
            largest = passes.learning_group_pool(columns) if learns else passes.group_pool(columns)
        else:
            largest = _GroupMax.apply(columns) if learns else columns.amax(3)  # type: ignore[no-untyped-call]
    return largest.permute(0, 3, 1, 2)


def both_pools(fields: Tensor) -> tuple[Tensor, Tensor]:
    """`group_pool` and `max_pool` of the same fields (batch, field, |G|, height, width); their gradients come back in one pass."""
    columns = fields.permute(0, 3, 4, 2, 1)
    if fields.shape[2] > 1 and passes.learns(fields) and columns.is_contiguous() and passes.fits(fields):
        largest, halved = passes.learning_pools(columns)
        return largest.permute(0, 3, 1, 2), halved.permute(0, 4, 3, 1, 2)
    return group_pool(fields), max_pool(fields)


class AntialiasedPool(nn.Module):
    """Blur with a Gaussian, then keep every second pixel; samples lie symmetrically, so that quarter turns stay exact at any side.

    forward(fields (batch, field, |G|, n, n) or channels (batch, c, n, n)) -> side ceil(n / 2). The kernel has 6 pixels for an even side,
    else 5. ``sigma`` in pixels.
    Source: Zhang 2019; used by Scaife & Porter 2021 with sigma 0.66.
    """

    def __init__(self, sigma: float = 0.66) -> None:
        super().__init__()
        self.sigma = sigma

    def forward(self, fields: Tensor) -> Tensor:
        channels = to_channels(fields) if fields.dim() == 5 else fields
        size = 5 + (channels.shape[-1] % 2 == 0)
        offsets = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
        profile = torch.exp(-(offsets**2) / (2 * self.sigma**2))
        kernel = torch.outer(profile, profile) / profile.sum() ** 2
        count = channels.shape[1]
        bank = kernel.to(channels).expand(count, 1, size, size)
        pooled = F.conv2d(channels, bank, stride=2, padding=2, groups=count)
        return to_fields(pooled, fields.shape[2]) if fields.dim() == 5 else pooled

    def lit(self, lit: Tensor) -> Tensor:
        """Pixels (batch, height, width) of the answer that see one of these; the kernel reaches two beyond the pair in the middle."""
        return halved(seen(lit, 5), *map(self.pooled_side, lit.shape[1:]))

    def pooled_side(self, side: int) -> int:
        """Side of the output for a square input of ``side`` pixels."""
        return math.ceil(side / 2)
