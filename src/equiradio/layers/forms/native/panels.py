"""Weights in the order in which the product multiplies by them: panels of two vectors' columns, those multiplied together side by side."""

from collections.abc import Iterable

import torch
from torch import Tensor

WIDE = 2  # vectors of columns in a panel


def packed(blocks: Iterable[Tensor], lanes: int, together: int) -> Tensor:
    """Blocks (depth, columns) -> all their panels one behind the other, of (depth / together, columns, together)."""
    panels = [panel for block in blocks for panel in block.split(WIDE * lanes, 1)]
    return torch.cat([side_by_side(panel, together).flatten() for panel in panels])


def in_order(gradient: Tensor, sizes: Iterable[tuple[int, int]], lanes: int, together: int) -> Tensor:
    """A gradient as the kernels add it up, in panels (depth, columns), in the order of `packed`; ``sizes`` are those of the blocks."""
    if together == 1:
        return gradient
    panels, at = [], 0
    for depth, columns in sizes:
        for first in range(0, columns, WIDE * lanes):
            size = depth * min(WIDE * lanes, columns - first)
            panels.append(side_by_side(gradient[at : at + size].view(depth, -1), together).flatten())
            at += size
    return torch.cat(panels)


def side_by_side(panel: Tensor, together: int) -> Tensor:
    """(depth, columns) -> (depth / together, columns, together)."""
    depth, columns = panel.shape
    return panel.reshape(depth // together, together, columns).transpose(1, 2)
