"""What stands between the steerable layers of a network, compiled: the lifting convolution, pooling, a gate's score.

For numbers in the memory of this machine and where no gradient is wanted; elsewhere torch computes the same.
"""

import ctypes
from functools import lru_cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from equiradio.layers.forms.form import EmptySky
from equiradio.layers.forms.native import library
from equiradio.layers.forms.native.library import address, kernel, padded
from equiradio.layers.forms.native.plan import Plan
from equiradio.layers.forms.native.threads import each, strips

REAL = {torch.float32: np.float32, torch.float64: np.float64}


def learns(*numbers: Tensor) -> bool:
    """Is a gradient wanted of any?"""
    return torch.is_grad_enabled() and any(each.requires_grad for each in numbers)


def possible(*numbers: Tensor) -> bool:
    """Can the kernels take these, with no gradient wanted?"""
    return fits(*numbers) and not learns(*numbers)


def fits(*numbers: Tensor) -> bool:
    """Can the kernels take these, with a gradient or without: of one type that they have, here, and not of a call that is only traced?"""
    first = numbers[0]
    plain = all(each.device.type == "cpu" and each.dtype == first.dtype for each in numbers) and type(first) is Tensor
    return plain and first.dtype in library.TYPES and not torch.jit.is_tracing() and library.best() is not None


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
    answer, run = images.new_empty(batch, height, width, len(filters)), kernel("lift", images.dtype)
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
    answer, run = columns.new_empty(batch, height, width, fields), kernel("group_pool", columns.dtype)

    def work(task: tuple[int, int, int]) -> None:
        image, low, high = task
        run(address(columns[image, low]), ctypes.c_long((high - low) * width), order, fields, address(answer[image, low]))

    each(work, strips(batch, height))
    return answer


def max_pool(images: Tensor) -> Tensor:
    """Largest of each 2 x 2 pixels: (batch, height, width, channels) -> half the height and width, rounded down."""
    batch, height, width, channels = images.shape
    answer, run = images.new_empty(batch, height // 2, width // 2, channels), kernel("max_pool", images.dtype)

    def work(task: tuple[int, int, int]) -> None:
        image, low, high = task
        run(address(images[image]), width, channels, address(answer[image]), low, high)

    each(work, strips(batch, height // 2))
    return answer


class _Pools(torch.autograd.Function):
    """Images (batch, height, width, |G|, fields) -> largest over the group, and of each 2 x 2 pixels; equals over the group share the
    gradient, of equal pixels the first one has it."""

    @staticmethod
    def forward(ctx: Any, images: Tensor) -> tuple[Tensor, Tensor]:
        largest, halved = group_pool(images), max_pool(images.flatten(3))
        ctx.save_for_backward(images, largest, halved)
        return largest, halved.unflatten(3, images.shape[3:])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_largest: Tensor, d_halved: Tensor) -> Tensor:
        images, largest, halved = ctx.saved_tensors
        return _pool_back(images, largest, d_largest, halved, d_halved)


class _GroupPool(torch.autograd.Function):
    """The first of `_Pools` alone."""

    @staticmethod
    def forward(ctx: Any, images: Tensor) -> Tensor:
        largest = group_pool(images)
        ctx.save_for_backward(images, largest)
        return largest

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_largest: Tensor) -> Tensor:
        images, largest = ctx.saved_tensors
        return _pool_back(images, largest, d_largest)


def _pool_back(images: Tensor, largest: Tensor, d_largest: Tensor, halved: Tensor | None = None, d_halved: Tensor | None = None) -> Tensor:
    """The gradient by images of what `_Pools` makes of them."""
    given = [images, largest, d_largest.contiguous(), halved, None if d_halved is None else d_halved.contiguous()]
    answer, run = torch.empty_like(images), kernel("pool_back", images.dtype)

    def work(image: int) -> None:
        run(*images.shape[1:], *(address(None if numbers is None else numbers[image]) for numbers in [*given, answer]))

    each(work, range(len(images)))
    return answer


def learning_group_pool(images: Tensor) -> Tensor:
    """`group_pool`, with a gradient."""
    return _GroupPool.apply(images)  # type: ignore[no-untyped-call, no-any-return]


def learning_pools(images: Tensor) -> tuple[Tensor, Tensor]:
    """`group_pool` and `max_pool` of images (batch, height, width, |G|, fields), with a gradient that goes back through both at once."""
    return _Pools.apply(images)  # type: ignore[no-untyped-call, no-any-return]


class _Gate(ctypes.Structure):
    """``Gate`` of passes.h."""

    _fields_ = [
        *((name, ctypes.c_int) for name in ("height", "width", "features", "context_width", "vectors")),
        *((name, ctypes.c_void_p) for name in ("rows", "columns", "from_features", "to_score", "to_features")),
    ]


class _GateSlopes(ctypes.Structure):
    """``GateSlopes`` of passes.h."""

    _fields_ = [(name, ctypes.c_void_p) for name in ("features", "context", "from_features", "to_score")]


@lru_cache(maxsize=64)
def _between(matrix: Tensor) -> np.ndarray:
    """Interpolation (wanted, side) of at most two neighbours each: which, and what they weigh."""
    numbers = matrix.numpy()
    wanted, side = numbers.shape
    first = np.minimum((numbers != 0).argmax(1), max(side - 2, 0))
    second, each = np.minimum(first + 1, side - 1), np.arange(wanted)
    real = REAL[matrix.dtype]
    between = np.zeros(wanted, [("first", np.intc), ("second", np.intc), ("near", real), ("far", real)])
    between["first"], between["second"], between["near"] = first, second, numbers[each, first]
    between["far"] = np.where(second > first, numbers[each, second], 0)
    return between


class _Padded:
    """What the kernels of a score are given: numbers in whole vectors, and the structure that points to them.

    features (batch, height, width, c), context (batch, h, w, hidden), weights (hidden, c) and (hidden,), interpolation (height, h) and
    (width, w).
    """

    def __init__(self, features: Tensor, context: Tensor, from_features: Tensor, to_score: Tensor, rows: Tensor, columns: Tensor) -> None:
        self.features, self.context = features.contiguous(), padded(context)
        self.from_features, self.to_score, self.hidden = padded(from_features.T), padded(to_score[None]), len(to_score)
        self.to_features = F.pad(padded(from_features), (0, 0, 0, self.to_score.shape[1] - self.hidden))
        lanes = library.kernels().vector_bytes() // features.element_size()
        self.between = _between(rows), _between(columns)
        at = [each.ctypes.data for each in self.between]
        at += [each.data_ptr() for each in (self.from_features, self.to_score, self.to_features)]
        gate = _Gate(*features.shape[1:], context.shape[2], self.context.shape[3] // lanes, *at)
        self.gate = ctypes.byref(gate)


def score(features: Tensor, context: Tensor, from_features: Tensor, to_score: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """W relu(W_x x + up(c)), with shapes and matrices of interpolation as in `equiradio.layers.attention_gate`."""
    batch, height, width, _ = features.shape
    given = _Padded(features, context, from_features, to_score, rows, columns)
    answer, run = features.new_empty(batch, height, width), kernel("score", features.dtype)

    def work(task: tuple[int, int, int]) -> int:
        image, low, high = task
        return int(run(given.gate, *(address(numbers[image]) for numbers in (given.features, given.context, answer)), low, high))

    each(work, strips(batch, height))
    return answer


def apart(features: Tensor, empty: Tensor, context: Tensor, *others: Tensor) -> tuple[Tensor, Tensor]:
    """`score`, and its difference to that of an empty sky in the same context; both 0 at pixels whose features are those.

    ``empty`` (1, height, width, c); the others as `score` has them.
    """
    batch, height, width, _ = features.shape
    given, empty = _Padded(features, context, *others), empty.contiguous()
    answer, difference = (features.new_empty(batch, height, width) for _ in range(2))
    run = kernel("apart", features.dtype)

    def work(task: tuple[int, int, int]) -> int:
        image, low, high = task
        of = given.features[image], empty[0], given.context[image], answer[image], difference[image]
        return int(run(given.gate, *map(address, of), low, high))

    each(work, strips(batch, height))
    return answer, difference


def _slopes(grad: Tensor, features: Tensor, *others: Tensor) -> list[Tensor]:
    """Gradients by what `score` is given, from that by its answer; ``features`` of each image, or of one that stands for all."""
    given, run, grad = _Padded(features, *others), kernel("score_back", grad.dtype), grad.contiguous()
    d_features = features.new_empty(len(grad), *features.shape[1:])
    d_context = torch.zeros_like(given.context)
    d_from, d_to = (each.new_zeros(len(grad), *each.shape) for each in (given.from_features, given.to_score))

    def work(image: int) -> int:
        to = _GateSlopes(*(of[image].data_ptr() for of in (d_features, d_context, d_from, d_to)))
        of = given.features[image % len(features)], given.context[image], grad[image]
        return int(run(given.gate, *map(address, of), ctypes.byref(to)))

    each(work, range(len(grad)))
    count = given.hidden
    return [d_features, d_context[..., :count], d_from.sum(0)[:, :count].T, d_to.sum((0, 1))[:count]]


class _Score(torch.autograd.Function):
    """`score` with gradients by features, context and weights; nothing of the size (pixels, hidden) is kept."""

    @staticmethod
    def forward(ctx: Any, *given: Tensor) -> Tensor:
        ctx.save_for_backward(*given)
        return score(*given)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        return *_slopes(grad, *ctx.saved_tensors), None, None


class _Apart(torch.autograd.Function):
    """`apart` with gradients of the difference by features, those of the empty sky, context and weights."""

    @staticmethod
    def forward(ctx: Any, *given: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(*given)
        answer, difference = apart(*given)
        ctx.mark_non_differentiable(answer)
        return answer, difference

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, _: Tensor, grad: Tensor) -> tuple[Tensor | None, ...]:
        features, empty, *others = ctx.saved_tensors
        here, there = _slopes(grad, features, *others), _slopes(-grad, empty, *others)
        shared = [one + two for one, two in zip(here[1:], there[1:], strict=True)]
        return here[0], there[0].sum(0, keepdim=True), *shared, None, None


def learning_score(*given: Tensor) -> Tensor:
    """`score`, with a gradient."""
    return _Score.apply(*given)  # type: ignore[no-untyped-call, no-any-return]


def learning_apart(*given: Tensor) -> tuple[Tensor, Tensor]:
    """`apart`, with a gradient of the difference."""
    return _Apart.apply(*given)  # type: ignore[no-untyped-call, no-any-return]


def attend(columns: Tensor, attention: Tensor) -> Tensor:
    """Sum over pixels of attention (batch, height, width) times columns (batch, height, width, channels) -> (batch, channels)."""
    batch, height, width, channels = columns.shape
    answer, run, attention = columns.new_empty(batch, channels), kernel("attend", columns.dtype), attention.contiguous()

    def work(image: int) -> None:
        run(address(attention[image]), address(columns[image]), ctypes.c_long(height * width), channels, address(answer[image]))

    each(work, range(batch))
    return answer
