"""Keep large activations in the process's heap instead of handing their pages back after every layer."""

import ctypes
import platform
from functools import lru_cache

MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1  # parameters of glibc's mallopt


@lru_cache
def keep_large_blocks(mapped: int = 1 << 30, trimmed: int = -1) -> bool:
    """Raise glibc's thresholds for mapping and trimming, bytes; True if that was done. -1: what is free stays with the process.

    On a CPU most of a step is otherwise spent in page faults (measured: docs/notebook/performance.md). Does nothing
    where libc is not glibc.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(MMAP_THRESHOLD, mapped)) and bool(mallopt(TRIM_THRESHOLD, trimmed))


def give_back() -> bool:
    """Hand free pages back to the system, wherever they lie between used ones; True if some were. For where much has been done."""
    if platform.libc_ver()[0] != "glibc":
        return False
    return bool(ctypes.CDLL(None).malloc_trim(0))
