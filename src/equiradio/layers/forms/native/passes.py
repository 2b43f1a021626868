"""What stands between the steerable layers of a network, compiled: the lifting convolution, pooling, a gate's score.

For numbers in the memory of this machine and where no gradient is wanted; elsewhere torch computes the same.
"""

import ctypes
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equiradio.layers.forms.form import EmptySky
from equiradio.layers.forms.native import library
from equiradio.layers.forms.native.library import address, padded
from equiradio.layers.forms.native.plan import Plan
from equiradio.layers.forms.native.threads import each, strips

REAL = {torch.float32: ("float32", ctypes.c_float, np.float32), torch.float64: ("float64", ctypes.c_double, np.float64)}


def possible(*numbers: Tensor) -> bool:
    """Can the kernels take these: of one type that they have, here, with no gradient wanted, and not of a call that is only traced?"""
    first = numbers[0]
    learns = torch.is_grad_enabled() and any(each.requires_grad for each in numbers)
    plain = all(each.device.type == "cpu" and each.dtype == first.dtype for each in numbers) and type(first) is Tensor
    return plain and first.dtype in REAL and not learns and not torch.jit.is_tracing() and library.best() is not None


def _kernel(name: str, numbers: Tensor) -> Callable[..., Any]:
    return getattr(library.kernels(), f"{name}_{REAL[numbers.dtype][0]}")  # type: ignore[no-any-return]


def lift(images: Tensor, filters: Tensor, finish: Tensor | None, sky: EmptySky | None) -> Tensor:
    """An ordinary "same" convolution: images (batch, height, width, fields_in) -> (batch, height, width, channels).

    ``filters`` (channels, fields_in, size, size) and ``finish`` (2, channels): see `Form.apply_finished`.
    """
    if sky is not None and sky.is_like(images) and filters.shape[-1] <= 5:
        empty = sky.answer(filters, finish, lambda fields: _lift(fields, filters, finish, None))
        return _lift(images, filters, finish, (sky.fields, empty))
    return _lift(images, filters, finish, None)


def _lift(images: Tensor, filters: Tensor, finish: Tensor | None, empty: tuple[Tensor, Tensor] | None) -> Tensor:
    batch, height, width, fields_in = images.shape
    answer, run = images.new_empty(batch, height, width, len(filters)), _kernel("lift", images)
    plan = Plan(height, width, 1, fields_in, len(filters))
    numbers = padded(filters.permute(2, 3, 1, 0)), None if finish is None else padded(finish.to(images.dtype))
    given = [*map(address, numbers), *map(address, empty or (None, None))]

    def work(task: tuple[int, int, int]) -> int:
        image, low, high = task
        return int(run(ctypes.byref(plan), filters.shape[-1], address(images[image]), *given, address(answer[image]), low, high))

    each(work, strips(batch, height))
    return answer


def group_pool(columns: Tensor) -> Tensor:
    """Largest over the group: (batch, height, width, |G|, fields) -> (batch, height, width, fields)."""
    batch, height, width, order, fields = columns.shape
    answer, run = columns.new_empty(batch, height, width, fields), _kernel("group_pool", columns)

    def work(task: tuple[int, int, int]) -> None:
        image, low, high = task
        run(address(columns[image, low]), ctypes.c_long((high - low) * width), order, fields, address(answer[image, low]))

    each(work, strips(batch, height))
    return answer


def max_pool(images: Tensor) -> Tensor:
    """Largest of each 2 x 2 pixels: (batch, height, width, channels) -> half the height and width, rounded down."""
    batch, height, width, channels = images.shape
    answer, run = images.new_empty(batch, height // 2, width // 2, channels), _kernel("max_pool", images)

    def work(task: tuple[int, int, int]) -> None:
        image, low, high = task
        run(address(images[image]), width, channels, address(answer[image]), low, high)

    each(work, strips(batch, height // 2))
    return answer


class _Gate(ctypes.Structure):
    """``Gate`` of passes.h."""

    _fields_ = [
        *((name, ctypes.c_int) for name in ("height", "width", "features", "context_width", "vectors")),
        *((name, ctypes.c_void_p) for name in ("rows", "columns", "from_features", "to_score")),
    ]


@lru_cache(maxsize=64)
def _between(matrix: Tensor) -> np.ndarray:
    """Interpolation (wanted, side) of at most two neighbours each: which, and what they weigh."""
    numbers = matrix.numpy()
    wanted, side = numbers.shape
    first = np.minimum((numbers != 0).argmax(1), max(side - 2, 0))
    second, each = np.minimum(first + 1, side - 1), np.arange(wanted)
    real = REAL[matrix.dtype][2]
    between = np.zeros(wanted, [("first", np.intc), ("second", np.intc), ("near", real), ("far", real)])
    between["first"], between["second"], between["near"] = first, second, numbers[each, first]
    between["far"] = np.where(second > first, numbers[each, second], 0)
    return between


def score(features: Tensor, context: Tensor, from_features: Tensor, to_score: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """W relu(W_x x + up(c)), with shapes and matrices of interpolation as in `equiradio.layers.attention_gate`."""
    batch, height, width, count = features.shape
    features, context = features.contiguous(), padded(context)
    weights, top, (down, across) = padded(from_features.T), padded(to_score[None]), (_between(rows), _between(columns))
    lanes = library.kernels().vector_bytes() // features.element_size()
    gate = _Gate(height, width, count, context.shape[2], context.shape[3] // lanes, down.ctypes.data, across.ctypes.data)
    gate.from_features, gate.to_score = weights.data_ptr(), top.data_ptr()
    answer, run = features.new_empty(batch, height, width), _kernel("score", features)

    def work(task: tuple[int, int, int]) -> int:
        image, low, high = task
        return int(run(ctypes.byref(gate), address(features[image]), address(context[image]), address(answer[image]), low, high))

    each(work, strips(batch, height))
    return answer


def attend(columns: Tensor, attention: Tensor) -> Tensor:
    """Sum over pixels of attention (batch, height, width) times columns (batch, height, width, channels) -> (batch, channels)."""
    batch, height, width, channels = columns.shape
    answer, run, attention = columns.new_empty(batch, channels), _kernel("attend", columns), attention.contiguous()

    def work(image: int) -> None:
        run(address(attention[image]), address(columns[image]), ctypes.c_long(height * width), channels, address(answer[image]))

    each(work, range(batch))
    return answer
