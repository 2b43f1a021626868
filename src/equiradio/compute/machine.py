"""What this machine is, as far as timings and answers depend on it: one place for benches, choices of forms and ``equiradio doctor``.

PyTorch, and what imports it, is imported by the functions that ask it.
"""

import os
import platform
from contextlib import suppress
from pathlib import Path

from equiradio.version import commit, version


def processor() -> str:
    """The processor's name, with family, model and stepping where Linux says them."""
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        words = {line.split(":")[0].strip(): line.split(":", 1)[1].strip() for line in lines if ":" in line}
        return " ".join(words.get(name, "") for name in ("model name", "cpu family", "model", "stepping"))
    return f"{platform.machine()} {platform.processor()}"


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def machine(device: str) -> str:
    """All that a timing of layers depends on: the GPU, or processor, threads and compiled kernels; and the version of PyTorch."""
    import torch

    from equiradio.layers.forms.native.library import identity

    name = torch.cuda.get_device_name() if device == "cuda" else f"{processor()}, {torch.get_num_threads()} threads, {identity()}"
    return f"{name}, torch {torch.__version__}"


def computer(device: str) -> str:
    """What the last digits of an answer depend on: GPU, or the kernels that the processor runs."""
    import torch

    from equiradio.layers.forms.native.library import best

    return torch.cuda.get_device_name() if device == "cuda" else f"CPU, {best() or 'no'} kernels"


def facts() -> dict[str, str]:
    """What a timing of whole networks depends on, but for the number of threads."""
    import torch

    from equiradio.layers.forms.native.library import best

    return {
        "processor": f"{processor()}, {os.cpu_count()} processors",
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "kernels": best() or "none",
        "equiradio": version(),
        "commit": commit(),
    }
