"""A proxy that shows the viewer below a path, as JupyterHub and nginx do."""

import asyncio
import threading
from contextlib import asynccontextmanager, contextmanager, suppress
from urllib.parse import urlsplit

NOT_MINE = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@asynccontextmanager
async def ended(writer):
    """A connection that is closed at the end, with nothing waited for where the proxy stops."""
    try:
        yield
    except asyncio.CancelledError:
        writer.transport.abort()
        raise
    finally:
        writer.close()


async def pipe(reader, writer):
    async with ended(writer):
        while piece := await reader.read(1 << 16):
            writer.write(piece)
            await writer.drain()


@contextmanager
def proxied(address, prefix, *, strips):
    """The address of the proxy, and the paths asked of it; ``strips``: the viewer is asked without the prefix."""
    asked, ready, place = [], threading.Event(), []
    port = urlsplit(address).port

    async def answer(reader, writer):
        first, _, rest = (await reader.readuntil(b"\r\n\r\n")).partition(b"\r\n")
        method, path, version = first.decode().split(" ")
        asked.append(path)
        if not path.startswith(f"{prefix}/") and (strips or path != prefix):
            writer.write(NOT_MINE)
            return
        path = path.removeprefix(prefix) if strips else path
        back_reader, back_writer = await asyncio.open_connection("127.0.0.1", port)
        back_writer.write(f"{method} {path} {version}\r\nConnection: close\r\n".encode() + rest)
        await asyncio.gather(pipe(reader, back_writer), pipe(back_reader, writer), return_exceptions=True)

    async def serve(reader, writer):
        # Browsers open connections that they ask nothing of, and Python 3.11 reports a cancelled one as an error.
        with suppress(asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            async with ended(writer):
                await answer(reader, writer)

    async def run():
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        stop = asyncio.Event()
        place.extend((server.sockets[0].getsockname()[1], asyncio.get_running_loop(), stop))
        ready.set()
        await stop.wait()
        server.close()

    thread = threading.Thread(target=asyncio.run, args=(run(),), daemon=True)  # what is still connected is cancelled
    thread.start()
    ready.wait()
    own, loop, stop = place
    try:
        yield f"http://127.0.0.1:{own}", asked
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        assert not thread.is_alive()
