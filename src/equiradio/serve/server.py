"""The process that serves: a socket of its own, uvicorn behind it."""

import socket

from equiradio.errors import SettingRefusal
from equiradio.serve.guards import LOOPBACK
from equiradio.serve.offers import Offers

QUEUE = 256  # connections that may wait to be taken


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises
    ------
    SettingRefusal : the port is taken, or the host is no address of this machine.
    """
    if not 0 <= port <= 65535:
        raise SettingRefusal("--port", f"{port}", "0 to 65535", "8765 is the default.")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((host, port))
    except (OSError, OverflowError, UnicodeError) as error:
        opened.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise SettingRefusal("--port", f"{host}:{port} cannot be listened at ({reason})", "a free port", "Choose another --port.") from None
    opened.listen(QUEUE)
    return opened


def run(offers: Offers, opened: socket.socket, names: tuple[str, ...] = ()) -> None:
    """Serve until interrupted. No network is opened before one is asked."""
    import uvicorn

    from equiradio.serve.app import create_app

    hosts = tuple(dict.fromkeys((*LOOPBACK, *(name for name in names if name not in ("0.0.0.0", "::")))))
    app = create_app(offers, hosts)
    config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False, backlog=QUEUE, timeout_graceful_shutdown=3)
    uvicorn.Server(config).run(sockets=[opened])
