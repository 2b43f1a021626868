"""Refusals at the door of HTTP: each kind with its status code, all of one JSON shape."""

from typing import Any

from equiradio.errors import Refusal

AS_FORM = "Send a form, as 'curl -F file=@CUTOUT.fits' does."
CLIPPED = 200  # characters of a name from a request that are repeated in an answer


class RequestRefusal(Refusal):
    """A request that cannot be answered as it was asked."""

    kind = "request"
    status = 422


class Malformed(RequestRefusal):
    """A body that is not what its head says."""

    status = 400


class NotOffered(RequestRefusal):
    """A name that is none of those offered when the viewer was started."""

    status = 404

    def __init__(self, what: str, name: str, offered: str, do: str) -> None:
        super().__init__(what, f"{clipped(name)!r} is not offered here", offered, do)


class TooLarge(RequestRefusal):
    """More bytes than are taken."""

    status = 413


class TooSlow(RequestRefusal):
    """A body that does not come."""

    status = 408


class Forbidden(RequestRefusal):
    """Asked by a page of another origin, or under a name that is not this server's."""

    status = 403


class Busy(RequestRefusal):
    """More at a time than is answered."""

    status = 503


def clipped(text: str) -> str:
    return text if len(text) <= CLIPPED else text[:CLIPPED] + "..."


def as_json(refusal: Refusal) -> dict[str, Any]:
    """The one shape of errors: kind, where, found, expected, do."""
    parts = ("kind", "where", "found", "expected", "do")
    return {"error": {part: getattr(refusal, part) for part in parts}}


def status_of(refusal: Refusal) -> int:
    return refusal.status if isinstance(refusal, RequestRefusal) else 422
