"""Half-sent, slow, oversized and malformed requests: they are refused in words, and meanwhile others are answered."""

import http.client
import json
import shutil
import socket
import subprocess
import time
from contextlib import ExitStack, contextmanager, suppress

import httpx
import pytest
from serve_process import offers_of, serving

from equiradio.serve import connections
from equiradio.serve.bodies import Pace

CROWD = 150  # more than the places for work
FORM = "multipart/form-data; boundary=x"
OPENED = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.fits"\r\n\r\n'
CLOSED = b"\r\n--x--\r\n"


@pytest.fixture(scope="module")
def offers(untrained, sky, tmp_path_factory):
    return offers_of(untrained, sky, tmp_path_factory.mktemp("guards"))


@pytest.fixture(scope="module")
def address(offers):
    with serving(offers) as address:
        yield address


def head(length, path="/api/sources", kind=FORM):
    return f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n".encode()


@contextmanager
def sent(address, *pieces, count=1):
    """Connections on which this was sent."""
    place = httpx.URL(address)
    with ExitStack() as stack:
        opened = [stack.enter_context(socket.create_connection((place.host, place.port), timeout=60)) for _ in range(count)]
        for each in opened:
            for piece in pieces:
                each.sendall(piece)
        yield opened if count > 1 else opened[0]


def answer(connection):
    """Status and error of what comes; None where the connection is closed without a word."""
    try:
        response = http.client.HTTPResponse(connection)
        response.begin()
        return response.status, json.loads(response.read())["error"]
    except (ConnectionError, http.client.RemoteDisconnected):
        return None


def all_of(connection):
    """What still comes until the connection is closed or dropped."""
    got = b""
    with suppress(ConnectionResetError):
        while piece := connection.recv(1 << 20):
            got += piece
    return got


def assert_others_are_answered(address):
    assert httpx.get(f"{address}/api/health", timeout=20).status_code == 200
    upload = httpx.post(f"{address}/api/sources", files={"file": ("a.fits", bytes(2_000_000))}, timeout=20)
    assert (upload.status_code, upload.json()["error"]["kind"]) == (422, "image")


@pytest.mark.parametrize(
    ("length", "start"), [(100, b"source="), (3_000_000, OPENED), (3_000_000, b"")], ids=["small", "large", "large and silent"]
)
def test_half_sent_bodies_take_no_place(address, length, start):
    with sent(address, head(length), start, count=CROWD):
        assert_others_are_answered(address)


def test_half_sent_heads_take_no_place(address):
    with sent(address, b"GET /api/health HTTP/1.1\r\nHost: 127.0.0.1\r\n", count=CROWD):
        assert_others_are_answered(address)


def test_of_too_many_connections_the_longest_silent_is_closed(offers, monkeypatch):
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 20)
    with serving(offers) as address, sent(address, head(100), count=10) as first, sent(address, head(100), count=30) as others:
        assert_others_are_answered(address)
        assert [answer(each) for each in first] == [None] * 10
        others[-1].sendall(b"x" * 100)
        assert answer(others[-1])[0] == 400, "the latest are heard: this is no form"


def test_a_slow_body_is_waited_for_and_a_stalled_one_is_not(offers):
    pace = Pace(seconds=1.5, rate=50)
    with serving(offers, pace=pace) as address:
        with sent(address, head(200)) as steady, sent(address, head(200)) as trickling:
            for _ in range(20):  # 20 and 2 bytes a second, more than `seconds` in all
                steady.sendall(b"x" * 10)
                trickling.sendall(b"x")
                time.sleep(0.1)
            assert answer(steady)[0] == 400, "it was read to its end"
            status, error = answer(trickling)
        assert (status, error["where"], error["expected"]) == (408, "body", "a piece every 1.5 s, 50 bytes a second")
        with sent(address, head(10**6), b"x" * 10**5) as silent:  # by its rate it had half an hour
            start = time.monotonic()
            assert answer(silent)[1]["found"].startswith("100,000 bytes in ")
            assert time.monotonic() - start < 15


def test_a_head_that_does_not_end_is_closed_and_others_are_not(offers, monkeypatch):
    monkeypatch.setattr(connections, "HEAD", 1.0)
    with (
        serving(offers) as address,
        sent(address, b"GET /api/health HTTP/1.1\r\nHost: ") as endless,
        httpx.Client(base_url=address) as client,
    ):
        start = time.monotonic()
        assert answer(endless) is None
        assert time.monotonic() - start < 15
        assert client.get("/api/health").status_code == 200


def test_a_client_that_does_not_read_is_dropped(offers, monkeypatch):
    monkeypatch.setattr(connections, "UNREAD", 0.5)
    with serving(offers) as address:
        whole = httpx.get(f"{address}/api/rows", params={"table": "million.parquet", "limit": 500}).content
        ask = b"GET /api/rows?table=million.parquet&limit=500 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        many = 8_000_000 // len(whole)  # more than the sockets hold between the two
        with sent(address, ask * many) as connection:
            time.sleep(5)
            got = len(all_of(connection))
        assert got < many * len(whole)
        assert httpx.get(f"{address}/api/health").status_code == 200


REFUSED = {
    "too large": (413, {}),
    "another host": (403, {"Host": "evil.example"}),
    "another origin": (403, {"Origin": "http://evil.example"}),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals_of_large_bodies_are_read_by_clients_that_send_to_the_end(offers, case):
    status, headers = REFUSED[case]
    with serving(offers, most_uploaded=10**6) as address:
        place = httpx.URL(address)
        for _ in range(5):
            client = http.client.HTTPConnection(place.host, place.port, timeout=60)
            client.request("POST", "/api/sources", bytes(30_000_000), {"Content-Type": FORM, **headers})
            response = client.getresponse()
            assert (response.status, json.loads(response.read())["error"]["kind"]) == (status, "request")
            client.close()


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")
@pytest.mark.parametrize("option", ["-H Expect:", "-H Transfer-Encoding:chunked", "-0", "-s"])
def test_curl_reads_what_is_too_large(offers, tmp_path, option):
    (tmp_path / "large.fits").write_bytes(bytes(30_000_000))
    with serving(offers, most_uploaded=10**6) as address:
        command = ["curl", "-s", *option.split(), "-F", f"file=@{tmp_path / 'large.fits'}", f"{address}/api/sources"]
        done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0
    assert json.loads(done.stdout)["error"]["expected"] == "at most 1,000,000 bytes"


def test_every_get_answers_head_as_get_without_the_body(address, sky, offers):
    key, run = offers.sets.listing(sky.name)[0]["key"], next(iter(offers.runs.by_name))
    evaluation = offers.runs.evaluations(run)[0]
    table = {"table": "million.parquet", "where": "p_frii:min:0.999"}
    asked = {"/api/sources": {"set": sky.name}, "/api/source": {"key": key}, "/api/picture.png": {"source": key}, "/api/rows": table}
    asked |= {"/api/gallery": {"run": run, "evaluation": evaluation}, "/api/histogram": table | {"column": "p_frii"}}
    asked |= {"/api/selection.vot": table, "/api/map.fits": {"source": key}, "/api/figure.png": {"run": run, "figure": "none"}}
    absent = ("/none", "/api/figure.png", "/api/labels")  # no such page, no such figure, and nobody labels here
    with httpx.Client(base_url=address, timeout=120) as client:
        paths = [path for path, methods in client.get("/api/openapi.json").json()["paths"].items() if "get" in methods]
        assert len(paths) > 10
        for path in ("/", "/api", "/main.js", "/none", "/api/openapi.json", *paths):
            get, only_head = (client.request(method, path, params=asked.get(path)) for method in ("GET", "HEAD"))
            assert get.status_code == (404 if path in absent else 200), path
            assert (only_head.status_code, only_head.content) == (get.status_code, b""), path
            same = (
                "content-type",
                "content-security-policy",
                *(["content-length"] if path != "/api/health" else []),
            )  # health counts memory
            assert [only_head.headers[name] for name in same] == [get.headers[name] for name in same], path


MALFORMED = {
    "no boundary": (b"abc", "multipart/form-data", "Missing boundary in multipart, in a body of multipart/form-data"),
    "another boundary": (b"--y\r\n--y--", FORM, "10 bytes without the boundary that ends it"),
    "cut off": (OPENED + b"abc", FORM, f"{len(OPENED) + 3} bytes without the boundary that ends it"),
    "a part without a name": (
        b"--x\r\nContent-Disposition: form-data\r\n\r\na" + CLOSED,
        FORM,
        'The Content-Disposition header field "name"',
    ),
    "a file as a field": (
        b"a" * 2_000_000,
        "application/x-www-form-urlencoded",
        "Field exceeded maximum size of 1024KB, in a body of appl",
    ),
}


@pytest.mark.parametrize("path", ["sources", "classify", "explain"])
@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_uploads_are_refused_in_fitting_words(address, case, path):
    body, kind, found = MALFORMED[case]
    response = httpx.post(f"{address}/api/{path}", content=body, headers={"content-type": kind})
    error = response.json()["error"]
    assert response.status_code == 400
    assert error["found"].startswith(found)
    assert "form" in error["expected"]
    assert "curl -F file=@" in error["do"]


def test_a_file_that_is_no_form_is_refused_with_the_way_to_send_it(address):
    for kind, body, found in (
        ("application/fits", b"SIMPLE", "missing in a body of application/fits"),
        (None, b"", "missing in a body of no kind"),
    ):
        error = httpx.post(f"{address}/api/sources", content=body, headers={"content-type": kind} if kind else {}).json()["error"]
        assert (error["found"], error["expected"]) == (found, "a file in a form")
        assert "curl -F file=@" in error["do"]


NO_HTTP = {
    "words": b"HELLO\r\n\r\n",
    "a length below zero": b"POST /api/sources HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -5\r\n\r\n",
    "a chunk without a length": b"POST /api/sources HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc",
    "the same, refused already": b"POST /api/sources HTTP/1.1\r\nHost: evil\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc",
}


@pytest.mark.parametrize("case", NO_HTTP)
def test_what_is_no_http_is_refused_in_the_one_shape(address, case, caplog):
    with sent(address, NO_HTTP[case]) as connection:
        status, error = answer(connection)
    assert (status, error["found"]) == (400, "no HTTP")
    assert "Exception" not in caplog.text
