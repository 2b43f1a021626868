"""Weights in the order in which the product multiplies by them: panels of two vectors' columns, those multiplied together side by side."""

from collections.abc import Iterable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

WIDE = 2  # vectors of columns in a panel


class Product(NamedTuple):
    """How the kernels multiply.

    Attributes
    ----------
    lanes : numbers of a vector that sums are held in.
    together : numbers that are multiplied together, a unit: two of bf16.
    step : units of the depth that are taken at a time: 16 by tiles (see tiles.h), else 1.
    """

    lanes: int
    together: int = 1
    step: int = 1

    def whole(self, depth: int) -> int:
        """Numbers of a row of the product, filled up to whole steps."""
        return depth + -depth % (self.together * self.step)

    def apart(self, depth: int) -> int:
        """Numbers from row to row of at most ``depth``: of tiles an odd number, so that their rows do not share places in the cache."""
        steps = self.whole(depth) // (self.together * self.step)
        return (steps | (self.step > 1)) * self.together * self.step


def packed(blocks: Iterable[Tensor], product: Product) -> Tensor:
    """Blocks (depth, columns) -> all their panels one behind the other, of (whole depth / together, columns, together)."""
    filled = [F.pad(block, (0, 0, 0, product.whole(len(block)) - len(block))) for block in blocks]
    panels = [panel for block in filled for panel in block.split(WIDE * product.lanes, 1)]
    return torch.cat([side_by_side(panel, product.together).flatten() for panel in panels])


def in_order(gradient: Tensor, sizes: Iterable[tuple[int, int]], product: Product) -> Tensor:
    """A gradient as the kernels add it up in the order of `packed`; ``sizes`` are those of the blocks.

    They add it up in panels (depth, columns), or in tiles (vector of columns, tile of depth, column, depth).
    """
    if product.together == 1:
        return gradient
    panels, at, wide = [], 0, WIDE * product.lanes
    for depth, columns in ((product.whole(depth), columns) for depth, columns in sizes):
        block = gradient[at : at + depth * columns]
        at += len(block)
        if product.step > 1:
            tiles = block.view(columns // product.lanes, depth // product.step, product.lanes, product.step)
            panels += tiles.permute(1, 3, 0, 2).reshape(depth, columns).split(wide, 1)
        else:
            panels += [panel.view(depth, -1) for panel in block.split(depth * wide)]
    return torch.cat([side_by_side(panel, product.together).flatten() for panel in panels])


def side_by_side(panel: Tensor, together: int) -> Tensor:
    """(depth, columns) -> (depth / together, columns, together)."""
    depth, columns = panel.shape
    return panel.reshape(depth // together, together, columns).transpose(1, 2)
