"""The body of a request while it arrives: held on disk until it is whole, so that nobody waits for what has not come."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import Any

from equiradio.serve.refusals import Busy, TooLarge, TooSlow

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

MOST_UPLOADED = 64 * 1024 * 1024  # bytes of a body
MOST_ARRIVING = 16 * MOST_UPLOADED  # bytes of all bodies that arrive or wait
IN_MEMORY = 64 * 1024  # bytes of a body; more of it goes to disk
PIECE = 256 * 1024  # bytes handed on at a time
TAIL = 1024  # bytes at the end of a body among which the end of a form stands
DRAINING = 60.0  # seconds for which a refused body is read and forgotten
LINGER = 2.0  # seconds without a byte after which nobody is thought to send


@dataclass(frozen=True)
class Pace:
    """How slowly a body may arrive: slow lines are honest, silence is not.

    Attributes
    ----------
    seconds : between two pieces; and for the whole body, with one second more for every ``rate`` bytes of it that are here.
    rate : bytes a second.
    """

    seconds: float = 20.0
    rate: float = 500.0


class Arrivals:
    """All bodies that arrive, and the bytes that they hold."""

    def __init__(self, most: int = MOST_UPLOADED, pace: Pace | None = None, most_together: int = MOST_ARRIVING) -> None:
        self.most, self.pace, self.most_together = most, pace or Pace(), most_together
        self.held = 0

    def too_large(self, size: str) -> TooLarge:
        return TooLarge("upload", size, f"at most {self.most:,} bytes", "Cut the source out first.")

    def too_slow(self, size: int, seconds: float) -> TooSlow:
        expected = f"a piece every {self.pace.seconds:g} s, {self.pace.rate:g} bytes a second"
        return TooSlow("body", f"{size:,} bytes in {seconds:.0f} s, and not all of it", expected, "Send it again.")


class Body:
    """One body; use as a context, so that its bytes are let go.

    Attributes
    ----------
    size : bytes that are here.
    whole : no more will come, because all are here or the client has gone.
    gone : the client has gone.
    """

    def __init__(self, receive: Receive, arrivals: Arrivals) -> None:
        self._receive, self._arrivals = receive, arrivals
        self.size, self.whole, self.gone = 0, False, False
        self._handed = 0

    def __enter__(self) -> "Body":
        self._file = SpooledTemporaryFile(max_size=IN_MEMORY)
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()
        self._arrivals.held -= self.size

    async def arrive(self) -> None:
        """Wait until the body is whole.

        Raises
        ------
        TooLarge, TooSlow : as `Arrivals` has it. Busy : all bodies together hold more than there is room for.
        """
        arrivals, pace = self._arrivals, self._arrivals.pace
        now = asyncio.get_running_loop().time
        start = now()
        while not self.whole:
            left = start + pace.seconds + self.size / pace.rate - now()
            try:
                piece = await self._next(min(left, pace.seconds))
            except TimeoutError:
                raise arrivals.too_slow(self.size, now() - start) from None
            if self.size + len(piece) > arrivals.most:  # a body without a length
                raise arrivals.too_large(f"more than {arrivals.most:,} bytes")
            if arrivals.held + len(piece) > arrivals.most_together:
                raise Busy("upload", f"{arrivals.held:,} bytes of uploads at once", "fewer", "Upload again in a moment.")
            self._hold(piece)

    def _hold(self, piece: bytes) -> None:
        self.size += len(piece)
        self._arrivals.held += len(piece)
        try:
            self._file.write(piece)
        except OSError as error:
            raise Busy("upload", f"cannot be held ({error.strerror})", "room for temporary files", "Make room, or set TMPDIR.") from None

    def ends_with(self, mark: bytes) -> bool:
        """Does this stand at the end, or closely before it?"""
        self._file.seek(max(self.size - len(mark) - TAIL, 0))
        return mark in self._file.read()

    async def drain(self, seconds: float = DRAINING) -> None:
        """Read the rest and forget it: whoever sends it to its end reads the answer only then, and of a closed door never."""
        now = asyncio.get_running_loop().time
        end = now() + seconds
        with suppress(TimeoutError):
            while not self.whole:
                await self._next(min(LINGER, end - now()))

    async def again(self) -> Message:
        """What the application receives: the body from the beginning, piece by piece, and then whatever comes."""
        if self._handed and self._handed >= self.size:
            return await self._receive()
        if not self._handed:
            self._file.seek(0)
        piece = self._file.read(PIECE)
        self._handed += max(len(piece), 1)  # an empty body is handed on once, too
        return {"type": "http.request", "body": piece, "more_body": self._handed < self.size}

    async def _next(self, seconds: float) -> bytes:
        message = await asyncio.wait_for(self._receive(), max(seconds, 0))
        self.gone = message["type"] == "http.disconnect"
        self.whole = self.gone or not message.get("more_body", False)
        body: bytes = message.get("body", b"")
        return body
