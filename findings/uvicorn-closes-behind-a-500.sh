#!/usr/bin/env bash
# Behind the answer 500 to an exception uvicorn ends the connection, and the answer does not say so.
#
# Versions: h11 0.16.0, starlette 1.10.0, uvicorn 0.54.0
# Behaviour: starlette answers an exception that no handler is for, or whose handler is for Exception, with a whole
#   response, and raises it again for the server to log. uvicorn logs it and closes the connection. HTTP/1.1 stays open
#   unless "Connection: close" says otherwise; no such line is sent, so that a client that keeps its connections (httpx,
#   requests, a pool) sends the next request into a closed one and meets a reset, now and then, as the timing has it.
# Expected: the connection stays open, or the answer says that it does not, as it does where the application says it.
# Needs: python3 (3.11 or later) and PyPI; a quarter of a minute
# Seen:
#> /well: 200, says close: False, stays open: True
#> /fails: 500, says close: False, stays open: False
#> /handled: 500, says close: False, stays open: False
#> /says: 500, says close: True, stays open: False
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check h11==0.16.0 starlette==1.10.0 uvicorn==0.54.0
cat >server.py <<'PYTHON'
import logging
import socket
import threading
import time

import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route


class Broken(Exception):
    pass


async def well(request):
    return PlainTextResponse("well")


async def fails(request):
    raise Broken


async def handled(request, error):
    return PlainTextResponse("handled", 500, {"Connection": "close"} if request.url.path == "/says/" else {})


inner = Starlette(routes=[Route("/", fails)], exception_handlers={Exception: handled})
routes = [Route("/well", well), Route("/fails", fails), Mount("/handled", inner), Mount("/says", inner)]
logging.disable(logging.CRITICAL)
listening = socket.create_server(("127.0.0.1", 0))
server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), http="h11", lifespan="off", log_config=None))
threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True).start()
while not server.started:
    time.sleep(0.05)

for path in ("/well", "/fails", "/handled/", "/says/"):
    with socket.create_connection(listening.getsockname()) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: here\r\n\r\n".encode())
        connection.settimeout(2)
        answer, is_open = b"", True
        try:
            while part := connection.recv(4096):
                answer += part
            is_open = False
        except TimeoutError:
            pass
    head = answer.split(b"\r\n\r\n")[0].decode().lower()
    print(f"{path.rstrip('/')}: {head.split()[1]}, says close: {'connection: close' in head}, stays open: {is_open}")
PYTHON
env/bin/python server.py >seen
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
