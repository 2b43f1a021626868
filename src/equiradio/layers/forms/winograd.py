"""An ordinary convolution by Winograd's minimal filtering: the same numbers to float32 rounding, by 6 times fewer multiplications at 5x5.

Tiles of 4x4 output pixels are made of 8x8 products instead of 4x4x25:

    y = A^T [(G w G^T) * (B^T x B)] A

where G, B and A evaluate and interpolate polynomials at 8 points. What is multiplied at one point, over all tiles and channels, is one
matrix product; the transforms are products of small matrices with long rows. On a CPU without fast bf16 it is the quickest form of wide
layers. Source: Winograd 1980; Lavin & Gray 2016.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equiradio.layers.fields import to_channels, to_fields
from equiradio.layers.forms.form import Form, Layer, Shape

TILE = 4  # output pixels along each side of a tile: larger ones lose digits (6: 15 times the error), smaller ones multiply more
SIZES = (3, 5)  # sides of filters; at 7 a tile needs 10 points, which cost more digits than float32 can spare
POINTS = (0, 1, -1, 2, -2, Fraction(1, 2), Fraction(-1, 2))  # and infinity
LEAST_ORDER = 8  # of a group: below, this form loses to the dense one in bf16, as it computes in float32 (docs/notebook/performance.md)
SURE_CHANNELS = 64  # from here on it wins in float32 on every machine seen
ROWS = 512  # tiles in a matrix product, if the batch has as many: fewer don't fill it, more leave the cache


@lru_cache
def _exact(taps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """B^T (n, n), G (n, taps) and A^T (4, n) with n = taps + 3 points: a product of polynomials, transposed into a correlation."""
    count = TILE + taps - 1
    points = POINTS[: count - 1]

    def evaluation(terms: int) -> np.ndarray:
        rows = [[Fraction(point) ** power for power in range(terms)] for point in points]
        return np.array([*rows, [Fraction(0)] * (terms - 1) + [Fraction(1)]])

    analysis = _inverse(evaluation(count)).T.astype(float)
    scale = np.exp2(np.round(np.log2(np.abs(analysis).max(1))))[:, None]  # powers of two, moved into the filter: rows of equal size
    return analysis / scale, evaluation(taps).astype(float) * scale, evaluation(TILE).astype(float).T


def _inverse(matrix: np.ndarray) -> np.ndarray:
    """Of a matrix of fractions, exactly."""
    count = len(matrix)
    rows = np.concatenate([matrix, np.array([[Fraction(int(i == j)) for j in range(count)] for i in range(count)])], 1)
    for column in range(count):
        pivot = column + int(np.flatnonzero(rows[column:, column])[0])
        rows[[column, pivot]] = rows[[pivot, column]]
        rows[column] = rows[column] / rows[column, column]
        for row in set(range(count)) - {column}:
            rows[row] = rows[row] - rows[row, column] * rows[column]
    return rows[:, count:]


@dataclass(frozen=True)
class _Transforms:
    """Matrices of one filter side. ``own`` and ``ahead`` are B^T's columns for a tile's own block of 4 pixels and for the next one."""

    own: Tensor
    ahead: Tensor
    spread: Tensor  # G x G: from filter pixels to products (n * n, taps * taps)
    gather: Tensor  # A^T


@lru_cache
def _transforms(taps: int, dtype: torch.dtype, device: torch.device) -> _Transforms:
    analysis, filters, synthesis = _exact(taps)
    with torch.inference_mode(False):
        matrices = (analysis[:, :TILE], analysis[:, TILE:], np.kron(filters, filters), synthesis)
        return _Transforms(*(torch.from_numpy(np.ascontiguousarray(matrix)).to(device, dtype) for matrix in matrices))


def spread_filters(filters: Tensor) -> Tensor:
    """Filters (out, in, size, size) -> what `winograd_convolution` multiplies by, (n * n, in, out) with n = size + 3."""
    count_out, count_in, size, _ = filters.shape
    pixels = filters.permute(2, 3, 1, 0).reshape(size * size, count_in * count_out)
    return (_transforms(size, filters.dtype, filters.device).spread @ pixels).view(-1, count_in, count_out)


class _Tiles:
    """How images (batch, height, width, channels) are cut: pixel 4 q + i of a padded axis belongs to block q, at place i.

    Blocks are laid out (place down, place across, block down, image, block across, channel). A tile needs its own block and the next one,
    which lies ``line`` numbers (down) or ``channels`` numbers (across) further: no pixel is copied to overlap.
    """

    def __init__(self, size: int, images: int, height: int, width: int) -> None:
        self.edge, self.points = size // 2, size + TILE - 1
        self.images, self.height, self.width = images, height, width
        self.down, self.blocks = -(-height // TILE), -(-width // TILE) + 1  # the last block across is only looked ahead at
        self.tiles = self.down * images * self.blocks

    def room(self, like: Tensor, channels: int, ahead: int) -> Tensor:
        """Blocks (4, 4, down + ahead, images, blocks, c), all zero: they stay so where there is no pixel, however often they are laid."""
        return like.new_zeros(TILE, TILE, self.down + ahead, self.images, self.blocks, channels)

    def lay(self, images: Tensor, edge: int, laid: Tensor) -> Tensor:
        """Pixels (images, height, width, c) into blocks."""
        for (there, here), (down, across) in self._places(edge):
            laid[there, here, down[0], :, across[0]] = images[:, down[1], across[1]].transpose(0, 1)
        return laid

    def lift(self, laid: Tensor, edge: int, images: Tensor) -> None:
        """Blocks into pixels."""
        for (there, here), (down, across) in self._places(edge):
            images[:, down[1], across[1]] = laid[there, here, down[0], :, across[0]].transpose(0, 1)

    def _places(self, edge: int) -> list[tuple[tuple[int, int], tuple[tuple[slice, slice], tuple[slice, slice]]]]:
        """Every place of a block, with (blocks, pixels) down and across that it stands for, ``edge`` zeros before the first pixel."""
        axes = [[_steps(place - edge, side) for place in range(TILE)] for side in (self.height, self.width)]
        return [((i, j), (axes[0][i], axes[1][j])) for i in range(TILE) for j in range(TILE)]

    def analyse_down(self, laid: Tensor, t: _Transforms) -> Tensor:
        """B^T along columns: (points, 4, down * images * blocks * c)."""
        line = self.images * self.blocks * laid.shape[5]
        flat, ahead = laid.view(TILE, TILE, -1), t.ahead.shape[1]
        answer = laid.new_empty(self.points, TILE, self.down * line)
        for place in range(TILE):
            torch.mm(t.own, flat[:, place, :-line], out=answer[:, place])
            answer[:, place].addmm_(t.ahead, flat[:ahead, place, line:])
        return answer

    def analyse_down_transposed(self, grad: Tensor, t: _Transforms, channels: int) -> Tensor:
        """Adjoint of `analyse_down`: (points, 4, -) -> blocks."""
        line = self.images * self.blocks * channels
        laid = grad.new_empty(TILE, TILE, (self.down + 1) * line)
        laid[:, :, -line:] = 0
        for place in range(TILE):
            torch.mm(t.own.T, grad[:, place], out=laid[:, place, :-line])
            laid[: t.ahead.shape[1], place, line:].addmm_(t.ahead.T, grad[:, place])
        return laid.view(TILE, TILE, self.down + 1, self.images, self.blocks, channels)

    def analyse_across(self, columns: Tensor, t: _Transforms, channels: int, out: Tensor) -> None:
        """B^T along rows: (4, tiles * c) -> ``out`` (points, tiles * c). The last block of each row has none ahead: nothing reads it."""
        torch.mm(t.own, columns, out=out)
        out[:, :-channels].addmm_(t.ahead, columns[: t.ahead.shape[1], channels:])

    def analyse_across_transposed(self, grad: Tensor, t: _Transforms, channels: int, out: Tensor) -> None:
        torch.mm(t.own.T, grad, out=out)
        out[: t.ahead.shape[1], channels:].addmm_(t.ahead.T, grad[:, :-channels])


def _steps(first: int, side: int) -> tuple[slice, slice]:
    """(blocks, pixels) of a place: pixels first, first + 4, ... that lie in 0 .. side - 1."""
    start = -(-max(0, -first) // TILE)
    count = max(0, -(-(side - first - start * TILE) // TILE))
    pixel = first + start * TILE
    return slice(start, start + count), slice(pixel, pixel + TILE * count, TILE)


class _Winograd(torch.autograd.Function):
    """images (batch, height, width, in), spread filters (n * n, in, out) -> (batch, height, width, out).

    Images may have fewer digits than the filters: they are computed with in those of the filters, and the answer is rounded like them.
    Nothing of the transformed images is kept: it is made again, piece by piece, going backward.
    """

    @staticmethod
    def forward(ctx: Any, images: Tensor, spread: Tensor, size: int) -> Tensor:
        ctx.save_for_backward(images, spread)
        ctx.size = size
        t = _transforms(size, spread.dtype, spread.device)
        _, count_in, count_out = spread.shape
        answer = images.new_empty(*images.shape[:3], count_out)
        room: Tensor | None = None
        for piece, tiles in _pieces(images, size):
            room = room if room is not None and room.shape[3] == tiles.images else tiles.room(spread, count_in, 1)
            down = tiles.analyse_down(tiles.lay(images[piece], tiles.edge, room), t)
            across = spread.new_empty(tiles.points, tiles.tiles * count_in)
            products = spread.new_empty(tiles.points, tiles.tiles, count_out)
            rows = spread.new_empty(tiles.points, TILE, tiles.tiles * count_out)
            for point, filters in enumerate(spread.unflatten(0, (tiles.points, -1))):
                tiles.analyse_across(down[point], t, count_in, across)
                torch.bmm(across.view(tiles.points, -1, count_in), filters, out=products)
                torch.mm(t.gather, products.view(tiles.points, -1), out=rows[point])
            blocks = torch.mm(t.gather, rows.view(tiles.points, -1))
            tiles.lift(blocks.view(TILE, TILE, tiles.down, tiles.images, tiles.blocks, count_out), 0, answer[piece])
        return answer

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        images, spread = ctx.saved_tensors
        with torch.autocast(grad.device.type, enabled=False):
            d_images, d_spread = _Winograd._backward(grad, images, spread, ctx.size)
        return d_images, d_spread, None

    @staticmethod
    def _backward(grad: Tensor, images: Tensor, spread: Tensor, size: int) -> tuple[Tensor, Tensor]:
        t = _transforms(size, spread.dtype, spread.device)
        _, count_in, count_out = spread.shape
        d_images, d_spread = torch.empty_like(images), torch.zeros_like(spread)
        rooms: tuple[Tensor, Tensor] | None = None
        for piece, tiles in _pieces(images, size):
            rooms = (
                rooms
                if rooms and rooms[0].shape[3] == tiles.images
                else (tiles.room(spread, count_in, 1), tiles.room(spread, count_out, 0))
            )
            down = tiles.analyse_down(tiles.lay(images[piece], tiles.edge, rooms[0]), t)
            d_rows = torch.mm(t.gather.T, tiles.lay(grad[piece], 0, rooms[1]).view(TILE, -1)).view(tiles.points, TILE, -1)
            d_down = torch.empty_like(down)
            across, d_across = (spread.new_empty(tiles.points, tiles.tiles * count_in) for _ in range(2))
            d_products = spread.new_empty(tiles.points, tiles.tiles * count_out)
            filters, d_filters = (tensor.unflatten(0, (tiles.points, -1)) for tensor in (spread, d_spread))
            for point in range(tiles.points):
                torch.mm(t.gather.T, d_rows[point], out=d_products)
                products = d_products.view(tiles.points, -1, count_out)
                tiles.analyse_across(down[point], t, count_in, across)
                d_filters[point].baddbmm_(across.view(tiles.points, -1, count_in).transpose(1, 2), products)
                torch.bmm(products, filters[point].transpose(1, 2), out=d_across.view(tiles.points, -1, count_in))
                tiles.analyse_across_transposed(d_across, t, count_in, d_down[point])
            tiles.lift(tiles.analyse_down_transposed(d_down, t, count_in), tiles.edge, d_images[piece])
        return d_images, d_spread


def _pieces(images: Tensor, size: int) -> list[tuple[slice, _Tiles]]:
    """The batch in pieces of as many images as fill a matrix product."""
    batch, height, width, _ = images.shape
    step = min(max(batch, 1), -(-ROWS // _Tiles(size, 1, height, width).tiles))
    starts = range(0, batch, step)
    return [(slice(start, start + step), _Tiles(size, min(step, batch - start), height, width)) for start in starts]


def winograd_convolution(channels: Tensor, spread: Tensor, size: int) -> Tensor:
    """A "same" convolution without bias, computed in the filter's type under any autocast.

    Parameters
    ----------
    channels : (batch, in, height, width), channels last in memory.
    spread : `spread_filters` of the filter.
    size : the filter's side, 3 or 5.

    Returns
    -------
    (batch, out, height, width), channels last in memory, of the type of ``channels``.
    """
    with torch.autocast(channels.device.type, enabled=False):
        images = channels.permute(0, 2, 3, 1).contiguous()
        answer: Tensor = _Winograd.apply(images, spread, size)  # type: ignore[no-untyped-call]
        return answer.permute(0, 3, 1, 2)


class Winograd(Form):
    """Six times fewer multiplications at 5x5, in float32: for CPUs, as a GPU's library chooses such things for itself."""

    name = "winograd"
    limits = f"filters of {' or '.join(map(str, SIZES))} pixels"

    def possible(self, shape: Shape, device: str, precision: str) -> bool:
        return shape.size in SIZES

    def worth_timing(self, shape: Shape, device: str, precision: str) -> bool:
        return device == "cpu" and (precision == "float32" or shape.group.order >= LEAST_ORDER)

    def likely(self, shape: Shape, device: str, precision: str) -> int:
        wide = shape.group.order * min(shape.fields_in, shape.fields_out) >= SURE_CHANNELS
        return 2 if device == "cpu" and precision == "float32" and wide else 0

    def computes_in(self, precision: str) -> str:
        return "float32"

    def multiply_adds(self, shape: Shape, pixels: int) -> int:
        """(size + 3)^2 / 16 |G|^2 per pixel and pair of fields."""
        points = (shape.size + TILE - 1) ** 2
        return pixels * points * shape.group.order**2 * shape.fields_in * shape.fields_out // TILE**2

    def prepare(self, layer: Layer) -> Tensor:
        """In float32 or better: bf16 has too few digits for it."""
        with torch.autocast(layer.weight.device.type, enabled=False):
            filters = layer.filters()
            return spread_filters(filters.to(torch.promote_types(filters.dtype, torch.float32)))

    def apply(self, layer: Layer, fields: Tensor, prepared: Tensor) -> Tensor:
        shape = layer.shape
        return to_fields(winograd_convolution(to_channels(fields), prepared, shape.size), shape.group.order)


FORM = Winograd()
