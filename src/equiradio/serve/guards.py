"""What stands before every request: the Host header, the page's origin, the size of the body, the number at a time."""

import json
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from equiradio.serve.refusals import Busy, Forbidden, RequestRefusal, TooLarge, as_json

MOST_UPLOADED = 64 * 1024 * 1024  # bytes of a body
MOST_AT_A_TIME = 100  # requests
MOST_UPLOADS = 4  # bodies at a time that may be large
SMALL = 1024 * 1024  # bytes of a body that counts as no upload
LOOPBACK = ("127.0.0.1", "localhost", "::1")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Guard:
    """ASGI middleware. Refuses in the one JSON shape, before anything of the body is decoded.

    Parameters
    ----------
    hosts : names under which this server may be asked; any other Host header is a rebound name (DNS rebinding).
    """

    def __init__(self, app: Any, hosts: tuple[str, ...], most_uploaded: int = MOST_UPLOADED, most_at_a_time: int = MOST_AT_A_TIME) -> None:
        self.app, self.hosts, self.most_uploaded = app, {host.lower() for host in hosts}, most_uploaded
        self._room, self._uploads = threading.BoundedSemaphore(most_at_a_time), threading.BoundedSemaphore(MOST_UPLOADS)
        self.most_at_a_time = most_at_a_time

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if not self._room.acquire(blocking=False):
            busy = Busy("server", f"{self.most_at_a_time} requests at once", "fewer", "Ask again in a moment.")
            await refuse(send, busy)
            return
        try:
            self._check(scope, headers)
            await self._with_body(scope, receive, send, self._large(headers))
        except RequestRefusal as refusal:
            await refuse(send, refusal)
        finally:
            self._room.release()

    def _check(self, scope: Scope, headers: dict[str, str]) -> None:
        host = headers.get("host", "")
        if hostname(f"//{host}") not in self.hosts:
            do = "Open the address that 'equiradio serve' printed, or start it with --allow-host."
            raise Forbidden("Host", f"{host[:100]!r}", ", ".join(sorted(self.hosts)), do)
        origin = headers.get("origin")
        foreign = origin is not None and urlsplit_or_none(origin) != host.lower()
        navigates = scope["method"] == "GET" and headers.get("sec-fetch-mode") == "navigate" and not scope["path"].startswith("/api/")
        if foreign or (headers.get("sec-fetch-site") in ("cross-site", "same-site") and not navigates):
            raise Forbidden(
                "Origin", f"{(origin or 'a page of another site')[:100]!r}", "this viewer's own page", "Open the viewer itself."
            )

    def _large(self, headers: dict[str, str]) -> bool:
        length = headers.get("content-length", "")
        if not length.isdigit():
            return "transfer-encoding" in headers
        if int(length[:20]) > self.most_uploaded:
            raise self._too_large(f"{int(length[:20]):,} bytes")
        return int(length) > SMALL

    def _too_large(self, size: str) -> TooLarge:
        return TooLarge("upload", size, f"at most {self.most_uploaded:,} bytes", "Cut the source out first.")

    async def _with_body(self, scope: Scope, receive: Receive, send: Send, large: bool) -> None:
        if large and not self._uploads.acquire(blocking=False):
            raise Busy("upload", f"{MOST_UPLOADS} large uploads at once", "fewer", "Upload again in a moment.")
        seen, started, over = 0, False, False

        async def counted() -> Message:
            nonlocal seen, over
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self.most_uploaded:  # a body without a length, or with a false one
                over = True
                return {"type": "http.disconnect"}
            return message

        async def guarded(message: Message) -> None:
            nonlocal started
            if over and not started:
                return  # what the application says of a body cut off
            if message["type"] == "http.response.start":
                started = True
                present = {name.lower() for name, _ in message["headers"]}
                extra = [(name.encode(), value.encode()) for name, value in HEADERS.items() if name.encode() not in present]
                message = {**message, "headers": [*message["headers"], *extra]}
            await send(message)

        try:
            await self.app(scope, counted, guarded)
        except Exception:
            if not over:
                raise
        finally:
            if large:
                self._uploads.release()
        if over and not started:
            raise self._too_large(f"more than {self.most_uploaded:,} bytes")


def hostname(address: str) -> str:
    """The lower-case name in ``//host:port``, empty where there is none."""
    try:
        return (urlsplit(address).hostname or "").lower()
    except ValueError:
        return ""


def urlsplit_or_none(origin: str) -> str | None:
    """Host and port of an origin."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None


async def refuse(send: Send, refusal: RequestRefusal) -> None:
    """Answer with a refusal."""
    body = json.dumps(as_json(refusal)).encode()
    headers = {"content-type": "application/json", "content-length": str(len(body)), "connection": "close", **HEADERS}
    if isinstance(refusal, Busy):
        headers["retry-after"] = "1"
    start = {"type": "http.response.start", "status": refusal.status}
    await send({**start, "headers": [(name.encode(), value.encode()) for name, value in headers.items()]})
    await send({"type": "http.response.body", "body": body})
