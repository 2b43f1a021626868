"""The steerable convolution in group-Fourier form: the same weights and numbers as the dense form, by fewer operations.

A filter bank applies every circular harmonic to every frequency of every field; then one matrix product per frequency bin joins what the
harmonics of signed frequency s bring to bin k from bin k + s:

    Y[o, k] = sum_{harmonics, s} sum_i A_s[o, i, k] (Z_s * X[i, k + s])

22 |G| multiply-adds per pixel and pair of 5x5 fields (and 275 |G| per pixel and field for the bank) instead of 25 |G|^2. What lies
between bank and product is 11 times as large as the fields: it is made piece by piece of the batch, and again going backward. Source:
the Fourier transform over the group of Weiler & Cesa 2019's regular filters; real weights for dihedral groups by Schur's lemma.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from equiradio.layers.forms.form import Form, Layer, Shape
from equiradio.layers.forms.spectral import Slot, slots, spectral_weight
from equiradio.symmetry.groups import Group
from equiradio.symmetry.harmonics import harmonic_basis
from equiradio.symmetry.spectrum import Spectrum

LEAST_ORDER = 8  # of a group: below, this form loses everywhere (docs/notebook/performance.md)
SURE_ORDER, SURE_RUN = 16, 32  # of a group, and fields in one copy of it: from here on this form wins on every machine seen
PIECE = 1 << 28  # bytes between bank and product at a time on a GPU; on a CPU a piece is one image


@lru_cache
def _transforms(group: Group, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """Analysis and synthesis over the group."""
    spectrum = Spectrum(group)
    with torch.inference_mode(False):
        return tuple(torch.from_numpy(np.ascontiguousarray(matrix)).to(device, dtype) for matrix in (spectrum.analysis, spectrum.synthesis))  # type: ignore[return-value]


@lru_cache
def _planes(size: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cosine and sine of every harmonic, (harmonics, size, size) each."""
    planes = harmonic_basis(size).planes
    with torch.inference_mode(False):
        return torch.from_numpy(planes.real.copy()).to(device, dtype), torch.from_numpy(planes.imag.copy()).to(device, dtype)


@dataclass(frozen=True)
class _Bank:
    """The filter bank of one layer: from components of fields to what the product takes, and back."""

    group: Group
    size: int

    @property
    def spectrum(self) -> Spectrum:
        return Spectrum(self.group)

    def _apply(self, components: Tensor, filters: Tensor) -> Tensor:
        """One filter on every component: (images, height, width, c) -> the same shape."""
        count = components.shape[-1]
        bank = filters.expand(count, 1, self.size, self.size)
        return F.conv2d(components.permute(0, 3, 1, 2), bank, padding=self.size // 2, groups=count).permute(0, 2, 3, 1)

    def _parts(self, components: Tensor) -> Tensor:
        """(images, height, width, c) -> (bins, parts, pixels, c of one part)."""
        return components.reshape(-1, self.spectrum.bins, 2, components.shape[-1] // (2 * self.spectrum.bins)).permute(1, 2, 0, 3)

    def _room(self, pixels: int, fields: int, like: Tensor) -> tuple[Tensor, Tensor]:
        """Memory between bank and product: (blocks, pixels, slots * 2 * fields), and the same seen as (bins, parts, pixels, slots, -)."""
        count, bins = len(slots(self.group, self.size)), self.spectrum.bins
        if self.group.mirrored:
            room = like.new_empty(bins, 2, pixels, count, 2 * fields)
            return room.view(bins * 2, pixels, -1), room
        room = like.new_empty(bins, pixels, count, 2, fields)
        return room.view(bins, pixels, -1), room.permute(0, 3, 1, 2, 4)

    def _turned(self, slot: Slot) -> int:
        return slot.frequency % 2 if self.group.mirrored else 0

    def spread(self, components: Tensor, fields: int) -> Tensor:
        """Components (images, height, width, c) -> what the product takes, (blocks, pixels, slots * 2 * fields)."""
        cosines, sines = _planes(self.size, components.dtype, components.device)
        matrix, room = self._room(components.shape[:3].numel(), fields, components)
        cosine = sine = self._parts(components)
        last = 0  # harmonic 0 is the pixel itself
        for number, slot in enumerate(slots(self.group, self.size)):
            if slot.harmonic != last:
                last = slot.harmonic
                cosine = self._parts(self._apply(components, cosines[last]))
                if slot.frequency:
                    sine = self._parts(self._apply(components, sines[last]))
            for run in slot.runs:
                for part in range(2):
                    there, here, sign = room[run.outputs, part, :, number], run.inputs, run.sign
                    kind = part ^ self._turned(slot)
                    if not slot.frequency:
                        there.copy_(cosine[here, kind])
                    else:
                        torch.add(cosine[here, kind], sine[here, 1 - kind], alpha=sign if kind else -sign, out=there)
        return matrix

    def gather(self, matrix: Tensor, like: Tensor, fields: int) -> Tensor:
        """Adjoint of `spread`: gradients of what the product takes -> of the components."""
        cosines, sines = _planes(self.size, like.dtype, like.device)
        pixels, count, bins = like.shape[:3].numel(), len(slots(self.group, self.size)), self.spectrum.bins
        if self.group.mirrored:
            room = matrix.view(bins, 2, pixels, count, 2 * fields)
        else:
            room = matrix.view(bins, pixels, count, 2, fields).permute(0, 3, 1, 2, 4)
        total = torch.zeros_like(like)
        every = slots(self.group, self.size)
        for harmonic in range(len(harmonic_basis(self.size).frequencies)):
            numbers = [number for number, slot in enumerate(every) if slot.harmonic == harmonic]
            d_cosine, d_sine = torch.zeros_like(like), torch.zeros_like(like) if len(numbers) > 1 else None
            for number in numbers:
                slot = every[number]
                for run in slot.runs:
                    for part in range(2):
                        here, kind, sign = run.inputs, part ^ self._turned(slot), run.sign
                        grad = room[run.outputs, part, :, number]
                        self._parts(d_cosine)[here, kind].add_(grad)
                        if d_sine is not None:
                            self._parts(d_sine)[here, 1 - kind].add_(grad, alpha=sign if kind else -sign)
            total += d_cosine if harmonic == 0 else self._apply(d_cosine, cosines[harmonic].flip(0, 1))
            if d_sine is not None:
                total += self._apply(d_sine, sines[harmonic].flip(0, 1))
        return total


def _pieces(components: Tensor, bank: _Bank) -> list[slice]:
    size = 1
    if components.device.type != "cpu" and len(components):
        size = max(1, PIECE // (components[0].numel() * components.element_size() * len(slots(bank.group, bank.size))))
    return [slice(start, start + size) for start in range(0, len(components), size)]


class _Product(torch.autograd.Function):
    """Bank and product: components (images, height, width, c in), matrices -> components (images, height, width, c out)."""

    @staticmethod
    def forward(ctx: Any, components: Tensor, matrices: Tensor, bank: _Bank) -> Tensor:
        ctx.save_for_backward(components, matrices)
        ctx.bank = bank
        fields = components.shape[-1] // bank.spectrum.components
        wide = matrices.shape[0] * matrices.shape[2]
        answer = components.new_empty(*components.shape[:3], wide)
        for piece in _pieces(components, bank):
            product = torch.bmm(bank.spread(components[piece], fields), matrices)
            answer[piece].view(-1, len(matrices), matrices.shape[2]).copy_(product.transpose(0, 1))
        return answer

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        components, matrices = ctx.saved_tensors
        bank: _Bank = ctx.bank
        fields = components.shape[-1] // bank.spectrum.components
        d_components, d_matrices = (
            torch.empty_like(components),
            torch.zeros_like(matrices, dtype=torch.promote_types(matrices.dtype, torch.float32)),
        )
        for piece in _pieces(components, bank):
            blocks = grad[piece].reshape(-1, len(matrices), matrices.shape[2]).transpose(0, 1).contiguous()
            d_matrices += torch.bmm(bank.spread(components[piece], fields).transpose(1, 2), blocks)
            d_components[piece] = bank.gather(torch.bmm(blocks, matrices.transpose(1, 2)), components[piece], fields)
        return d_components, d_matrices.to(matrices.dtype), None


def fourier_convolution(fields: Tensor, matrices: Tensor, group: Group, size: int) -> Tensor:
    """Regular fields (batch, fields_in, |G|, height, width), matrices of `spectral_weight` -> (batch, fields_out, |G|, height, width).

    Computes in the type of a surrounding autocast, else in that of the fields.
    """
    batch, count, order, height, width = fields.shape
    kind = fields.device.type
    cast = torch.is_autocast_enabled(kind) and fields.dtype != torch.float64  # which autocast leaves as it is
    dtype = torch.get_autocast_dtype(kind) if cast else fields.dtype
    with torch.autocast(kind, enabled=False):
        analysis, synthesis = _transforms(group, dtype, fields.device)
        columns = fields.permute(0, 3, 4, 2, 1).reshape(batch * height * width, order, count).to(dtype)
        components = torch.matmul(analysis, columns).view(batch, height, width, len(analysis) * count)
        answer = _Product.apply(components, matrices.to(dtype), _Bank(group, size))  # type: ignore[no-untyped-call]
        wanted = matrices.shape[2] // 2
        columns = torch.matmul(synthesis, answer.view(batch * height * width, 2 * len(matrices), wanted))
        return columns.view(batch, height, width, order, wanted).permute(0, 4, 3, 1, 2)


class Fourier(Form):
    """One matrix product per frequency of the group: for large groups and many fields."""

    name = "fourier"

    def worth_timing(self, shape: Shape, device: str, precision: str) -> bool:
        return shape.group.order >= LEAST_ORDER

    def likely(self, shape: Shape, device: str, precision: str) -> int:
        copies = 2 if shape.group.mirrored else 1
        return 3 if shape.group.order >= SURE_ORDER and copies * shape.fields_in >= SURE_RUN else 0

    def multiply_adds(self, shape: Shape, pixels: int) -> int:
        """2 B |G| per pixel and pair of fields, and B size^2 |G| per pixel and field for the filter bank."""
        filters, pairs = harmonic_basis(shape.size).count, shape.fields_in * shape.fields_out
        return pixels * filters * shape.group.order * (2 * pairs + shape.size**2 * shape.fields_in)

    def prepare(self, layer: Layer) -> Tensor:
        return spectral_weight(layer.weight, layer.shape.group, layer.shape.size)

    def apply(self, layer: Layer, fields: Tensor, prepared: Tensor) -> Tensor:
        return fourier_convolution(fields, prepared, layer.shape.group, layer.shape.size)


FORM = Fourier()
