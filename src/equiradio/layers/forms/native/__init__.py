"""The steerable convolution in compiled form: by frequencies of the group, with all that lies in between in the cache.

The arithmetic is that of `equiradio.layers.forms.fourier`. There, what lies between bank and product goes through memory, 11 times as
large as the fields; here a few pixels at a time go from fields to fields. Every pixel's sums are made in one order, so that an answer is
the same bit for bit alone and in company, and on any number of threads. Pixels that see nothing but an empty sky are not computed at all:
see `apply`. In training
those that all images see alike are computed once: see `apply_lit`.
"""

import ctypes
from typing import Any, NamedTuple

import torch
from torch import Tensor

from equiradio.layers.forms.form import Form, Layer, Shape
from equiradio.layers.forms.native import library
from equiradio.layers.forms.native.library import address
from equiradio.layers.forms.native.plan import SIZE, Layout, adjoint, plan_of
from equiradio.layers.forms.native.threads import each, strips
from equiradio.layers.forms.spectral import slots
from equiradio.layers.lit import MOST_LIT, seen
from equiradio.symmetry.spectrum import Spectrum

MOST_ELEMENTS = 32  # of a group, that a kernel has room for
STRIP = 19  # rows that a thread takes at a time where only some pixels are computed

Empty = tuple[Tensor, Tensor]  # what a layer is given for an empty sky and what it answers, (height, width, |G|, fields)


def _layout(shape: Shape, numbers: Tensor) -> Layout:
    """How a layer's numbers of this type lie in the kernels' vectors."""
    return Layout(shape, library.kernels().vector_bytes() // numbers.element_size())


class _Kernels:
    """The compiled functions for one layer, images and numbers."""

    def __init__(self, shape: Shape, images: Tensor) -> None:
        self.library, self.kind = library.kernels(), "float64" if images.dtype == torch.float64 else "float32"
        self.layout = _layout(shape, images)
        self.height, self.width = images.shape[1:3]
        self.plan = ctypes.byref(plan_of(self.layout, self.height, self.width, images.dtype))

    def convolve(self, images: Tensor, packed: Tensor, finish: Tensor | None = None, empty: Empty | None = None) -> Tensor:
        """Images (batch, height, width, |G|, fields_in) -> (batch, height, width, |G|, fields_out), finished where that is asked for."""
        answer, run = images.new_empty(*images.shape[:4], self.layout.shape.fields_out), getattr(self.library, f"convolve_{self.kind}")
        padded = None if finish is None else library.padded(finish.to(images.dtype))
        given = [address(packed), address(padded), *map(address, empty or (None, None))]

        def work(task: tuple[int, int, int]) -> int:
            image, low, high = task
            return int(run(self.plan, address(images[image]), *given, address(answer[image]), low, high))

        each(work, strips(len(images), self.height))
        return answer

    def gradient(self, images: Tensor, grad: Tensor, packed: Tensor, active: Tensor | None = None) -> Tensor:
        """The gradient of the packed weights; each image's is added in turn, so that the sum does not depend on the threads.

        ``active`` (batch, height, width) : the pixels where ``grad`` is not 0; None for any.
        """
        name, threads = "gradient" if active is None else "gradient_at", torch.get_num_threads()
        run, total = getattr(self.library, f"{name}_{self.kind}"), torch.zeros_like(packed)
        given = [images, grad] if active is None else [images, grad, active]
        for first in range(0, len(images), threads):
            some = range(first, min(first + threads, len(images)))
            parts = packed.new_zeros(len(some), len(packed))
            each(lambda image: int(run(self.plan, *(address(of[image]) for of in given), address(parts[image - first]))), some)  # noqa: B023
            for part in parts:
                total += part
        return total

    def convolve_at(self, images: Tensor, packed: Tensor, active: Tensor) -> Tensor:
        """As `convolve` at the pixels of ``active`` (batch, height, width); 0 at the others."""
        answer = images.new_zeros(*images.shape[:4], self.layout.shape.fields_out)
        run, weights = getattr(self.library, f"convolve_at_{self.kind}"), address(packed)

        def work(task: tuple[int, int]) -> int:
            image, low = task
            high = min(low + STRIP, self.height)
            return int(run(self.plan, address(images[image]), weights, address(active[image]), address(answer[image]), low, high))

        each(work, ((image, low) for image in range(len(images)) for low in range(0, self.height, STRIP)))
        return answer


class _Shared(NamedTuple):
    """Pixels that are computed, (batch, height, width), and which image's is taken for those that are not, (height, width)."""

    active: Tensor
    instead: Tensor

    def fill(self, fields: Tensor) -> Tensor:
        """Fields (batch, height, width, |G|, fields) with the pixels that were not computed put in, in place."""
        self._run("share", fields, address(fields))
        return fields

    def fill_back(self, grad: Tensor) -> Tensor:
        """The adjoint: gradients of pixels that were not computed go to those taken for them."""
        out = torch.empty_like(grad)
        self._run("share_back", grad, address(grad), address(out))
        return out

    def _run(self, name: str, fields: Tensor, *at: ctypes.c_void_p) -> None:
        run = getattr(library.kernels(), f"{name}_{'float64' if fields.dtype == torch.float64 else 'float32'}")
        pixels, step = self.instead.numel(), STRIP * self.instead.shape[1]
        counts = len(fields), ctypes.c_size_t(pixels), ctypes.c_size_t(fields[0, 0, 0].numel()), address(self.active), address(self.instead)

        def work(low: int) -> int:
            return int(run(*counts, *at, ctypes.c_size_t(low), ctypes.c_size_t(min(low + step, pixels))))

        each(work, range(0, pixels, step))


def _shared(lit: Tensor) -> _Shared | None:
    """The first image that shows empty sky at a pixel is taken for all that do; None where too little would be saved."""
    instead, empty = torch.zeros_like(lit[0], dtype=torch.int32), ~lit
    for image in reversed(range(len(lit))):
        instead.masked_fill_(empty[image], image)
    active = lit.scatter(0, instead[None].long(), True)
    return _Shared(active, instead) if int(active.sum()) <= MOST_LIT * active.numel() else None


class _Convolution(torch.autograd.Function):
    """Images (batch, height, width, |G|, fields_in), packed weights and the weights that they are made of -> the layer's answer."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, packed: Tensor, weight: Tensor, shape: Shape, shared: _Shared | None) -> Tensor:
        ctx.save_for_backward(images, packed, weight)
        ctx.shape, ctx.shared = shape, shared
        kernels = _Kernels(shape, images)
        return shared.fill(kernels.convolve_at(images, packed, shared.active)) if shared else kernels.convolve(images, packed)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None, None, None]:
        images, packed, weight = ctx.saved_tensors
        grad, shape, shared = grad.contiguous(), ctx.shape, ctx.shared
        grad = shared.fill_back(grad) if shared else grad
        d_images = d_packed = None
        if ctx.needs_input_grad[0]:
            back = _Kernels(shape._replace(fields_in=shape.fields_out, fields_out=shape.fields_in), grad)
            turned = back.layout.packed(adjoint(weight, shape.group, shape.size))
            d_images = back.convolve_at(grad, turned, seen(shared.active, shape.size)) if shared else back.convolve(grad, turned)
        if ctx.needs_input_grad[1]:
            d_packed = _Kernels(shape, images).gradient(images, grad, packed, shared.active if shared else None)
        return d_images, d_packed, None, None, None


def _answer(layer: Layer, images: Tensor, prepared: Tensor, finish: Tensor | None) -> Tensor:
    """The layer's answer without a gradient; pixels that see nothing but an empty sky are copied from its answer to one."""
    kernels, sky = _Kernels(layer.shape, images), layer.empty_sky
    if sky is None or not sky.is_like(images):
        return kernels.convolve(images, prepared, finish)
    empty = sky.answer(prepared, finish, lambda fields: kernels.convolve(fields, prepared, finish))
    return kernels.convolve(images, prepared, finish, (sky.fields, empty))


class Native(Form):
    """Compiled for this processor, on a CPU in float32 or float64: the quickest form there of every layer, and exact in any company."""

    name = "native"
    leaves_out_empty_sky = True
    finishes = True
    limits = f"{SIZE} x {SIZE} filters, up to {MOST_ELEMENTS} group elements, float32, CPU, and kernels that were compiled at installation"

    def possible(self, shape: Shape, device: str, precision: str) -> bool:
        fits = shape.size == SIZE and shape.group.order <= MOST_ELEMENTS
        return fits and device == "cpu" and precision == "float32" and library.best() is not None

    def likely(self, shape: Shape, device: str, precision: str) -> int:
        return 9

    def multiply_adds(self, shape: Shape, pixels: int) -> int:
        """Two or four per pair of fields in each block of the product, and 78 in the bank for every component."""
        layout = Layout(shape, 1)
        halves = sum(len(layout.halves(block)) for block in range(layout.blocks))
        product = halves * len(slots(shape.group, shape.size)) * 2 * shape.fields_in * shape.fields_out
        return pixels * (product + 78 * Spectrum(shape.group).components * shape.fields_in)

    def prepare(self, layer: Layer) -> Tensor:
        return _layout(layer.shape, layer.weight).packed(layer.weight)

    def apply(self, layer: Layer, fields: Tensor, prepared: Tensor) -> Tensor:
        return self._apply(layer, fields, prepared)

    def apply_lit(self, layer: Layer, fields: Tensor, prepared: Tensor, lit: Tensor) -> Tensor:
        return self._apply(layer, fields, prepared, _shared(lit))

    def _apply(self, layer: Layer, fields: Tensor, prepared: Tensor, shared: _Shared | None = None) -> Tensor:
        images = _images(fields, prepared)
        if not (torch.is_grad_enabled() and (images.requires_grad or prepared.requires_grad)):
            return self.apply_finished(layer, fields, prepared, None)
        with torch.autocast("cpu", enabled=False):
            answer = _Convolution.apply(images, prepared, layer.weight.detach(), layer.shape, shared)  # type: ignore[no-untyped-call]
        return answer.permute(0, 4, 3, 1, 2)  # type: ignore[no-any-return]

    def apply_finished(self, layer: Layer, fields: Tensor, prepared: Tensor, finish: Tensor | None) -> Tensor:
        with torch.autocast("cpu", enabled=False):
            return _answer(layer, _images(fields, prepared), prepared, finish).permute(0, 4, 3, 1, 2)


def _images(fields: Tensor, prepared: Tensor) -> Tensor:
    """(batch, height, width, |G|, field), as the kernels take them."""
    return fields.permute(0, 3, 4, 2, 1).to(prepared.dtype).contiguous()


FORM = Native()
