"""Reading processes: images are cut in other processes while this one answers; a process that dies takes no source with it."""

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from equiradio.compute.memory import keep_large_blocks
from equiradio.errors import ImageRefusal
from equiradio.sky.recipe import Recipe
from equiradio.survey.cutting import Cutter, Place
from equiradio.survey.packing import Read, packed

AHEAD = 4  # chunks read ahead by each process: what bounds the memory
Chunk = Sequence[Place]

_cutter: Cutter | None = None  # of a reading process


def _begin(recipe: Recipe, options: Mapping[str, Any], max_nonfinite: float) -> None:
    """Make this a reading process. An interruption of the command line is its parent's affair; when that is killed this one ends too."""
    import signal

    global _cutter
    keep_large_blocks(1 << 26, 1 << 28)  # else a third of the time goes into pages that every array is given anew; whole images go back
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _cutter = Cutter(recipe, options, max_nonfinite)


def _end_with_parent() -> None:
    """Else a process whose parent was killed would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _read(chunk: Chunk) -> list[Read]:
    assert _cutter is not None
    return [packed(each) for each in _cutter.cutouts(chunk)]


class Readers:
    """Reads chunks of places in order, some ahead of the one that is asked for.

    Parameters
    ----------
    count : reading processes; 0 for a thread of this process.
    """

    def __init__(self, count: int, recipe: Recipe, options: Mapping[str, Any], max_nonfinite: float) -> None:
        self.count, self.about = count, (recipe, options, max_nonfinite)
        self.cutter = Cutter(*self.about)
        self.pool: ProcessPoolExecutor | ThreadPoolExecutor | None = None

    def read(self, chunks: Sequence[Chunk]) -> Iterator[list[Read]]:
        """What was read of each chunk, one after the other."""
        waiting: deque[tuple[Chunk, Future]] = deque()
        coming = iter(chunks)
        while True:
            while len(waiting) < AHEAD * max(self.count, 1) and (chunk := next(coming, None)) is not None:
                waiting.append((chunk, self._submit(chunk)))
            if not waiting:
                return
            chunk, future = waiting.popleft()
            try:
                yield future.result()
            except BrokenProcessPool:
                self.close()
                waiting = deque((each, self._submit(each)) for each, _ in waiting)
                yield self._one_by_one(chunk)

    def _submit(self, chunk: Chunk) -> Future:
        try:
            return self._started().submit(self._read_here if self.count == 0 else _read, chunk)
        except BrokenProcessPool:  # broke since the last answer
            self.close()
            return self._started().submit(_read, chunk)

    def _started(self) -> ProcessPoolExecutor | ThreadPoolExecutor:
        if self.pool is None:
            if self.count == 0:
                self.pool = ThreadPoolExecutor(1)
            else:  # spawned: a process with PyTorch's threads must not be forked
                spawn = multiprocessing.get_context("spawn")
                self.pool = ProcessPoolExecutor(self.count, spawn, _begin, self.about)
        return self.pool

    def _read_here(self, chunk: Chunk) -> list[Read]:
        return [packed(each) for each in self.cutter.cutouts(chunk)]

    def _one_by_one(self, chunk: Chunk) -> list[Read]:
        """A chunk during which a process died, place by place in processes of their own: the one that kills again has a refusal."""
        reads: list[Read] = []
        for place in chunk:
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _begin, self.about) as alone:
                try:
                    reads += alone.submit(_read, [place]).result()
                except BrokenProcessPool:
                    words, do = "reading it ended its process twice", "Fetch it again, or leave it out."
                    reads.append(ImageRefusal("damaged", place.file, words, "a file that can be read", do))
        return reads

    def close(self) -> None:
        """End the reading processes."""
        if self.pool is not None:
            self.pool.shutdown(wait=False, cancel_futures=True)
            self.pool = None
        self.cutter.close()
