"""Where MiraBest is looked for, and how it is fetched where it is absent."""

import http.server
import sys
import threading
import traceback
from pathlib import Path

import pytest
from small_mirabest import pack, refused, small_mirabest

from equiradio.datasets import mirabest
from equiradio.datasets.mirabest import ARCHIVE, fetch, find_mirabest, load, verify
from equiradio.errors import DataRefusal
from equiradio.folders import data_folder, user_cache


@pytest.fixture
def files(monkeypatch):
    return small_mirabest(monkeypatch)


def test_the_data_folder_is_the_one_given_then_the_variable_then_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EQUIRADIO_DATA", str(tmp_path / "variable"))
    assert data_folder("given") == Path("given")
    assert data_folder("~/given") == Path.home() / "given"
    assert data_folder() == tmp_path / "variable"
    monkeypatch.setenv("EQUIRADIO_DATA", "")
    assert data_folder() == user_cache()
    assert data_folder().name == "equiradio"


def test_the_cache_needs_no_platformdirs(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "platformdirs", None)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.delenv("EQUIRADIO_DATA", raising=False)
    assert data_folder() == tmp_path / ".cache" / "equiradio"


def test_offline_the_refusal_names_the_ways_out(tmp_path, monkeypatch):
    requests = pytest.importorskip("requests")

    def offline(*args, **settings):
        raise requests.ConnectionError("no route to host\n" * 50)

    monkeypatch.setattr(requests, "get", offline)
    with pytest.raises(DataRefusal) as caught:
        load(folder=tmp_path)
    line = str(caught.value)
    assert "\n" not in line
    assert len(line) < 700
    printed = "".join(traceback.format_exception(caught.value))
    assert "requests" not in printed.replace(line, "")  # in a notebook no other library's trace stands above it
    for word in (
        f"{tmp_path / 'mirabest'}: ",
        "ConnectionError",
        "Put the archive there",
        "--data-dir",
        "EQUIRADIO_DATA",
        "machine with network",
    ):
        assert word in line
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_without_pooch_the_refusal_is_the_same(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(DataRefusal, match="Put the archive there"):
        fetch(tmp_path)


def test_nothing_is_fetched_unasked(tmp_path, monkeypatch):
    monkeypatch.setattr(mirabest, "fetch", None)
    refused(tmp_path, f"{tmp_path / 'mirabest'}: no MiraBest there; expected {ARCHIVE} or its unpacked batches/. Put the archive there")
    with pytest.raises(DataRefusal, match="no MiraBest there"):
        verify(tmp_path)
    assert find_mirabest(tmp_path) is None


@pytest.fixture
def record(monkeypatch):
    """A web server on this machine in place of the published record; ``record["content"]`` is what it sends."""
    sent = {"content": b"", "times": 0}

    class Record(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            sent["times"] += 1
            self.send_response(200)
            self.send_header("Content-Length", str(len(sent["content"])))
            self.end_headers()
            self.wfile.write(sent["content"])

        def log_message(self, *args):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Record) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setattr(mirabest, "URL", f"http://127.0.0.1:{server.server_port}/{ARCHIVE}")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield sent
        server.shutdown()
        thread.join()


def test_an_absent_archive_is_fetched_once(files, record, tmp_path, monkeypatch, capfd):
    record["content"] = pack(monkeypatch, files, tmp_path / "there")
    sources = load(folder=tmp_path / "here")
    assert len(sources) == 64
    assert fetch(tmp_path / "here") == tmp_path / "here" / "mirabest" / ARCHIVE == find_mirabest(tmp_path / "here")
    assert record["times"] == 1
    assert "100%" in capfd.readouterr().err


def test_a_damaged_archive_is_replaced_by_fetching(files, record, tmp_path, monkeypatch):
    record["content"] = archive = pack(monkeypatch, files, tmp_path)
    (tmp_path / "mirabest" / ARCHIVE).write_bytes(archive[:500])
    assert fetch(tmp_path, progress=False).read_bytes() == archive


def test_a_download_with_another_md5_leaves_nothing(files, record, tmp_path):
    record["content"] = b"not the archive"
    with pytest.raises(DataRefusal, match=r"fetching http.* failed"):
        fetch(tmp_path, progress=False)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
