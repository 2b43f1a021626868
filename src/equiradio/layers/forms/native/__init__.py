"""The steerable convolution in compiled form: by frequencies of the group, with all that lies in between in the cache.

The arithmetic is that of `equiradio.layers.forms.fourier`. There, what lies between bank and product goes through memory, 11 times as
large as the fields; here a few pixels at a time go from fields to fields. Every pixel's sums are made in one order, so that an answer is
the same bit for bit alone and in company, and on any number of threads. Pixels that see nothing but an empty sky are not computed at all:
see `apply`. In training those that all images see alike are computed once, and ReLU and batch norm with them: see `learning`.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from equiradio.errors import SettingRefusal
from equiradio.layers.forms.form import Form, Layer, Norm, Shape
from equiradio.layers.forms.native import library
from equiradio.layers.forms.native.kernels import Kernels, convolve_back, layout_of, product_of
from equiradio.layers.forms.native.learning import Steerable, learn
from equiradio.layers.forms.native.panels import Product
from equiradio.layers.forms.native.plan import SIZE, Layout
from equiradio.layers.forms.spectral import slots
from equiradio.symmetry.spectrum import Spectrum

MOST_ELEMENTS = 32  # of a group, that a kernel has room for


class _Convolution(torch.autograd.Function):
    """Images (batch, height, width, |G|, fields_in), packed weights and the weights that they are made of -> the layer's answer."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, packed: Tensor, weight: Tensor, shape: Shape) -> Tensor:
        ctx.save_for_backward(images, packed, weight)
        ctx.shape = shape
        return Kernels(layout_of(shape, packed.dtype), images, packed.dtype).convolve(images, packed)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        images, packed, weight = ctx.saved_tensors
        grad, d_images, d_packed = grad.contiguous(), None, None
        if ctx.needs_input_grad[0]:
            d_images = convolve_back(ctx.shape, weight, grad, packed.dtype)
        if ctx.needs_input_grad[1]:
            d_packed = Kernels(layout_of(ctx.shape, packed.dtype), images, packed.dtype).gradient(images, grad, packed)
        return d_images, d_packed, None, None


class Native(Form):
    """Compiled for this processor, on a CPU: the quickest form there of every layer, and exact in any company.

    In bf16 only the product multiplies such numbers, where the processor does: fields are float32.
    """

    name = "native"
    leaves_out_empty_sky = True
    finishes = True
    limits = (
        f"{SIZE} x {SIZE} filters, up to {MOST_ELEMENTS} group elements, on a CPU, with kernels that were compiled at installation; "
        "bf16 where the processor multiplies it"
    )

    def possible(self, shape: Shape, device: str, precision: str) -> bool:
        fits = shape.size == SIZE and shape.group.order <= MOST_ELEMENTS and device == "cpu"
        return fits and (library.multiplies_bf16() if precision == "bf16" else library.best() is not None)

    def likely(self, shape: Shape, device: str, precision: str) -> int:
        return 9

    def answers_in(self, precision: str) -> torch.dtype:
        return torch.float32

    def multiply_adds(self, shape: Shape, pixels: int) -> int:
        """Two or four per pair of fields in each block of the product, and 78 in the bank for every component."""
        layout = Layout(shape, Product(1))
        halves = sum(len(layout.halves(block)) for block in range(layout.blocks))
        product = halves * len(slots(shape.group, shape.size)) * 2 * shape.fields_in * shape.fields_out
        return pixels * (product + 78 * Spectrum(shape.group).components * shape.fields_in)

    def prepare(self, layer: Layer) -> Tensor:
        product = product_of(layer.weight.dtype)
        with torch.autocast("cpu", enabled=False):
            return layout_of(layer.shape, product).packed(layer.weight).to(product)

    def apply(self, layer: Layer, fields: Tensor, prepared: Tensor) -> Tensor:
        images = _images(fields, prepared)
        if not (torch.is_grad_enabled() and (images.requires_grad or prepared.requires_grad)):
            return self.apply_finished(layer, fields, prepared, None)
        with torch.autocast("cpu", enabled=False):
            answer = _Convolution.apply(images, prepared, layer.weight.detach(), layer.shape)  # type: ignore[no-untyped-call]
        return answer.permute(0, 4, 3, 1, 2)  # type: ignore[no-any-return]

    def learn(self, layer: Layer, fields: Tensor, prepared: Tensor, norm: Norm, lit: Tensor) -> Tensor:
        with torch.autocast("cpu", enabled=False):
            how = Steerable(layer.shape, layer.weight.detach())
            return learn(how, _images(fields, prepared), prepared, norm, lit).permute(0, 4, 3, 1, 2)

    def apply_finished(self, layer: Layer, fields: Tensor, prepared: Tensor, finish: Tensor | None) -> Tensor:
        with torch.autocast("cpu", enabled=False):
            kernels = Kernels(layout_of(layer.shape, prepared.dtype), images := _images(fields, prepared), prepared.dtype)
            return kernels.answer(images, prepared, finish, layer.empty_sky).permute(0, 4, 3, 1, 2)


def _images(fields: Tensor, prepared: Tensor) -> Tensor:
    """(batch, height, width, |G|, field), as the kernels take them.

    Raises
    ------
    SettingRefusal : they are not in this machine's memory, of a type that there are no kernels for, or only traced.
    """
    if torch.jit.is_tracing():
        expected = "images to compute, since a trace would hold the answer to these alone"
        raise SettingRefusal("form", "native in a trace", expected, "Trace what the network's `export` gives.")
    numbers, elsewhere = prepared.dtype, {fields.device.type, prepared.device.type} - {"cpu"}
    if elsewhere or numbers not in library.PRODUCTS or (numbers == torch.bfloat16 and not library.multiplies_bf16()):
        words = f"native for {str(numbers).removeprefix('torch.')} on {', '.join(sorted(elsewhere)) or 'cpu'}"
        raise SettingRefusal("form", words, Native.limits, "Take another form (`take`), or bring the layer back.")
    return fields.permute(0, 3, 4, 2, 1).to(torch.promote_types(numbers, torch.float32)).contiguous()


FORM = Native()
