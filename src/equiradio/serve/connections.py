"""Connections: heads of requests that never end, clients that do not read, more connections than there is room for."""

import json
from asyncio import TimerHandle, Transport
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from equiradio.serve.refusals import RequestRefusal, as_json

HEAD = 20.0  # seconds within which the head of a request arrives
UNREAD = 60.0  # seconds within which a client reads some of its answer
LOOKS = 4  # looks at a connection in the shorter of these
MOST_CONNECTIONS = 400  # each takes a file descriptor, of 1024 as a rule, and its upload another


class Connection(H11Protocol):
    """A connection that is closed when nothing comes of it."""

    _timer: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Take one in; where there are too many, close the one that has been silent longest while it owes us something."""
        super().connection_made(transport)
        self._heard = self._begun = self._moved = self.loop.time()
        self._unread = 0
        self._look()
        if len(self.connections) > MOST_CONNECTIONS:
            owing = [each for each in self.connections if isinstance(each, Connection) and each._owes()]
            min(owing, key=lambda each: each._heard).transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Look at it no more."""
        if self._timer:
            self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Note that something came."""
        self._heard = self.loop.time()
        super().data_received(data)

    def on_response_complete(self) -> None:
        """From here on the head of the next request may come."""
        self._begun = self.loop.time()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP in the one shape of errors."""
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):  # an answer is under way
            self.transport.close()
            return
        if self.cycle and not self.cycle.response_complete:  # whoever waits for the rest of the body waits in vain
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        refusal = RequestRefusal("request", "no HTTP", "a well-formed request", "Send it again, with a client of HTTP/1.1.")
        content = json.dumps(as_json(refusal)).encode()
        headers = [("content-type", "application/json"), ("content-length", str(len(content))), ("connection", "close")]
        events: tuple[Any, ...] = (
            h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
            h11.Data(data=content),
            h11.EndOfMessage(),
        )
        for event in events:
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _waits_for_head(self) -> bool:
        return self.conn.their_state is h11.IDLE

    def _owes(self) -> bool:
        """Has the client sent less than a whole request?"""
        return not self.transport.is_closing() and (self._waits_for_head() or self.conn.their_state is h11.SEND_BODY)

    def _look(self) -> None:
        now, unread = self.loop.time(), self.transport.get_write_buffer_size()
        if not unread or unread != self._unread:
            self._unread, self._moved = unread, now
        if now - self._moved > UNREAD or (self._waits_for_head() and not unread and now - self._begun > HEAD):
            self.transport.abort()
            return
        self._timer = self.loop.call_later(min(HEAD, UNREAD) / LOOKS, self._look)
