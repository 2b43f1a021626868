"""How the kernels' work is shared: whole images where there are enough of them, else strips, on as many threads as torch has."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import torch

ROWS = 19  # of an image that a thread takes at a time where there are fewer images than threads


@lru_cache
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="equiradio")


def each(work: Callable[[Any], int | None], tasks: Iterable[Any]) -> None:
    """Work through tasks; a forked process makes threads of its own. Work that answers other than 0 or None had no memory."""
    threads, tasks = torch.get_num_threads(), list(tasks)
    results = map(work, tasks) if threads == 1 or len(tasks) == 1 else _pool(os.getpid(), threads).map(work, tasks)
    if any(list(results)):
        raise MemoryError("no room for the rows of an image")


def strips(images: int, height: int) -> list[tuple[int, int, int]]:
    """Image and rows [low, high), for every task."""
    step = max(height, 1) if images >= torch.get_num_threads() else ROWS
    return [(image, low, min(low + step, height)) for image in range(images) for low in range(0, height, step)]
