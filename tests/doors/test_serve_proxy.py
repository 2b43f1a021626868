"""The proxy that the tests of the viewer stand it behind leaves nothing open when it stops."""

import gc
import socket
import warnings
from urllib.parse import urlsplit

from serve_proxy import proxied


def test_connections_in_every_state_are_closed_with_the_proxy():
    with warnings.catch_warnings(record=True) as left, socket.create_server(("127.0.0.1", 0)) as viewer:
        warnings.simplefilter("always")
        with proxied(f"http://127.0.0.1:{viewer.getsockname()[1]}", "/below", strips=True) as (address, asked):
            silent, waiting, half_answered = (socket.create_connection(("127.0.0.1", urlsplit(address).port)) for _ in range(3))
            silent.sendall(b"GET ")
            for client in (waiting, half_answered):
                client.sendall(b"GET /below/a HTTP/1.1\r\n\r\n")
            behind = [viewer.accept()[0] for _ in range(2)]
            for each in behind:
                assert each.recv(100).startswith(b"GET /a HTTP/1.1")
            behind[1].sendall(b"HTTP/1.1 200 OK\r\n")
            assert half_answered.recv(100) == b"HTTP/1.1 200 OK\r\n"
            assert asked == ["/below/a", "/below/a"]
        gc.collect()
        for each in (silent, waiting, half_answered, *behind):
            each.settimeout(10)
            assert each.recv(100) == b"", "the other end is closed"
            each.close()
    assert [str(warning.message) for warning in left] == []
