"""How the kernels' work is shared: whole images where there are enough of them, else strips, on as many threads as torch has."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import islice
from typing import Any

import torch

ROWS = 19  # of an image that a thread takes at a time where there are fewer images than threads


@lru_cache
def _pool_of(process: int, threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="equiradio")


def _pool(threads: int) -> ThreadPoolExecutor:
    """A forked process makes threads of its own."""
    return _pool_of(os.getpid(), threads)


def checked(failed: int | None) -> None:
    """Refuse what work answers that had no memory: other than 0 or None."""
    if failed:
        raise MemoryError("no room for the rows of an image")


def each(work: Callable[[Any], int | None], tasks: Iterable[Any]) -> None:
    """Work through tasks, to the last, also where one had no memory."""
    threads, tasks = torch.get_num_threads(), list(tasks)
    results = map(work, tasks) if threads == 1 or len(tasks) == 1 else _pool(threads).map(work, tasks)
    checked(any(list(results)))


def in_turn(work: Callable[[Any], Any], tasks: Iterable[Any]) -> Iterator[Any]:
    """What work makes of tasks, in their order; one task more than there are threads may be done before who takes it needs it."""
    threads, tasks = torch.get_num_threads(), iter(tasks)
    if threads == 1:
        yield from map(work, tasks)
        return
    started = deque(_pool(threads).submit(work, task) for task in islice(tasks, threads + 1))
    while started:
        made = started.popleft().result()
        started.extend(_pool(threads).submit(work, task) for task in islice(tasks, 1))
        yield made


def strips(images: int, height: int) -> list[tuple[int, int, int]]:
    """Image and rows [low, high), for every task."""
    step = max(height, 1) if images >= torch.get_num_threads() else ROWS
    return [(image, low, min(low + step, height)) for image in range(images) for low in range(0, height, step)]
