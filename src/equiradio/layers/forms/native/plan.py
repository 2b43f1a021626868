"""What the kernels are given: a layer's plan, and its weights in the order in which they are multiplied by."""

import ctypes
from dataclasses import dataclass
from functools import lru_cache
from itertools import product as every
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from equiradio.layers.forms.form import Shape
from equiradio.layers.forms.native import panels
from equiradio.layers.forms.native.panels import Product
from equiradio.layers.forms.spectral import slots, spectral_weight
from equiradio.symmetry.groups import Group
from equiradio.symmetry.harmonics import harmonic_basis, moved_filters
from equiradio.symmetry.spectrum import Spectrum

SIZE = 5  # of filters, whose planes are even or odd in each direction; the kernels make use of that
MATRIX = 1 << 20  # bytes between bank and product that stay in the cache
CHUNKS = (24, 96)  # pixels at a time, at least and at most

PLAIN = {0: 0, 1: 2, 4: 4}  # harmonic of frequency 0 -> first of its two values in the bank (real, imaginary part)
PAIRED = {2: 6, 3: 10, 5: 14, 6: 18}  # any other -> first of its four: at +f, at -f


class Line(NamedTuple):
    """What the bank takes side by side: parts (bin, part, copy). ``alone``: each is all that there is of its bin and copy."""

    parts: tuple[tuple[int, int, int], ...]
    alone: bool


NOTHING = -1  # a value that is always 0


def _alone(slot: int, part: int, value: int) -> int:
    """Which value of a lone part (real 0, imaginary 1) in this slot is the bank's ``value`` of a bin whose other part is 0."""
    if value < 6:
        return value // 2 * 2 + slot if value % 2 == part else NOTHING
    harmonic, kind = divmod(value - 6, 4)
    cosine, sine, minus_sine = range(6 + 6 * harmonic + 3 * slot, 9 + 6 * harmonic + 3 * slot)
    return ((cosine, sine, cosine, minus_sine), (minus_sine, cosine, sine, cosine))[part][kind]


class _Move(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int64) for name in ("value", "place")]


class Plan(ctypes.Structure):
    """``Plan`` of steerable.c."""

    _fields_ = [
        *((name, ctypes.c_int) for name in ("height", "width", "order", "fields_in", "fields_out", "parities", "count", "half")),
        *((name, ctypes.c_int) for name in ("lines", "blocks", "depth", "chunk")),
        *(
            (name, ctypes.c_void_p)
            for name in ("columns", "deep", "alone", "moves", "move", "first", "odd", "column", "analysis", "synthesis", "filters")
        ),
    ]


@dataclass(frozen=True)
class Layout:
    """How a layer's numbers lie for the product."""

    shape: Shape
    product: Product

    @property
    def spectrum(self) -> Spectrum:
        return Spectrum(self.shape.group)

    @property
    def fields_out(self) -> int:
        return self.shape.fields_out

    def plan(self, height: int, width: int, dtype: torch.dtype) -> Plan:
        """For images of one size and type."""
        return plan_of(self, height, width, dtype)

    @property
    def vectors_out(self) -> int:
        """Of the fields of one half."""
        return -(-self.shape.fields_out // self.product.lanes)

    @property
    def fields(self) -> int:
        """Numbers of a row of fields in the product: those that are multiplied together are filled up with 0."""
        return self.shape.fields_in + -self.shape.fields_in % self.product.together

    @property
    def depth(self) -> int:
        """Numbers from row to row of the product: a slot has two halves, parts where there are rotations only, else copies."""
        return self.product.apart(len(slots(self.shape.group, self.shape.size)) * 2 * self.fields)

    def halves(self, block: int) -> list[int]:
        """Which halves of a block's output are not 0: the coefficients of the lowest and highest frequency are real (see `Spectrum`)."""
        group = self.shape.group
        bin_ = block // 2 if group.mirrored else block
        if bin_ and 2 * bin_ != group.rotations:
            return [0, 1]
        return [block % 2] if group.mirrored else [0]

    @property
    def blocks(self) -> int:
        return self.spectrum.bins * (2 if self.shape.group.mirrored else 1)

    def pack(self, matrices: Tensor) -> Tensor:
        """Matrices of `spectral_weight` -> all panels of all blocks, one behind the other; gradients go back the same way."""
        padded = F.pad(matrices.unflatten(2, (2, -1)), (0, self.vectors_out * self.product.lanes - self.shape.fields_out))
        blocks = []
        for block, rows in enumerate(_rows(self)):
            by_row = padded[block].unflatten(0, (-1, self.shape.fields_in))
            some = F.pad(by_row[rows][..., self.halves(block), :], (0, 0, 0, 0, 0, self.fields - self.shape.fields_in))
            blocks.append(some.flatten(0, 1).flatten(1))
        return panels.packed(blocks, self.product)

    def as_packed(self, gradient: Tensor) -> Tensor:
        """A gradient of the weights as the kernels add it up, in the order of `pack`."""
        width = self.vectors_out * self.product.lanes
        sizes = [(len(rows) * self.fields, len(self.halves(block)) * width) for block, rows in enumerate(_rows(self))]
        return panels.in_order(gradient, sizes, self.product)

    def packed(self, weight: Tensor) -> Tensor:
        """The weights (fields_out, fields_in, |G|, B) as the kernels take them."""
        return self.pack(spectral_weight(weight, self.shape.group, self.shape.size))

    @property
    def lines(self) -> list[Line]:
        """What the filter bank takes at a time: the two parts of a bin, or two numbers of which only one part is there (see `Line`)."""
        bins, copies = range(self.spectrum.bins), range(self.spectrum.copies)
        pairs = [[(bin_, part, copy) for part in range(2) if self._appears(bin_, part, copy)] for bin_ in bins for copy in copies]
        alone = [part for pair in pairs if len(pair) == 1 for part in pair]
        whole = [Line(tuple(pair), alone=False) for pair in pairs if len(pair) == 2]
        return whole + [Line(tuple(alone[i : i + 2]), alone=True) for i in range(0, len(alone), 2)]

    def _appears(self, bin_: int, part: int, copy: int) -> bool:
        """Is this part of a bin ever other than 0? Of the lowest and of the highest frequency one is not."""
        return bool(np.abs(self.spectrum.analysis[(2 * bin_ + part) * self.spectrum.copies + copy]).max() > 1e-9)

    @property
    def parities(self) -> int:
        """Half a turn makes each bin even or odd, where the group holds it: 2; else 1."""
        return 2 - self.shape.group.rotations % 2

    @property
    def first(self) -> np.ndarray:
        """One element of each pair that half a turn exchanges; every element where there is no such turn."""
        turns = self.shape.group.rotations
        return np.arange(self.shape.group.order).reshape(-1, turns)[:, : turns // self.parities].ravel()

    def analysis(self) -> tuple[np.ndarray, np.ndarray]:
        """From elements, or sums or differences of pairs, to the parts of all lines, (line, part, pair); and which take differences."""
        rows, odd = np.zeros((len(self.lines), 2, len(self.first))), np.zeros((len(self.lines), 2), np.intc)
        for number, line in enumerate(self.lines):
            for slot, (bin_, part, copy) in enumerate(line.parts):
                rows[number, slot] = self.spectrum.analysis[(2 * bin_ + part) * self.spectrum.copies + copy, self.first]
                odd[number, slot] = bin_ % self.parities
        return rows, odd

    def synthesis(self) -> tuple[np.ndarray, np.ndarray]:
        """From components to what pairs share and to what they differ by, (parity, pair, component); and the columns of components."""
        columns, each = np.array(self.columns(), np.intc), 2 * self.spectrum.copies
        rows = np.flatnonzero(columns >= 0)
        by_parity = [rows[rows // each % self.parities == parity] for parity in range(self.parities)]
        return np.stack([self.spectrum.synthesis[np.ix_(self.first, some)] for some in by_parity]), columns[np.array(by_parity)]

    def moves(self) -> list[list[tuple[int, int, int]]]:
        """Of each line, where the bank's values go: (value, block, place in the block's row); what is always 0 has no place."""
        places = [{row: place for place, row in enumerate(rows)} for rows in _rows(self)]
        return [
            [(value, block, places[block][row] * self.fields) for value, block, row in line if value != NOTHING]
            for line in self.every_move()
        ]

    def every_move(self) -> list[list[tuple[int, int, int]]]:
        """Of each line: value, block, and which row of fields of the block's matrix it is multiplied by."""
        of_bins, every = self._moves_of_bins(), []
        for line in self.lines:
            moves = []
            for slot, (bin_, part, copy) in enumerate(line.parts if line.alone else line.parts[:1]):
                for value, block, row in of_bins[bin_]:
                    moves.append((_alone(slot, part, value) if line.alone else value, block, row + copy))
            every.append(moves)
        return every

    def _moves_of_bins(self) -> list[list[tuple[int, int, int]]]:
        """The same for the first copy of every bin, with both parts."""
        mirrored, moves = self.shape.group.mirrored, [[] for _ in range(self.spectrum.bins)]  # type: ignore[var-annotated]
        for number, slot in enumerate(slots(self.shape.group, self.shape.size)):
            for run in slot.runs:
                for shift in range(run.outputs.stop - run.outputs.start):
                    for part in range(2):
                        kind = part ^ (slot.frequency % 2 if mirrored else 0)
                        value = PAIRED[slot.harmonic] + 2 * (run.sign <= 0) if slot.frequency else PLAIN[slot.harmonic]
                        out = run.outputs.start + shift
                        block, half = (2 * out + part, 0) if mirrored else (out, part)
                        moves[run.inputs.start + shift].append((value + kind, block, 2 * number + half))
        return moves

    def columns(self) -> list[int]:
        """First vector of each component of the output, (bin, part, copy); -1 where it is always 0."""
        starts, columns = np.cumsum([0, *(len(self.halves(block)) * self.vectors_out for block in range(self.blocks))]), []
        for bin_, part, copy in every(range(self.spectrum.bins), range(2), range(self.spectrum.copies)):
            block, half = (2 * bin_ + part, copy) if self.shape.group.mirrored else (bin_, part)
            there = half in self.halves(block)
            columns.append(int(starts[block]) + self.halves(block).index(half) * self.vectors_out if there else -1)
        return columns


@lru_cache(maxsize=256)
def _rows(layout: Layout) -> list[list[int]]:
    """Of each block, the rows of fields that are ever multiplied by other than 0."""
    rows: list[list[int]] = [[] for _ in range(layout.blocks)]
    for line in layout.every_move():
        for value, block, row in line:
            if value != NOTHING:
                rows[block].append(row)
    return [sorted(each) for each in rows]


def _bank() -> np.ndarray:
    """The 36 different numbers of the filter bank, in the order of steerable.h."""
    planes = harmonic_basis(SIZE).planes
    even = [(2, 2), (2, 3), (1, 3), (2, 4), (1, 4), (0, 4)]
    odd = [(2, 3), (1, 3), (0, 3), (2, 4), (1, 4), (0, 4)]
    numbers = [planes[harmonic].real[place] for harmonic in (1, 4) for place in even]
    numbers += [planes[harmonic].real[place] for harmonic in (2, 5) for place in odd]
    numbers += [planes[harmonic].real[place] for harmonic in (3, 6) for place in ((2, 3), (2, 4), (1, 4))]
    numbers += [planes[harmonic].imag[place] for harmonic in (3, 6) for place in ((1, 3), (1, 4), (0, 4))]
    return np.array(numbers)


@lru_cache(maxsize=256)
def plan_of(layout: Layout, height: int, width: int, dtype: torch.dtype) -> Plan:
    """The plan of a layer for images of one size; holds the arrays that it points to."""
    group = layout.shape.group
    real = {torch.float32: np.float32, torch.float64: np.float64}[dtype]
    moves, (analysis, odd), (synthesis, column) = layout.moves(), layout.analysis(), layout.synthesis()
    plan = Plan(height, width, group.order, layout.shape.fields_in, layout.shape.fields_out)
    plan.parities, plan.count, plan.half = layout.parities, len(layout.first), group.rotations // 2
    plan.lines, plan.blocks = len(layout.lines), layout.blocks
    plan.depth = layout.depth // layout.product.together
    plan.chunk = chunk_of(plan, dtype, layout.product)
    deep = [layout.product.whole(len(rows) * layout.fields) // layout.product.together for rows in _rows(layout)]
    arrays: dict[str, np.ndarray] = {
        "columns": np.array([len(layout.halves(each)) * layout.vectors_out for each in range(layout.blocks)], np.intc),
        "deep": np.array(deep, np.intc),
        "alone": np.array([line.alone for line in layout.lines], np.intc),
        "moves": np.cumsum([0, *map(len, moves)], dtype=np.intc),
        "move": np.array([(value, block * plan.chunk * layout.depth + place) for each in moves for value, block, place in each], np.int64),
        "first": layout.first.astype(np.intc),
        "odd": odd,
        "column": column,
        "analysis": np.ascontiguousarray(analysis, real),
        "synthesis": np.ascontiguousarray(synthesis, real),
        "filters": _bank().astype(real),
    }
    return holding(plan, arrays)


def chunk_of(plan: Plan, dtype: torch.dtype, product: Product) -> int:
    """How many pixels at a time fit between bank and product: of tiles two or more, each `Product.step` pixels high."""
    some = int(np.clip(MATRIX // (plan.blocks * plan.depth * dtype.itemsize), *CHUNKS))
    return some if product.step == 1 else max(some // (2 * product.step), 1) * 2 * product.step


def holding(plan: Plan, arrays: dict[str, np.ndarray]) -> Plan:
    """The plan with pointers to arrays, which it keeps."""
    for name, array in arrays.items():
        setattr(plan, name, array.ctypes.data)
    plan.arrays = arrays
    return plan


@lru_cache
def _turned(group: Group, size: int, dtype: torch.dtype) -> Tensor:
    """(-1)^f R(d): psi_b(-d p) = sum_b' of these times psi_b'(p), for every element d; (|G|, B, B)."""
    filters = moved_filters(group, size)
    flat = filters.reshape(*filters.shape[:2], -1)
    back = np.linalg.pinv(flat[0])
    signs = [sign for f in harmonic_basis(size).frequencies for sign in [(-1.0) ** f] * (2 if f else 1)]
    with torch.inference_mode(False):
        return torch.from_numpy(np.array(signs)[:, None] * (flat[group.inverse] @ back)).to(dtype)


def adjoint(weight: Tensor, group: Group, size: int) -> Tensor:
    """Weights (fields_in, fields_out, |G|, B) of the layer that takes gradients of the answer to gradients of the input.

    The filter from (i, h) to (o, g) at p goes from (o, g) to (i, h) at -p: W'[i, o, d^-1] = W[o, i, d] (-1)^f R(d).
    """
    turned = torch.einsum("oidb,dbc->iodc", weight, _turned(group, size, weight.dtype))
    return turned[:, :, torch.from_numpy(group.inverse)]
