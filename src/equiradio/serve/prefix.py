"""The path under which a proxy shows the viewer."""

import re
from typing import Any
from urllib.parse import quote, unquote

from starlette.responses import Response

from equiradio.errors import SettingRefusal
from equiradio.serve.bodies import Receive
from equiradio.serve.guards import Scope, Send

PLAIN = re.compile(r"(/[^/?#\\\s\x00-\x1f\x7f]+)*")
OWN = "/api"  # where addresses of the viewer itself begin


def root_path_of(text: str) -> str:
    """The root path of an option, without a slash at its end; empty where it is that of the server.

    Raises
    ------
    SettingRefusal : no path, or one that the viewer's own addresses begin with.
    """
    path = unquote(text).rstrip("/")
    if not PLAIN.fullmatch(path) or f"{path}/".startswith(f"{OWN}/") or {".", ".."} & set(path.split("/")):
        expected = f"a path such as /user/me/proxy/8765, not below {OWN}"
        raise SettingRefusal("--root-path", f"{text!r}", expected, "Give what stands between the proxy's name and the viewer.")
    return path


class Prefix:
    """ASGI middleware: answers below the root path, whether or not the proxy takes it off before it asks."""

    def __init__(self, app: Any, root: str) -> None:
        self.app, self.root = app, root

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == self.root:  # relative addresses need the slash
            there = f"{quote(self.root.rpartition('/')[2])}/"
            await Response(status_code=307, headers={"location": there})(scope, receive, send)
            return
        if scope["type"] == "http":
            whole = scope["path"].startswith(f"{self.root}/")
            scope = {**scope, "root_path": self.root, "path": scope["path"] if whole else self.root + scope["path"]}
        await self.app(scope, receive, send)
