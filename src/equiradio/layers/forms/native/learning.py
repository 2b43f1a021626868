"""A layer in training, with ReLU and batch norm behind it, where pixels that all images of a batch see alike are computed once.

One of the images that show the same empty sky at a pixel stands for the others: its numbers are theirs, it counts as often in the batch's
statistics, and their gradients are added to its own. All that is done to fields is done where pixels are active: lit, or standing for
others. The sums are made in one order, whatever the threads.
"""

import ctypes
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from equiradio.layers.forms.form import Norm, Shape
from equiradio.layers.forms.native.kernels import Arranged, Kernels, added_up, convolve_back, layout_of
from equiradio.layers.forms.native.library import address, kernel, padded
from equiradio.layers.forms.native.plan import Plan
from equiradio.layers.forms.native.threads import each, strips
from equiradio.layers.lit import MOST_LIT, seen

STEP = 2888  # pixels of all images that a thread takes at a time


class Shared(NamedTuple):
    """Which pixels are computed, and which stand for others.

    Attributes
    ----------
    active : (batch, height, width), pixels that are computed.
    stands : (batch, height, width), for how many images; 0 where a pixel is not active.
    instead : (height, width), the image whose pixel is taken for those that are not.
    """

    active: Tensor
    stands: Tensor
    instead: Tensor


def shared(lit: Tensor) -> Shared:
    """The first image that shows empty sky at a pixel is taken for all that do; where that saves little, every pixel stands for itself."""
    lit = lit.contiguous()  # as the kernels read what is made of it
    instead, empty = torch.zeros_like(lit[0], dtype=torch.int32), ~lit
    for image in reversed(range(len(lit))):
        instead.masked_fill_(empty[image], image)
    active = lit.scatter(0, instead[None].long(), True)
    if int(active.sum()) > MOST_LIT * active.numel():
        return Shared(torch.ones_like(active), torch.ones_like(lit, dtype=torch.int32), torch.zeros_like(instead))
    others = (~active).sum(0, dtype=torch.int32)
    return Shared(active, active.int().scatter_add_(0, instead[None].long(), others[None]), instead)


class Way(Protocol):
    """A convolution that learns: at the active pixels what it answers, and the gradient of what it multiplies by."""

    def convolve(self, images: Tensor, factors: Tensor, active: Tensor) -> Tensor:
        """Images (batch, height, width, |G|, fields_in) -> (batch, height, width, |G|, fields_out), anything where it is not active."""

    def gradient(self, images: Tensor, grad: Tensor, factors: Tensor, active: Tensor) -> Tensor:
        """Of what it multiplies by; ``grad`` is 0 where it is not active."""

    def back(self, grad: Tensor, factors: Tensor, active: Tensor) -> Tensor:
        """The gradient of the images."""


class Multiplied(ABC):
    """A `Way` of packed weights, whose type is the product's."""

    @abstractmethod
    def layout(self, product: torch.dtype) -> Arranged:
        """How its numbers lie, where these are multiplied."""

    def convolve(self, images: Tensor, factors: Tensor, active: Tensor) -> Tensor:
        return self._kernels(images, factors).convolve_at(images, factors, active)

    def gradient(self, images: Tensor, grad: Tensor, factors: Tensor, active: Tensor) -> Tensor:
        return self._kernels(images, factors).gradient(images, grad, factors, active)

    def _kernels(self, images: Tensor, factors: Tensor) -> Kernels:
        return Kernels(self.layout(factors.dtype), images, factors.dtype)


@dataclass(frozen=True)
class Steerable(Multiplied):
    """From regular fields to regular fields."""

    shape: Shape
    weight: Tensor

    def layout(self, product: torch.dtype) -> Arranged:
        return layout_of(self.shape, product)

    def back(self, grad: Tensor, factors: Tensor, active: Tensor) -> Tensor:
        return convolve_back(self.shape, self.weight, grad, factors.dtype, seen(active, self.shape.size))


class Lifting(NamedTuple):
    """From the sky to regular fields of a group of ``order`` elements; multiplies by a filter (channels, fields_in, size, size).

    Images of the sky are given no gradient: see `equiradio.layers.convolution.LiftingConvolution.learn`.
    """

    order: int

    def convolve(self, images: Tensor, factors: Tensor, active: Tensor) -> Tensor:
        batch, height, width = images.shape[:3]
        filters, plan, run = padded(factors.permute(2, 3, 1, 0)), _plan(images, factors), kernel("lift_at", images.dtype)
        answer = images.new_empty(batch, height, width, self.order, len(factors) // self.order)

        def work(task: tuple[int, int, int]) -> None:
            image, low, high = task
            given = [address(each) for each in (images[image], filters, active[image], answer[image])]
            run(ctypes.byref(plan), factors.shape[-1], *given, low, high)

        each(work, strips(batch, height))
        return answer

    def gradient(self, images: Tensor, grad: Tensor, factors: Tensor, active: Tensor) -> Tensor:
        like, plan, run = padded(factors.permute(2, 3, 1, 0)), _plan(images, factors), kernel("lift_gradient_at", images.dtype)

        def work(image: int, part: Tensor) -> None:
            run(ctypes.byref(plan), factors.shape[-1], *(address(each) for each in (images[image], grad[image], active[image], part)))

        return added_up(work, len(images), like)[..., : len(factors)].permute(3, 2, 0, 1)

    def back(self, grad: Tensor, factors: Tensor, active: Tensor) -> Tensor:
        raise AssertionError("images of the sky are given no gradient")


def _plan(images: Tensor, filters: Tensor) -> Plan:
    return Plan(images.shape[1], images.shape[2], 1, filters.shape[1], len(filters))


class _Batch(ctypes.Structure):
    """``Batch`` of lit.h."""

    _fields_ = [
        ("images", ctypes.c_int),
        *((name, ctypes.c_size_t) for name in ("pixels", "numbers")),
        *((name, ctypes.c_void_p) for name in ("stands", "instead")),
    ]


class _Passes:
    """What goes over the active pixels of a batch's fields (batch, height, width, |G|, field), on all threads."""

    def __init__(self, pixels: Shared, fields: Tensor) -> None:
        self.fields, self.pixels = fields, pixels
        batch, height, width, self.order, self.count = fields.shape
        self.all, self.numbers = height * width, self.order * self.count
        self.batch = _Batch(batch, self.all, self.numbers, pixels.stands.data_ptr(), pixels.instead.data_ptr())

    def run(self, name: str, *given: Tensor | None, sums: int = 0) -> Tensor:
        """The kernel's ``sums`` sums of every field over group and pixels, in float64."""
        compute, starts = kernel(name, self.fields.dtype), range(0, self.all, STEP)
        parts = torch.zeros(len(starts), sums, self.numbers, dtype=torch.float64)
        at = [address(each) for each in given]

        def work(task: int) -> int:
            low, own = starts[task], [address(parts[task])] if sums else []
            ends = ctypes.c_size_t(low), ctypes.c_size_t(min(low + STEP, self.all))
            return int(compute(ctypes.byref(self.batch), *at, *own, *ends))

        each(work, range(len(starts)))
        return parts.sum(0).view(sums, self.order, self.count).sum(1)

    def of_fields(self, values: Tensor) -> Tensor:
        """A value for each field as one for each number of a pixel."""
        return values.to(self.fields.dtype).repeat(self.order)


class _Learning(torch.autograd.Function):
    """norm(relu(convolution)): images, what the convolution multiplies by, the norm's scale and shift -> fields."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, factors: Tensor, scale: Tensor, shift: Tensor, way: Way, pixels: Shared, norm: Norm) -> Tensor:
        fields = way.convolve(images, factors, pixels.active)
        passes, count = _Passes(pixels, fields), fields.numel() // fields.shape[-1]
        mean = passes.run("moments", fields, None, sums=1)[0] / count  # and the ReLU
        if norm.training:
            variance = passes.run("moments", fields, passes.of_fields(mean), sums=1)[0] / count
            norm.remember(mean, variance, count)
        else:
            mean, variance = norm.running_mean.double(), norm.running_var.double()
        inverse = (variance + norm.eps).rsqrt()
        factor, answer = scale.double() * inverse, torch.empty_like(fields)
        passes.run("scaled", fields, passes.of_fields(factor), passes.of_fields(shift.double() - mean * factor), answer)
        ctx.save_for_backward(images, factors, fields, scale, mean, inverse)
        ctx.way, ctx.pixels, ctx.by_batch = way, pixels, norm.training
        return answer

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        images, factors, fields, scale, mean, inverse = ctx.saved_tensors
        way, pixels, passes = ctx.way, ctx.pixels, _Passes(ctx.pixels, fields)
        own, count = torch.empty_like(fields), fields.numel() // fields.shape[-1]
        d_shift, with_fields = passes.run("folded", grad.contiguous(), fields, own, sums=2)
        d_scale = (with_fields - mean * d_shift) * inverse
        factor = scale.double() * inverse
        slope, constant = torch.zeros_like(mean), torch.zeros_like(mean)
        if ctx.by_batch:  # a number moves the batch's mean and variance too
            slope = -factor * inverse * d_scale / count
            constant = -factor * d_shift / count - slope * mean
        passes.run("unscaled", fields, *map(passes.of_fields, (factor, constant, slope)), own)
        d_images = None
        if ctx.needs_input_grad[0]:
            d_images = way.back(own, factors, pixels.active)
        d_factors = way.gradient(images, own, factors, pixels.active) if ctx.needs_input_grad[1] else None
        return d_images, d_factors, d_scale.to(scale.dtype), d_shift.to(scale.dtype), None, None, None


def learn(way: Way, images: Tensor, factors: Tensor, norm: Norm, lit: Tensor) -> Tensor:
    """norm(relu(convolution)) in training, (batch, height, width, |G|, fields_out); ``lit`` as in `Form.learn`."""
    answer: Tensor = _Learning.apply(images, factors, norm.weight, norm.bias, way, shared(lit), norm)  # type: ignore[no-untyped-call]
    return answer
