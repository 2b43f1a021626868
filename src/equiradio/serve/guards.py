"""What stands before every request: the Host header, the page's origin, the arrival of the body, the number at a time."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from python_multipart.multipart import parse_options_header

from equiradio.errors import SettingRefusal
from equiradio.serve.bodies import LINGER, MOST_UPLOADED, Arrivals, Body, Message, Pace, Receive
from equiradio.serve.refusals import AS_FORM, Busy, Forbidden, Malformed, RequestRefusal, TooSlow, as_json

MOST_AT_A_TIME = 100  # requests that are worked on
MOST_UPLOADS = 4  # of these with a body that is large
SMALL = 1024 * 1024  # bytes of a body that counts as no upload
PATIENCE = 60.0  # seconds that an upload, once it is here, waits for its turn
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

Scope = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]


class Guard:
    """ASGI middleware. Refuses in the one JSON shape, before anything of the body is decoded, and answers HEAD as GET without a body.

    A request takes one of the places for work when its body is here, and not before.

    Parameters
    ----------
    hosts : names under which this server may be asked; any other Host header is a rebound name (DNS rebinding).
    pace : how slowly bodies may arrive.
    """

    def __init__(
        self,
        app: Any,
        hosts: tuple[str, ...],
        most_uploaded: int = MOST_UPLOADED,
        most_at_a_time: int = MOST_AT_A_TIME,
        pace: Pace | None = None,
    ) -> None:
        self.app, self.hosts, self.most_at_a_time = app, {host.lower() for host in hosts}, most_at_a_time
        self._arrivals = Arrivals(most_uploaded, pace)
        self._room, self._uploads = threading.BoundedSemaphore(most_at_a_time), asyncio.Semaphore(MOST_UPLOADS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        with Body(receive, self._arrivals) as body:
            try:
                self._check(scope, headers)
                await body.arrive()
                if not body.gone:
                    check_form(headers, body)
                    await self._work(scope, body, send)
            except RequestRefusal as refusal:
                await refuse(send, refusal, body)

    async def _work(self, scope: Scope, body: Body, send: Send) -> None:
        """Let the application answer."""
        head = scope["method"] == "HEAD"

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message["headers"]}
                extra = [(name.encode(), value.encode()) for name, value in HEADERS.items() if name.encode() not in present]
                message = {**message, "headers": [*message["headers"], *extra]}
            await send({**message, "body": b""} if head and "body" in message else message)

        if body.size > SMALL:
            await self._turn_of_an_upload()
        try:
            with self._place():
                await self.app({**scope, "method": "GET"} if head else scope, body.again, guarded)
        finally:
            if body.size > SMALL:
                self._uploads.release()

    async def _turn_of_an_upload(self) -> None:
        try:
            await asyncio.wait_for(self._uploads.acquire(), PATIENCE)
        except TimeoutError:
            raise Busy("upload", f"{MOST_UPLOADS} large uploads at once", "fewer", "Upload again in a moment.") from None

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._room.acquire(blocking=False):
            raise Busy("server", f"{self.most_at_a_time} requests at once", "fewer", "Ask again in a moment.")
        try:
            yield
        finally:
            self._room.release()

    def _check(self, scope: Scope, headers: dict[str, str]) -> None:
        host = headers.get("host", "")
        if hostname(f"//{host}") not in self.hosts:
            do = "Open the address that 'equiradio serve' printed, or start it with --allow-host."
            raise Forbidden("Host", f"{host[:100]!r}", ", ".join(sorted(self.hosts)), do)
        origin = headers.get("origin")
        foreign = origin is not None and urlsplit_or_none(origin) != host.lower()
        navigates = scope["method"] == "GET" and headers.get("sec-fetch-mode") == "navigate" and "/api/" not in scope["path"]
        if foreign or (headers.get("sec-fetch-site") in ("cross-site", "same-site") and not navigates):
            raise Forbidden(
                "Origin", f"{(origin or 'a page of another site')[:100]!r}", "this viewer's own page", "Open the viewer itself."
            )
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length[:20]) > self._arrivals.most:
            raise self._arrivals.too_large(f"{int(length[:20]):,} bytes")


def check_form(headers: dict[str, str], body: Body) -> None:
    """Refuse a form that was cut off: what stands before the cut would be taken for all of it."""
    kind, options = parse_options_header(headers.get("content-type", ""))
    boundary = options.get(b"boundary")
    if kind == b"multipart/form-data" and boundary and not body.ends_with(b"--" + boundary + b"--"):
        raise Malformed("form", f"{body.size:,} bytes without the boundary that ends it", "a whole form", AS_FORM)


def hostname(address: str) -> str:
    """The lower-case name in ``//host:port``, empty where there is none."""
    try:
        return (urlsplit(address).hostname or "").lower()
    except ValueError:
        return ""


def host_of(name: str) -> str:
    """The name that browsers send as their host, of a name as a user writes it: with a port or an address before it, too.

    Raises SettingRefusal where there is none.
    """
    bare = name.count(":") > 1 and "[" not in name and "//" not in name  # an address of IPv6
    host = name.lower() if bare else hostname(name if "//" in name else f"//{name}")
    if not host:
        raise SettingRefusal("--allow-host", repr(name), "the name of a host", "For example --allow-host hub.example.org.")
    return host


def urlsplit_or_none(origin: str) -> str | None:
    """Host and port of an origin."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None


async def refuse(send: Send, refusal: RequestRefusal, body: Body) -> None:
    """Answer with a refusal, and read what is still sent before the connection is closed, up to a bound."""
    content = json.dumps(as_json(refusal)).encode()
    headers = {"content-type": "application/json", "content-length": str(len(content)), "connection": "close", **HEADERS}
    if isinstance(refusal, Busy):
        headers["retry-after"] = "1"
    start = {"type": "http.response.start", "status": refusal.status}
    await send({**start, "headers": [(name.encode(), value.encode()) for name, value in headers.items()]})
    await send({"type": "http.response.body", "body": content, "more_body": True})
    await (body.drain(LINGER) if isinstance(refusal, TooSlow) else body.drain())
    await send({"type": "http.response.body", "body": b""})
