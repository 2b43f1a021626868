"""The compiled kernels, where this machine has them: one file for each kind of processor, the best that it can run is taken."""

import ctypes
import platform
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from equiradio import libraries

AVX512 = {"avx512f", "avx512dq", "avx512bw", "avx512vl"}
BF16 = AVX512 | {"avx512_bf16"}
VARIANTS = {
    "amx": BF16 | {"amx_tile", "amx_bf16"},
    "avx512bf16": BF16,
    "avx512": AVX512,
    "avx2": {"avx2", "fma"},
    "plain": set[str](),
}
"""By name, best first: what a processor must have. On others than x86-64 there is only ``plain``, compiled for what they have."""

TYPES = {torch.float32: "float32", torch.float64: "float64"}
"""Of the numbers that there are kernels for, as their names end."""

PRODUCTS = TYPES | {torch.bfloat16: "bf16"}
"""Of the numbers that a steerable layer's product multiplies, of images in float32 where those are bf16."""


def file_of(variant: str) -> Path:
    """Where the kernels of one kind of processor lie once they are compiled."""
    return Path(__file__).with_name(f"steerable-{variant}.so")


@cache
def processor_flags() -> frozenset[str]:
    """What the processor has, as Linux names it; empty where that cannot be read."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return frozenset()
    return frozenset(word for line in lines if line.startswith("flags") for word in line.split(":", 1)[1].split())


def variants_here() -> list[str]:
    """The compiled variants that this processor can run, best first."""
    flags = processor_flags() if platform.machine() in ("x86_64", "AMD64") else frozenset[str]()
    return [name for name, needed in VARIANTS.items() if needed <= flags and file_of(name).is_file()]


@cache
def opened(variant: str) -> ctypes.CDLL:
    """The kernels of a variant.

    Raises
    ------
    OSError : not there, not for this system, of other sources than lie beside them, or of instructions that this process may not use.
    """
    library = libraries.opened(file_of(variant))
    if not library.allowed():
        raise OSError(f"{file_of(variant)}: this system does not let the process use what it is compiled for")
    return library


@cache
def best() -> str | None:
    """The best variant that can be opened here; None where there is none, and layers take their other forms."""
    for name in variants_here():
        try:
            opened(name)
        except OSError:
            continue
        return name
    return None


def identity() -> str:
    """Which kernels are computed with, and of which sources: what their times depend on."""
    variant = best()
    return "no kernels" if variant is None else f"kernels {variant} of {libraries.sources_of(opened(variant))}"


def kernels() -> ctypes.CDLL:
    """The kernels that are computed with; asked only where there are some."""
    variant = best()
    assert variant is not None
    return opened(variant)


def multiplies_bf16() -> bool:
    """Are there kernels whose product multiplies bf16?"""
    variant = best()
    return variant is not None and VARIANTS[variant] >= BF16


def kernel(name: str, numbers: torch.dtype) -> Callable[..., Any]:
    """The compiled function of this name for numbers of a type."""
    return getattr(kernels(), f"{name}_{PRODUCTS[numbers]}")  # type: ignore[no-any-return]


def padded(numbers: Tensor) -> Tensor:
    """With zeros at the end of every row, up to whole vectors."""
    lanes = kernels().vector_bytes() // numbers.element_size()
    return F.pad(numbers, (0, -numbers.shape[-1] % lanes)).contiguous()


def address(numbers: Tensor | None) -> ctypes.c_void_p:
    """Where they lie; none is a null pointer."""
    return ctypes.c_void_p(None if numbers is None else numbers.data_ptr())
