"""The compiled functions of a convolution, for images of one size: its answer, and the gradient of its weights."""

import ctypes
from typing import Any, Protocol

import torch
from torch import Tensor

from equiradio.layers.forms.form import EmptySky, Shape
from equiradio.layers.forms.native import library
from equiradio.layers.forms.native.library import address
from equiradio.layers.forms.native.panels import Product
from equiradio.layers.forms.native.plan import Layout, Plan, adjoint
from equiradio.layers.forms.native.threads import each, strips

Empty = tuple[Tensor, Tensor]  # what a layer is given for an empty sky and what it answers, (height, width, |G|, fields)


class Arranged(Protocol):
    """How a convolution's numbers lie, and what the kernels are told of it."""

    @property
    def fields_out(self) -> int: ...

    def plan(self, height: int, width: int, dtype: torch.dtype) -> Plan:
        """For images of one size and type."""

    def as_packed(self, gradient: Tensor) -> Tensor:
        """A gradient of the weights as the kernels add it up, in the order of packed weights."""


def ways_of(product: torch.dtype) -> Product:
    """How the kernels multiply such numbers; bf16 are added up in vectors of float32."""
    bytes_, halves = library.kernels().vector_bytes(), product == torch.bfloat16
    return Product(bytes_ // 4, 2, library.kernels().bf16_step()) if halves else Product(bytes_ // product.itemsize)


def layout_of(shape: Shape, product: torch.dtype) -> Layout:
    """How a steerable layer's numbers lie in the kernels' vectors."""
    return Layout(shape, ways_of(product))


class Kernels:
    """The compiled functions for one convolution and images (batch, height, width, |G|, fields_in).

    ``product`` : type of the numbers that are multiplied, that of the images or bf16, if those are float32.
    ``active`` (batch, height, width) : pixels of the answer that are asked for.
    """

    def __init__(self, layout: Arranged, images: Tensor, product: torch.dtype) -> None:
        self.layout, self.product = layout, product
        self.height, self.width = images.shape[1:3]
        self.plan = ctypes.byref(layout.plan(self.height, self.width, images.dtype))

    def answer(self, images: Tensor, packed: Tensor, finish: Tensor | None, sky: EmptySky | None) -> Tensor:
        """As `convolve`; pixels that see nothing but an empty sky, where one was shown, are copied from the answer to that."""
        if sky is None or not sky.is_like(images):
            return self.convolve(images, packed, finish)
        empty = sky.answer(packed, finish, lambda fields: self.convolve(fields, packed, finish))
        return self.convolve(images, packed, finish, (sky.fields, empty))

    def convolve(self, images: Tensor, packed: Tensor, finish: Tensor | None = None, empty: Empty | None = None) -> Tensor:
        """The layer's answer (batch, height, width, |G|, fields_out), finished where that is asked for."""
        answer, run = self._answer(images), library.kernel("convolve", self.product)
        padded = None if finish is None else library.padded(finish.to(images.dtype))
        given = [address(packed), address(padded), *map(address, empty or (None, None))]

        def work(task: tuple[int, int, int]) -> int:
            image, low, high = task
            return int(run(self.plan, address(images[image]), *given, address(answer[image]), low, high))

        each(work, strips(len(images), self.height))
        return answer

    def convolve_at(self, images: Tensor, packed: Tensor, active: Tensor, *, zeros: bool = False) -> Tensor:
        """As `convolve` at the active pixels; at the others 0, or whatever lies there in memory."""
        answer, run = self._answer(images), library.kernel("convolve_at", self.product)

        def work(task: tuple[int, int, int]) -> int:
            image, low, high = task
            given = [address(each) for each in (images[image], packed, active[image])]
            return int(run(self.plan, *given, int(zeros), address(answer[image]), low, high))

        each(work, strips(len(images), self.height))
        return answer

    def gradient(self, images: Tensor, grad: Tensor, packed: Tensor, active: Tensor | None = None) -> Tensor:
        """The gradient of the packed weights; ``grad`` is 0 where pixels are not active, or its numbers there are left out."""
        run = library.kernel("gradient" if active is None else "gradient_at", self.product)
        given = [images, grad] if active is None else [images, grad, active]

        def work(image: int, part: Tensor) -> int:
            return int(run(self.plan, *(address(of[image]) for of in given), address(part)))

        return self.layout.as_packed(added_up(work, len(images), packed.to(images.dtype)))

    def _answer(self, images: Tensor) -> Tensor:
        return images.new_empty(*images.shape[:4], self.layout.fields_out)


def added_up(work: Any, images: int, like: Tensor) -> Tensor:
    """What ``work`` adds for every image to a tensor of zeros, the images in turn, so that the sum does not depend on the threads."""
    threads, total = torch.get_num_threads(), torch.zeros_like(like)
    for first in range(0, images, threads):
        some = range(first, min(first + threads, images))
        parts = like.new_zeros(len(some), *like.shape)
        each(lambda image: work(image, parts[image - first]), some)  # noqa: B023
        for part in parts:
            total += part
    return total


def product_of(numbers: torch.dtype) -> torch.dtype:
    """What layers with weights of this type multiply here: bf16 inside an autocast, where the kernels can."""
    halved = numbers == torch.float32 and torch.is_autocast_enabled("cpu") and library.multiplies_bf16()
    return torch.bfloat16 if halved else numbers


def convolve_back(shape: Shape, weight: Tensor, grad: Tensor, product: torch.dtype, wanted: Tensor | None = None) -> Tensor:
    """Gradients of the images, from those of the answer; 0 but at the pixels that are wanted (batch, height, width)."""
    layout = layout_of(shape._replace(fields_in=shape.fields_out, fields_out=shape.fields_in), product)
    turned, back = layout.packed(adjoint(weight, shape.group, shape.size)).to(product), Kernels(layout, grad, product)
    return back.convolve(grad, turned) if wanted is None else back.convolve_at(grad, turned, wanted, zeros=True)
