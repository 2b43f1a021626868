"""How far work has come: bars on a terminal, and elsewhere a line every half minute; both on stderr, so that stdout holds answers only."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

EVERY = 30.0  # seconds between lines
Step = Callable[[str, int, int], None]  # what is being done, how much of it is done, how much there is


@contextmanager
def bars() -> Iterator[Step]:
    """A function ``step(what, done, total)`` that shows how far each kind of work has come."""
    console = Console(stderr=True)
    with _drawn(console) if console.is_interactive else _written() as step:
        yield step


@contextmanager
def _drawn(console: Console) -> Iterator[Step]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        tasks: dict[str, TaskID] = {}

        def step(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total)
            progress.update(tasks[what], completed=done, total=total)

        yield step


@contextmanager
def _written() -> Iterator[Step]:
    """Lines by a thread of their own, so that they come however long a step takes."""
    pace, ended = Pace(), threading.Event()

    def speak() -> None:
        while not ended.wait(EVERY):
            print(pace.line(time.monotonic()), file=sys.stderr, flush=True)

    speaker = threading.Thread(target=speak, daemon=True)
    speaker.start()
    try:
        yield lambda what, done, total: pace.step(what, done, total, time.monotonic())
    finally:
        ended.set()
        speaker.join()


class Pace:
    """What was last heard of the work, and how long the rest of it will take."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.last: tuple[str, int, int] | None = None
        self.first: dict[str, tuple[float, int]] = {}  # kind of work -> when it was first heard of, and how much was done then
        self.done: dict[str, int] = {}

    def step(self, what: str, done: int, total: int, now: float) -> None:
        """Hear how far a kind of work has come."""
        if done < self.done.get(what, done + 1):  # new, or from the beginning again
            self.first[what] = now, done
        self.done[what], self.last = done, (what, done, total)

    def line(self, now: float) -> str:
        """Such as ``sources: 320 of 1,000 after 0:05:30, about 0:11:42 left``."""
        if self.last is None:
            return f"at work for {_clock(now - self.began)}"
        what, done, total = self.last
        begun, before = self.first[what]
        left = f", about {_clock((total - done) * (now - begun) / (done - before))} left" if before < done < total else ""
        return f"{what}: {done:,} of {total:,} after {_clock(now - self.began)}{left}"


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
