"""An ordinary convolution compiled: the product of the steerable one, of windows in place of a filter bank, with a bias."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from equiradio.layers.forms.form import EmptySky
from equiradio.layers.forms.native import panels, passes
from equiradio.layers.forms.native.kernels import Kernels, product_of, ways_of
from equiradio.layers.forms.native.learning import Multiplied
from equiradio.layers.forms.native.panels import Product
from equiradio.layers.forms.native.plan import SIZE, Plan, chunk_of, holding
from equiradio.layers.lit import seen


@dataclass(frozen=True)
class Windows:
    """How an ordinary layer's numbers lie: a row of the product is a window, row by row in whole units, and a 1 for the bias."""

    fields_in: int
    fields_out: int
    product: Product

    @property
    def row(self) -> int:
        """Numbers of a row of the window, filled up with 0 to what the product takes at a time."""
        return self.product.whole(SIZE * self.fields_in)

    @property
    def depth(self) -> int:
        """Numbers of a row of the product."""
        return SIZE * self.row + self.product.together

    @property
    def vectors_out(self) -> int:
        return -(-self.fields_out // self.product.lanes)

    def packed(self, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Filters (fields_out, fields_in, size, size) and bias (fields_out,) as the kernels take them; gradients go back the same way."""
        windows = F.pad(weight.permute(2, 3, 1, 0).flatten(1, 2), (0, 0, 0, self.row - SIZE * self.fields_in)).flatten(0, 1)
        last = weight.new_zeros(1, self.fields_out) if bias is None else bias[None]
        columns = torch.cat([windows, F.pad(last, (0, 0, 0, self.product.together - 1))])
        wide = F.pad(columns, (0, self.vectors_out * self.product.lanes - self.fields_out))
        return panels.packed([wide], self.product)

    def as_packed(self, gradient: Tensor) -> Tensor:
        """See `Arranged`."""
        return panels.in_order(gradient, [(self.depth, self.vectors_out * self.product.lanes)], self.product)

    def plan(self, height: int, width: int, dtype: torch.dtype) -> Plan:
        """See `Arranged`."""
        return _plan(self, height, width, dtype)


@lru_cache(maxsize=64)
def _plan(layout: Windows, height: int, width: int, dtype: torch.dtype) -> Plan:
    """The plan of a layer for images of one size; holds the arrays that it points to."""
    plan = Plan(height, width, 1, layout.fields_in, layout.fields_out)
    product = layout.product
    plan.blocks, plan.depth = 1, product.apart(layout.depth) // product.together
    plan.chunk = chunk_of(plan, dtype, product)
    deep = product.whole(layout.depth) // product.together
    return holding(plan, {"columns": np.array([layout.vectors_out], np.intc), "deep": np.array([deep], np.intc)})


def windows_of(weight: Tensor, product: torch.dtype) -> Windows:
    """How the numbers of a layer with these filters lie in the kernels' vectors."""
    return Windows(weight.shape[1], weight.shape[0], ways_of(product))


def fits(weight: Tensor, channels: Tensor | None = None) -> bool:
    """Can the kernels take a layer with these filters, and fields (batch, channels, height, width) where they are given?"""
    given = [weight.detach()] if channels is None else [channels, weight]
    rounds = torch.is_autocast_enabled("cpu") and product_of(weight.dtype) == weight.dtype  # and the kernels cannot
    return not rounds and weight.shape[-1] == SIZE and passes.fits(*given)


def possible(weight: Tensor, channels: Tensor | None = None) -> bool:
    """The same, where no gradient is wanted."""
    return fits(weight, channels) and not passes.learns(weight, *([] if channels is None else [channels]))


def convolve(images: Tensor, packed: Tensor, weight: Tensor, finish: Tensor | None, sky: EmptySky | None) -> Tensor:
    """Images (batch, height, width, 1, fields_in) -> (batch, fields_out, height, width); ``weight`` is what was packed."""
    kernels = Kernels(windows_of(weight, packed.dtype), images, packed.dtype)
    return kernels.answer(images, packed, finish, sky)[:, :, :, 0].permute(0, 3, 1, 2)


def prepare(weight: Tensor, bias: Tensor | None, product: torch.dtype) -> Tensor:
    """What is multiplied by, of filters and bias."""
    return windows_of(weight, product).packed(weight, bias).to(product)


@dataclass(frozen=True)
class Ordinary(Multiplied):
    """With free filters ``weight`` (fields_out, fields_in, size, size)."""

    weight: Tensor

    def layout(self, product: torch.dtype) -> Windows:
        return windows_of(self.weight, product)

    def back(self, grad: Tensor, factors: Tensor, active: Tensor) -> Tensor:
        """The gradient of the images: filters turned by half a turn take it there."""
        turned = self.weight.flip(2, 3).transpose(0, 1)
        kernels = Kernels(windows_of(turned, factors.dtype), grad, factors.dtype)
        return kernels.convolve_at(grad, prepare(turned, None, factors.dtype), seen(active, SIZE), zeros=True)
