"""Which device and precision to compute with."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from equiradio.errors import SettingRefusal


def choose_device(device: str) -> str:
    """``cpu`` or ``cuda``; ``auto`` takes cuda where there is one."""
    if device not in ("auto", "cpu", "cuda"):
        raise SettingRefusal("--device", f"'{device}'", "auto, cpu or cuda", "Choose one of these.")
    if device == "cuda" and not torch.cuda.is_available():
        raise SettingRefusal("--device", "cuda, but PyTorch sees no CUDA device", "a device that is there", "Use --device cpu or auto.")
    return "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"


def check_precision(precision: str) -> None:
    """Refuse what networks cannot answer in."""
    if precision not in ("float32", "bf16"):
        raise SettingRefusal("--precision", f"'{precision}'", "float32 or bf16", "Choose one of these.")


def choose_precision(precision: str, device: str) -> str:
    """``float32`` or ``bf16``; ``auto`` takes bf16 where the hardware multiplies it natively."""
    if precision != "auto":
        return precision
    native = torch.cuda.is_bf16_supported(including_emulation=False) if device == "cuda" else torch.cpu._is_avx512_bf16_supported()
    return "bf16" if native else "float32"


@contextmanager
def full_float32() -> Iterator[None]:
    """Convolutions on a GPU keep all digits of float32 for a while; cuDNN's default rounds what they multiply to 11 bits (TF32).

    Where somebody has set PyTorch's newer switches, which cannot be mixed with this one, precision is left to them.
    """
    try:
        before = torch.backends.cudnn.allow_tf32
    except RuntimeError:
        yield
        return
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before
