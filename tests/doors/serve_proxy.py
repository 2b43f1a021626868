"""A proxy that shows the viewer below a path, as JupyterHub and nginx do."""

import asyncio
import threading
from contextlib import contextmanager
from urllib.parse import urlsplit

NOT_MINE = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@contextmanager
def proxied(address, prefix, *, strips):
    """The address of the proxy, and the paths asked of it; ``strips``: the viewer is asked without the prefix."""
    asked, loop, ready = [], asyncio.new_event_loop(), threading.Event()
    port = urlsplit(address).port

    async def pipe(reader, writer):
        while piece := await reader.read(1 << 16):
            writer.write(piece)
            await writer.drain()
        writer.close()

    async def serve(reader, writer):
        first, _, rest = (await reader.readuntil(b"\r\n\r\n")).partition(b"\r\n")
        method, path, version = first.decode().split(" ")
        asked.append(path)
        if not path.startswith(f"{prefix}/") and (strips or path != prefix):
            writer.write(NOT_MINE)
            writer.close()
            return
        path = path.removeprefix(prefix) if strips else path
        back_reader, back_writer = await asyncio.open_connection("127.0.0.1", port)
        back_writer.write(f"{method} {path} {version}\r\nConnection: close\r\n".encode() + rest)
        await asyncio.gather(pipe(reader, back_writer), pipe(back_reader, writer), return_exceptions=True)

    async def run():
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            asked.append(server.sockets[0].getsockname()[1])
            ready.set()
            await asyncio.get_running_loop().create_future()

    task = loop.create_task(run())
    thread = threading.Thread(target=lambda: loop.run_until_complete(asyncio.gather(task, return_exceptions=True)), daemon=True)
    thread.start()
    ready.wait()
    try:
        yield f"http://127.0.0.1:{asked.pop()}", asked
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(10)
        loop.close()
