"""Weights of a steerable convolution by frequency: which harmonic couples which bins, and the matrices of the group-Fourier form.

Turning the filters W[o, i, g^-1 h, b] psi_b(g^-1 p) into a product per bin: with Z_s a complex harmonic of signed frequency s and a_s its
weight, A_s[k] = sum_r a_s[r] exp(2 pi i (k + s) r / N) takes X[k + s] to Y[k]. With mirrors the two halves obey A_s for (0, 0) and
(0, 1) and (-1)^s conj A_s for (1, 1) and (1, 0), which in S and T (see `symmetry/spectrum.py`) is a real 2 x 2 matrix times i^s.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from equiradio.symmetry.groups import Group
from equiradio.symmetry.harmonics import harmonic_basis
from equiradio.symmetry.spectrum import Spectrum


class Run(NamedTuple):
    """Neighbouring output bins that find their inputs in neighbouring bins; ``sign`` of s there: a conjugated input is one of -s."""

    outputs: slice
    inputs: slice
    sign: int


@dataclass(frozen=True)
class Slot:
    """One product of the sum: a harmonic at signed frequency s, and where every bin k finds frequency k + s."""

    harmonic: int
    frequency: int
    runs: tuple[Run, ...]


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)


@lru_cache
def slots(group: Group, size: int) -> tuple[Slot, ...]:
    """Every harmonic of a filter side, once at +f and once at -f."""
    spectrum, every = Spectrum(group), []
    for harmonic, frequency in enumerate(harmonic_basis(size).frequencies.tolist()):
        for s in (frequency, -frequency) if frequency else (0,):
            runs: list[Run] = []
            for k in range(spectrum.bins):
                coupling = spectrum.coupling(k, s)
                source, sign = coupling.source, -_sign(s) if coupling.conjugate else _sign(s)
                if runs and (runs[-1].inputs.stop, runs[-1].sign) == (source, sign):
                    before = runs.pop()
                    runs.append(Run(slice(before.outputs.start, k + 1), slice(before.inputs.start, source + 1), sign))
                else:
                    runs.append(Run(slice(k, k + 1), slice(source, source + 1), sign))
            every.append(Slot(harmonic, s, tuple(runs)))
    return tuple(every)


@lru_cache
def _waves(group: Group, s: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cosine and sine of 2 pi (k + s) r / N, (bins, N) each."""
    angles = 2 * np.pi * np.outer(np.arange(Spectrum(group).bins) + s, np.arange(group.rotations)) / group.rotations
    with torch.inference_mode(False):
        return torch.from_numpy(np.cos(angles)).to(device, dtype), torch.from_numpy(np.sin(angles)).to(device, dtype)


def spectral_weight(weight: Tensor, group: Group, size: int) -> Tensor:
    """The matrices of the product, (blocks, slots * 2 * fields_in, 2 * fields_out), from ``weight`` (fields_out, fields_in, |G|, B).

    A block is a bin where there are rotations only, with complex weights as 2 x 2 real ones between the parts; with mirrors it is a bin
    and a part, with real weights between the copies S and T.
    """
    count_out, count_in, _, _ = weight.shape
    with torch.autocast(weight.device.type, enabled=False):
        matrices, pairs = _of_pair(group, size, weight.dtype, weight.device), weight.permute(3, 2, 1, 0).flatten(2)  # (B, |G|, i * o)
        by_harmonic = pairs.split([matrix.shape[1] // group.order for matrix in matrices])
        made = torch.cat([torch.mm(matrix, some.flatten(0, 1)) for matrix, some in zip(matrices, by_harmonic, strict=True)])
        halves = made.view(len(slots(group, size)), -1, 2, 2, count_in, count_out)  # (slots, blocks, half in, half out, i, o)
        return halves.permute(1, 0, 2, 4, 3, 5).flatten(1, 3).flatten(2, 3)


@lru_cache
def _of_pair(group: Group, size: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, ...]:
    """For each harmonic (slots * blocks * half in * half out, filters * |G|): how its slots are made of its one or two real filters.

    That is the same for every pair of fields, so that a layer's weights are a product for each harmonic in place of some twenty small ones
    for every slot: what `_spectral_weight` makes of unit weights.
    """
    every, frequencies = slots(group, size), harmonic_basis(size).frequencies
    filters = np.where(frequencies == 0, 1, 2).tolist()
    with torch.inference_mode(False), torch.no_grad():
        units = torch.eye(sum(filters) * group.order, dtype=torch.float64).view(-1, 1, sum(filters), group.order).transpose(2, 3)
        made = _spectral_weight(units, group, size).unflatten(2, (2, sum(filters), group.order)).unflatten(1, (len(every), 2))
        by_filter = made.transpose(0, 1).split(filters, 4)  # each (slots, blocks, half in, half out, its filters, |G|)
        own = [[number for number, slot in enumerate(every) if slot.harmonic == harmonic] for harmonic in range(len(filters))]
        return tuple(some[which].flatten(4).flatten(0, 3).to(device, dtype) for which, some in zip(own, by_filter, strict=True))


def _spectral_weight(weight: Tensor, group: Group, size: int) -> Tensor:
    halves = weight.unflatten(2, (-1, group.rotations))  # (o, i, m, r, b)
    frequencies = harmonic_basis(size).frequencies
    first = np.concatenate([[0], np.cumsum(np.where(frequencies == 0, 1, 2))])
    made = []
    for slot in slots(group, size):
        cosine, sine = _waves(group, slot.frequency, weight.dtype, weight.device)
        b = int(first[slot.harmonic])
        real, imaginary = (torch.einsum("kr,oimr->kmio", wave, halves[..., b]) for wave in (cosine, sine))
        if slot.frequency:  # half of W_cos -+ i W_sin
            half = -0.5 * _sign(slot.frequency)
            across, along = (half * torch.einsum("kr,oimr->kmio", wave, halves[..., b + 1]) for wave in (sine, cosine))
            real, imaginary = 0.5 * real - across, 0.5 * imaginary + along
        made.append(_mirrored(real, imaginary, slot) if group.mirrored else _complex(real[:, 0], imaginary[:, 0], slot))
    return torch.stack(made, 1).flatten(1, 3).flatten(2, 3)


def _conjugated(slot: Slot, like: Tensor) -> Tensor:
    """-1 for bins whose input is a conjugate, else 1; shaped for (k, i, o)."""
    signs = [-1.0 if run.sign * slot.frequency < 0 else 1.0 for run in slot.runs for _ in range(run.outputs.stop - run.outputs.start)]
    return torch.tensor(signs, dtype=like.dtype, device=like.device)[:, None, None]


def _complex(real: Tensor, imaginary: Tensor, slot: Slot) -> Tensor:
    """Complex weights (k, i, o) as real ones (block, part in, i, part out, o), a block being a bin."""
    conjugate = _conjugated(slot, real)
    from_real = torch.stack([real, imaginary], 2)
    from_imaginary = torch.stack([-imaginary, real], 2) * conjugate[..., None]
    return torch.stack([from_real, from_imaginary], 1)


def _mirrored(real: Tensor, imaginary: Tensor, slot: Slot) -> Tensor:
    """Weights (k, m, i, o) of a dihedral group as real ones (block, copy in, i, copy out, o), S before T, a block being a bin and a part.

    For odd s it is i Z_s that couples S and T by real weights; that factor and the conjugates come down to a sign for each part.
    """
    sums, differences = real[:, 0] + real[:, 1], real[:, 0] - real[:, 1]
    crossed, plus = imaginary[:, 0] - imaginary[:, 1], imaginary[:, 0] + imaginary[:, 1]
    conjugate = _conjugated(slot, real)
    if slot.frequency % 2:
        rows = torch.stack([plus, sums], 2), torch.stack([-differences, crossed], 2)  # from S, from T: each to (S, T)
        part_signs = (-conjugate, torch.ones_like(conjugate))
    else:
        rows = torch.stack([sums, -plus], 2), torch.stack([crossed, differences], 2)
        part_signs = (torch.ones_like(conjugate), conjugate)
    parts = [torch.stack([rows[0] * sign[..., None], rows[1] * (sign * conjugate)[..., None]], 1) for sign in part_signs]
    return torch.stack(parts, 1).flatten(0, 1)
