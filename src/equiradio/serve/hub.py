"""SAMP: tell TOPCAT, Aladin and DS9 where to fetch what is seen, when a hub runs on this machine."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from equiradio.printable import printable
from equiradio.serve.refusals import RequestRefusal

KINDS = {"table": "table.load.votable", "image": "image.load.fits"}
STAY = 10.0  # seconds; a hub drops the messages that it has not passed on when their sender leaves


@contextmanager
def quiet() -> Iterator[None]:
    """Without the announcement that astropy will hand this module on to pyvo."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def running() -> bool:
    """Is there a hub?"""
    with quiet():
        from astropy.samp.errors import SAMPHubError
        from astropy.samp.hub_proxy import SAMPHubProxy

    proxy = SAMPHubProxy()
    try:
        proxy.connect(pool_size=1)
    except (SAMPHubError, OSError):
        return False
    proxy.disconnect()
    return True


def send(kind: str, url: str, name: str) -> int:
    """Send a message to every client that takes it; how many do.

    Raises
    ------
    RequestRefusal : no hub, or nobody who takes this kind of message.
    """
    with quiet():
        from astropy.samp import SAMPIntegratedClient
        from astropy.samp.errors import SAMPClientError, SAMPHubError, SAMPProxyError

    if kind not in KINDS:
        raise RequestRefusal("kind", f"{kind[:60]!r}", " or ".join(KINDS), "Choose one of these.")
    client = SAMPIntegratedClient(name="equiradio", description="Viewer of radio galaxies and attention maps")
    try:
        client.connect(pool_size=1)
    except (SAMPHubError, SAMPClientError, SAMPProxyError, OSError):
        raise RequestRefusal("SAMP", "no hub runs", "TOPCAT, Aladin or another program with a hub", "Start one, then send again.") from None
    try:
        message: dict[str, Any] = {"samp.mtype": KINDS[kind], "samp.params": {"url": url, "name": printable(name)}}
        takers = client.notify_all(message)
    finally:
        leaving = threading.Timer(STAY, _leave, [client])
        leaving.daemon = True
        leaving.start()
    if not takers:
        raise RequestRefusal("SAMP", f"nobody there takes {KINDS[kind]}", "TOPCAT, Aladin or DS9", "Start one, then send again.")
    return len(takers)


def _leave(client: Any) -> None:
    with suppress(Exception):  # the hub may be gone by then
        client.disconnect()
