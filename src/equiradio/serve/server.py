"""The process that serves: a socket of its own, uvicorn behind it."""

import errno
import socket
from typing import TYPE_CHECKING, Any

from equiradio.errors import SettingRefusal
from equiradio.serve.guards import LOOPBACK
from equiradio.serve.offers import Offers

if TYPE_CHECKING:
    import uvicorn

QUEUE = 256  # connections that may wait to be taken
OF_PORTS = (errno.EADDRINUSE, errno.EACCES)  # errors that another port mends


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises
    ------
    SettingRefusal : the port is taken or not for this user, or the host is no address of this machine.
    """
    if not 0 <= port <= 65535:
        raise SettingRefusal("--port", f"{port}", "0 to 65535", "8765 is the default.")
    opened = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        if not host:  # which bind takes for all addresses
            raise OSError(errno.EADDRNOTAVAIL, "no name")
        opened.bind((host, port))
        opened.listen(QUEUE)
    except (OSError, UnicodeError, ValueError) as error:
        opened.close()
        reason = f"cannot be listened at ({getattr(error, 'strerror', None) or error})"
        if getattr(error, "errno", None) in OF_PORTS:
            raise SettingRefusal("--port", f"{host}:{port} {reason}", "a free port", "Choose another --port; 0 takes a free one.") from None
        expected = "an address or a name of this machine"
        raise SettingRefusal(
            "--host", f"{host!r} {reason}", expected, "127.0.0.1 is the default, 0.0.0.0 stands for all of them."
        ) from None
    return opened


def server_of(app: Any) -> "uvicorn.Server":
    """What runs the application."""
    import uvicorn

    from equiradio.serve.connections import Connection

    quiet: dict[str, Any] = {"log_level": "warning", "access_log": False, "server_header": False}
    return uvicorn.Server(uvicorn.Config(app, http=Connection, ws="none", backlog=QUEUE, timeout_graceful_shutdown=3, **quiet))


def run(offers: Offers, opened: socket.socket, names: tuple[str, ...] = (), root_path: str = "") -> None:
    """Serve until interrupted. No network is opened before one is asked."""
    from equiradio.serve.app import create_app

    hosts = tuple(dict.fromkeys((*LOOPBACK, *(name for name in names if name not in ("0.0.0.0", "::")))))
    server_of(create_app(offers, hosts, root_path=root_path)).run(sockets=[opened])
