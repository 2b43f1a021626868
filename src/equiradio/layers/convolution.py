"""Convolutions of the sky and of regular fields: ordinary convolutions with a filter that a group has shaped.

A layer between regular fields is computed in one of the forms of `layers/forms/`, with the same weights and numbers; `compute/forms.py`
says which is quicker.

Regular fields are tensors (batch, field, |G|, height, width), laid out in memory group-major with channels last, so that flattening the
(element, field) axes into channels and taking them apart again costs nothing.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equiradio.layers.fields import fitting, to_channels, to_fields
from equiradio.layers.forms import EmptySky, Form, Norm, Shape, form_of
from equiradio.layers.forms.dense import FORM as DENSE
from equiradio.layers.forms.form import finished
from equiradio.layers.forms.native import learning, ordinary, passes
from equiradio.layers.forms.native.kernels import product_of
from equiradio.layers.initialisation import weight_scale
from equiradio.symmetry.groups import Group
from equiradio.symmetry.harmonics import moved_filters


@lru_cache
def _harmonics(group: Group, size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Filters moved by each element, (|G|, B, size, size). No buffers: a module cast to float32 and back would round them."""
    with torch.inference_mode(False):
        return torch.from_numpy(moved_filters(group, size)).to(device, dtype)


@lru_cache
def _tables(group: Group, device: torch.device) -> tuple[Tensor, Tensor]:
    """The group's ``relative`` and ``product`` tables on a device."""
    with torch.inference_mode(False):
        return torch.from_numpy(group.relative).to(device), torch.from_numpy(group.product).to(device)


class _GatherRelative(torch.autograd.Function):
    """weight (d, ...) -> (g, h, ...) with d = g^-1 h. Backward gathers too (h = g d), no scatter: fast, and the same numbers every time."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, relative: Tensor, product: Tensor) -> Tensor:
        ctx.save_for_backward(product)
        return weight[relative]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (product,) = ctx.saved_tensors
        return grad[torch.arange(len(product), device=product.device)[:, None], product].sum(0), None, None


def state_of(tensors: Iterable[Tensor]) -> tuple[object, ...]:
    """What tells whether tensors, or the precision that they are used in, have changed since; inference tensors tell nothing."""
    some = list(tensors)
    kind = some[0].device.type
    cast = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None
    return cast, *((each.data_ptr(), each._version, each.dtype, each.device) for each in some)


class Prepared(nn.Module, ABC):
    """What convolutions share: what they multiply by, made of their weights and kept while those stay as they are."""

    _kept: tuple[tuple[object, ...], Tensor, list[Tensor]] | None = None
    empty_sky: EmptySky | None = None  # what the layer was shown of one

    @property
    @abstractmethod
    def finishes(self) -> bool:
        """Does `forward` save a pass over the fields where it is given ``finish``? See `Form.apply_finished`."""

    @property
    def leaves_out_empty_sky(self) -> bool:
        """Does it make use of `empty_sky`, and in training of what `learn` is given?"""
        return False

    @abstractmethod
    def columns(self, fields: Tensor) -> Tensor:
        """Fields as they lie for the compiled kernels: what belongs to a pixel last."""

    @abstractmethod
    def _prepare(self) -> Tensor:
        """What the layer multiplies by, made of the weights."""

    @abstractmethod
    def learn(self, fields: Tensor, norm: Norm, lit: Tensor) -> Tensor:
        """norm(relu(self(fields))) in training; ``lit`` (batch, height, width): see `Form.learn`."""

    def prepared(self) -> Tensor:
        """What the layer multiplies by: made anew where a gradient is wanted, in evaluation kept while the weights don't change.

        A change through ``weight.data`` in place, or by a fused optimiser, is invisible to torch. What was kept is forgotten where a
        gradient is wanted, as before every step it is; after a change without one call `train` or `eval`.
        """
        weights: list[Tensor] = list(self.parameters(recurse=False))
        if self.training or torch.is_grad_enabled() or any(weight.is_inference() for weight in weights):
            self._kept = None
            return self._prepare()
        key, prepared = state_of(weights), self._kept
        if prepared is None or prepared[0] != key:
            # the weights hold their memory, so that no other comes to lie there
            prepared = self._kept = key, self._prepare(), [weight.detach() for weight in weights]
        return prepared[1]

    def train(self, mode: bool = True) -> Self:
        self._kept = None
        return super().train(mode)


class SteeredConvolution(Prepared):
    """What lifting and regular convolutions share: an ordinary filter made from weights, kept while the weights stay as they are."""

    def __init__(self, fields_in: int, fields_out: int, group: Group, size: int, weight_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.fields_in, self.fields_out, self.group, self.size = fields_in, fields_out, group, size
        scale = torch.from_numpy(weight_scale(size)).float()
        normal = torch.randn(*weight_shape, len(scale))
        self.weight = nn.Parameter(normal * scale.to(normal.device) / math.sqrt(math.prod(weight_shape[1:])))

    @abstractmethod
    def filters(self) -> Tensor:
        """The ordinary convolution filter (channels out, channels in, size, size)."""

    def _prepare(self) -> Tensor:
        with torch.autocast(self.weight.device.type, enabled=False):
            return self.filters()

    def export(self) -> nn.Conv2d:
        """An ordinary convolution with the same numbers, on channels as `to_channels` orders them."""
        with torch.autocast(self.weight.device.type, enabled=False):
            filters = self.filters().detach()
        plain = nn.Conv2d(filters.shape[1], filters.shape[0], self.size, padding=self.size // 2, bias=False)
        plain.weight = nn.Parameter(filters.clone(memory_format=torch.contiguous_format))
        return plain.train(self.training)

    def extra_repr(self) -> str:
        return f"{self.fields_in} -> {self.fields_out} fields, {self.group.name}, {self.size}x{self.size}"


class LiftingConvolution(SteeredConvolution):
    """From the sky to regular fields: K[o, g, i](p) = sum_b W[o, i, b] psi_b(g^-1 p).

    forward(images (batch, fields_in, height, width)) -> (batch, fields_out, |G|, height, width). ``weight`` is (fields_out, fields_in, B).
    Source: Weiler & Cesa 2019, trivial to regular representation.
    """

    def __init__(self, fields_in: int, fields_out: int, group: Group, size: int = 5) -> None:
        super().__init__(fields_in, fields_out, group, size, (fields_out, fields_in))

    def filters(self) -> Tensor:
        harmonics = _harmonics(self.group, self.size, self.weight.dtype, self.weight.device)
        return torch.einsum("oib,gbyx->goiyx", self.weight, harmonics).flatten(0, 1)

    @property
    def finishes(self) -> bool:
        return passes.possible(self.weight.detach())

    def columns(self, fields: Tensor) -> Tensor:
        """(batch, fields_in, height, width) -> (batch, height, width, fields_in)."""
        return fields.permute(0, 2, 3, 1).contiguous()

    def forward(self, images: Tensor, finish: Tensor | None = None) -> Tensor:
        filters = self.prepared()
        if passes.possible(images, filters):  # in float32 under an autocast too: quicker, where the sky is empty
            after = None if finish is None else finish.repeat(1, self.group.order)
            lifted = passes.lift(self.columns(images), filters, after, self.empty_sky)
            return to_fields(lifted.permute(0, 3, 1, 2), self.group.order)
        channels = F.conv2d(images, filters, padding=self.size // 2).contiguous(memory_format=torch.channels_last)
        fields = to_fields(channels, self.group.order)
        return fields if finish is None else finished(fields, finish)

    def learn(self, fields: Tensor, norm: Norm, lit: Tensor) -> Tensor:
        filters, images = self.prepared(), self.columns(fields)
        if fields.requires_grad or not passes.fits(images, filters):
            return norm(F.relu(self(fields)))
        return learning.learn(learning.Lifting(self.group.order), images, filters, norm, lit).permute(0, 4, 3, 1, 2)


class SteerableConvolution(SteeredConvolution):
    """From regular fields to regular fields: K[o, g, i, h](p) = sum_b W[o, i, g^-1 h, b] psi_b(g^-1 p).

    forward(fields (batch, fields_in, |G|, height, width)) -> (batch, fields_out, |G|, height, width). ``weight`` is (fields_out, fields_in,
    |G|, B): 11 |G| numbers per pair of fields at 5x5. ``form`` is how it is computed, not what: see `take`. Source: Weiler & Cesa 2019,
    regular to regular representation.
    """

    def __init__(self, fields_in: int, fields_out: int, group: Group, size: int = 5) -> None:
        super().__init__(fields_in, fields_out, group, size, (fields_out, fields_in, group.order))
        self._form: Form = DENSE

    @property
    def shape(self) -> Shape:
        return Shape(self.group, self.fields_in, self.fields_out, self.size)

    @property
    def form(self) -> Form:
        """How the layer is computed."""
        return self._form

    def take(self, form: Form | str, precision: str = "float32", device: str | None = None) -> None:
        """Compute in this form from now on: one of `layers/forms/`, itself or by its name.

        Parameters
        ----------
        form : a form or its name.
        precision : float32 or bf16, that the layer will be asked for.
        device : cpu or cuda, where it will be; by default where it is.

        Raises
        ------
        SettingRefusal : there is no such form, or not for such a layer there.
        """
        self._form, self._kept = form_of(form, self.shape, device or self.weight.device.type, precision), None

    def filters(self) -> Tensor:
        harmonics = _harmonics(self.group, self.size, self.weight.dtype, self.weight.device)
        relative, product = _tables(self.group, self.weight.device)
        by_element = self.weight.permute(2, 0, 1, 3)
        weight = _GatherRelative.apply(by_element, relative, product)  # type: ignore[no-untyped-call]  # (g, h, o, i, b)
        columns = weight.permute(0, 2, 1, 3, 4).flatten(1, 3)  # (g, o h i, b)
        shape = (self.group.order * self.fields_out, self.group.order * self.fields_in, self.size, self.size)
        return torch.bmm(columns, harmonics.flatten(2)).view(shape)

    def _prepare(self) -> Tensor:
        return self._form.prepare(self)

    @property
    def finishes(self) -> bool:
        return self._form.finishes

    @property
    def leaves_out_empty_sky(self) -> bool:
        return self._form.leaves_out_empty_sky

    def columns(self, fields: Tensor) -> Tensor:
        """(batch, fields_in, |G|, height, width) -> (batch, height, width, |G|, fields_in)."""
        return fields.permute(0, 3, 4, 2, 1).contiguous()

    def forward(self, fields: Tensor, finish: Tensor | None = None) -> Tensor:
        """``finish``, in evaluation only: see `Form.apply_finished`."""
        if finish is not None:
            return self._form.apply_finished(self, fitting(fields, self.weight), self.prepared(), finish)
        return self._form.apply(self, fitting(fields, self.weight), self.prepared())

    def learn(self, fields: Tensor, norm: Norm, lit: Tensor) -> Tensor:
        return self._form.learn(self, fitting(fields, self.weight), self.prepared(), norm, lit)


class PlainConvolution(Prepared, nn.Conv2d):
    """An ordinary "same" convolution with bias, fields of one element (batch, channel, 1, height, width): no symmetry but translation.

    Compiled where the kernels take it, and where no gradient is wanted or pixels that see nothing but empty sky are left out in training.
    """

    def __init__(self, fields_in: int, fields_out: int, size: int = 5) -> None:
        nn.Conv2d.__init__(self, fields_in, fields_out, size, padding=size // 2)

    def _prepare(self) -> Tensor:
        product = product_of(self.weight.dtype)
        with torch.autocast(self.weight.device.type, enabled=False):
            return ordinary.prepare(self.weight, self.bias, product)

    @property
    def finishes(self) -> bool:
        return ordinary.possible(self.weight.detach())

    @property
    def leaves_out_empty_sky(self) -> bool:
        return self.finishes

    def columns(self, fields: Tensor) -> Tensor:
        """(batch, channel, 1, height, width), or images without the 1 -> (batch, height, width, 1, channel)."""
        return _channels(fields).permute(0, 2, 3, 1).contiguous()[:, :, :, None]

    def forward(self, fields: Tensor, finish: Tensor | None = None) -> Tensor:
        """``finish``, in evaluation only: see `Form.apply_finished`."""
        channels = _channels(fields)
        if ordinary.possible(self.weight, channels):
            return to_fields(ordinary.convolve(self.columns(fields), self.prepared(), self.weight, finish, self.empty_sky), 1)
        answer = to_fields(super().forward(channels).contiguous(memory_format=torch.channels_last), 1)
        return answer if finish is None else finished(answer, finish)

    def learn(self, fields: Tensor, norm: Norm, lit: Tensor) -> Tensor:
        if not ordinary.fits(self.weight, _channels(fields)):
            return norm(F.relu(self(fields)))
        factors = self.prepared()
        with torch.autocast("cpu", enabled=False):
            way = ordinary.Ordinary(self.weight.detach())
            return learning.learn(way, self.columns(fields), factors, norm, lit).permute(0, 4, 3, 1, 2)


def _channels(fields: Tensor) -> Tensor:
    """(batch, channel, height, width), which images are already."""
    return fields if fields.dim() == 4 else to_channels(fields)
