"""The REST interface: what it answers, how it refuses, and that it opens nothing that was not offered."""

import base64
import io
import socket
import time

import httpx
import numpy as np
import pytest
import schemathesis
from astropy.io import fits
from hypothesis import HealthCheck, settings
from serve_process import offers_of, serving
from sky_files import header
from sky_files import sky as sky_image

from equiradio.cli.main import main
from equiradio.processes import peak_mib
from equiradio.serve.app import create_app
from equiradio.serve.hub import quiet, running
from equiradio.serve.offers import Offers
from equiradio.sky.fits import read_cutout

PARTS = {"kind", "where", "found", "expected", "do"}
HOME = {"host": "127.0.0.1:8765"}


@pytest.fixture(scope="module")
def offers(untrained, sky, tmp_path_factory) -> Offers:
    return offers_of(untrained, sky, tmp_path_factory.mktemp("offers"))


@pytest.fixture(scope="module")
def app(offers):
    return create_app(offers)


@pytest.fixture(scope="module")
def client(offers):
    """Requests to a viewer that runs beside the tests."""
    with serving(offers) as address, httpx.Client(base_url=address, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def key(offers, sky):
    return offers.sets.listing(sky.name)[0]["key"]


def refusal(response, status):
    assert response.status_code == status, response.text
    parts = response.json()["error"]
    assert set(parts) == PARTS
    assert all(isinstance(part, str) and part for part in parts.values())
    return parts


def test_health_models_sources(client, sky):
    health = client.get("/api/health").json()
    assert (health["state"], health["models"], health["sets"]) == ("ready", 2, [sky.name, "upload"])
    assert health["megabytes"] == pytest.approx(peak_mib(), rel=0.1)
    models = client.get("/api/models").json()
    assert [model["group"] for model in models] == ["C4", "none"]
    assert [model["classes"] for model in models] == [["FRI", "FRII"]] * 2
    listing = client.get("/api/sources", params={"set": sky.name, "text": "00007", "limit": 5}).json()
    assert [source["name"] for source in listing["sources"]] == ["simulated-0-00007"]
    source = client.get("/api/source", params={"key": listing["sources"][0]["key"]}).json()
    assert len(base64.b64decode(source["pixels"])) == 150 * 150
    assert source["label"] == "FRII"


def test_classify_and_explain(client, key):
    answer = client.post("/api/classify", data={"source": key}).json()
    assert answer["p_fri"] + answer["p_frii"] == pytest.approx(1)
    assert answer["p_frii_low"] <= answer["p_frii"] <= answer["p_frii_high"]
    second = {"p": answer["p_frii"], "low": answer["p_frii_low"], "high": answer["p_frii_high"]}
    assert answer["probabilities"]["FRII"] == second
    assert answer == client.post("/api/classify", data={"source": key}).json()
    fields = {"source": key, "rotation_deg": 90, "model": ["c4-attention-seed0", "attention-seed0"]}
    said = client.post("/api/explain", data=fields).json()
    exact, plain = said["answers"]
    assert all((each["toward"], each["p"], each["member_agreement"]) == ("FRII", each["p_frii"], None) for each in said["answers"])
    assert (exact["drift"], plain["drift"] > 0.001) == (0, True)
    turned, still = (client.post("/api/explain", data={"source": key, "rotation_deg": angle}).json()["answers"][0] for angle in (90, 0))
    one, other = (np.frombuffer(base64.b64decode(each["maps"][0]), np.uint8).reshape(150, 150) for each in (turned, still))
    assert np.array_equal(one, np.rot90(other))


def test_an_uploaded_file_is_classified_and_held(client, key, offers):
    file = io.BytesIO()
    np.save(file, offers.sets.get(key).pixels)
    held = client.post("/api/sources", files={"file": ("a/../b.npy", file.getvalue())}).json()
    assert held["name"] == "b.npy"
    by_key = client.post("/api/classify", data={"source": held["key"]}).json()
    by_file = client.post("/api/classify", files={"file": ("b.npy", file.getvalue())}).json()
    assert by_key["p_frii"] == by_file["p_frii"]


def test_maps_as_fits(client, key):
    response = client.get("/api/map.fits", params={"source": key, "rotation_deg": 90})
    assert response.headers["content-disposition"].endswith('-attention.fits"')
    with fits.open(io.BytesIO(response.content)) as hdus:
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "EVIDENCE", "ATTENTION", "GATE1", "GATE2", "GATE3", "NETWORK"]
        said = client.post("/api/explain", data={"source": key, "rotation_deg": 90}).json()["answers"][0]
        eight_bits = np.frombuffer(base64.b64decode(said["maps_turned_back"][0]), np.uint8).reshape(150, 150)
        saved = hdus["ATTENTION"].data
        assert saved == pytest.approx(eight_bits / 255, abs=0.5 / 255 + 1e-6)
        assert len(np.unique(saved)) > 1000, "rounded to what the page draws"
        known = hdus["EVIDENCE"]
        assert known.data.sum() + known.header["CONSTANT"] == pytest.approx(known.header["MARGIN"], abs=1e-4)


def test_pictures_runs_and_tables(client, key, sky):
    assert client.get("/api/picture.png", params={"source": key}).content.startswith(b"\x89PNG")
    (run,) = client.get("/api/runs").json()
    assert run["choices"][run["evaluations"][0]] == {"labels": ["FRI", "FRII", "hybrid"], "sorts": {"p_frii": "FRII"}}
    question = {"run": run["name"], "evaluation": run["evaluations"][0]}
    everything = client.get("/api/gallery", params=question).json()
    wrong = client.get("/api/gallery", params=question | {"answer": "wrong"}).json()["tiles"]
    assert everything["set"] == sky.name
    assert 0 < len(wrong) < everything["total"]
    assert not any(tile["correct"] for tile in wrong)
    page = client.get("/api/rows", params={"table": "million.parquet", "where": "p_frii:min:0.999", "sort": "p_frii", "limit": 3}).json()
    assert page["total"] == 1_000_000
    assert 800 < page["selected"] < 1200
    assert client.get("/api/selection.vot", params={"table": "million.parquet", "where": "p_frii:min:0.999"}).text.startswith("<?xml")


REFUSED = {
    "unknown source": ("get", "source", {"params": {"key": "sky/none"}}, 404),
    "unknown set": ("get", "sources", {"params": {"set": "none"}}, 404),
    "unknown model": ("post", "classify", {"data": {"source": "KEY", "model": "c5"}}, 404),
    "nothing asked": ("post", "classify", {}, 422),
    "no angle": ("post", "explain", {"data": {"source": "KEY", "rotation_deg": "nan"}}, 422),
    "three models": ("post", "explain", {"data": {"source": "KEY", "model": ["a", "b", "c"]}}, 422),
    "no image": ("post", "sources", {"files": {"file": ("a.fits", b"nonsense")}}, 422),
    "no filter": ("get", "rows", {"params": {"table": "million.parquet", "where": "p_frii"}}, 422),
    "unknown table": ("get", "rows", {"params": {"table": "none"}}, 404),
    "too many rows": ("get", "rows", {"params": {"table": "million.parquet", "limit": 10**6}}, 422),
    "no endpoint": ("get", "nothing", {}, 404),
    "wrong method": ("post", "health", {}, 405),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals_have_one_shape(client, key, case):
    method, path, asked, status = REFUSED[case]
    if asked.get("data", {}).get("source"):
        asked = {"data": asked["data"] | {"source": key}}
    refusal(getattr(client, method)(f"/api/{path}", **asked), status)


@pytest.mark.parametrize("path", ["classify", "explain", "sources", "labels", "labels/skip", "labels/undo", "samp"])
def test_a_field_that_an_endpoint_does_not_take_is_refused_by_name(client, key, path):
    """And not answered as if it had been heeded; of unknown ones the known are named."""
    upload = {"files": {"file": ("a.npy", npy(client, key))}} if path in ("classify", "explain", "sources") else {}
    parts = refusal(client.post(f"/api/{path}", data={"beem": "15"}, **upload), 422)
    assert (parts["kind"], parts["where"], parts["found"]) == ("request", "form", "a field 'beem'")
    if path in ("classify", "explain"):
        assert parts["expected"].startswith("file, source, model")
        assert parts["do"] == "Did you mean beam?"


def test_a_field_in_the_address_is_refused(client, key):
    parts = refusal(client.post("/api/classify?beam=15&token=of-a-proxy", files={"file": ("a.npy", npy(client, key))}), 422)
    assert (parts["where"], parts["found"], parts["expected"]) == ("address", "beam in it", "it as a field of the form")


@pytest.mark.parametrize(
    ("path", "strange", "expected", "do"),
    [
        ("source?kee=a", "kee", "key", "Did you mean key?"),
        ("rows?table=million.parquet&limitt=3", "limitt", "table, where, sort, descending, offset, limit", "Did you mean limit?"),
        ("models?treshold=0.9", "treshold", "no parameters", "Leave it out."),
        ("map.fits?source=a&rotation=90", "rotation", "source, model, member, rotation_deg", "Did you mean rotation_deg?"),
    ],
)
def test_a_parameter_that_an_endpoint_does_not_take_is_refused_by_name(client, path, strange, expected, do):
    parts = refusal(client.get(f"/api/{path}"), 422)
    assert parts == {"kind": "request", "where": "address", "found": f"a parameter '{strange}'", "expected": expected, "do": do}


def test_an_unknown_parameter_beside_a_form_is_refused_and_the_token_of_a_hub_is_not_the_viewer_s(client, key):
    parts = refusal(client.post("/api/classify?treshold=0.9", data={"source": key}), 422)
    assert (parts["found"], parts["expected"]) == ("a parameter 'treshold'", "no parameters")
    assert client.get("/api/health?token=of-a-hub").status_code == 200
    assert client.head("/api/health?tokens=of-a-hub").status_code == 422


def npy(client, key) -> bytes:
    file = io.BytesIO()
    np.save(
        file, np.frombuffer(base64.b64decode(client.get("/api/source", params={"key": key}).json()["pixels"]), np.uint8).reshape(150, 150)
    )
    return file.getvalue()


def test_beam_hdu_and_plane_mean_what_they_mean_on_the_command_line(client):
    planes = np.stack([sky_image(seed=seed) for seed in (0, 1)])
    cube = header()
    cube.update({"CTYPE3": "FREQ", "CRVAL3": 1.4e9, "CDELT3": 1e8, "CRPIX3": 1.0})
    file = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(sky_image(seed=2), header()), fits.ImageHDU(planes, cube)]).writeto(file)
    upload = {"file": ("a.fits", file.getvalue())}
    parts = refusal(client.post("/api/classify", files=upload), 422)
    assert parts["do"] == "Choose with hdu=1 or hdu=2."
    parts = refusal(client.post("/api/explain", files=upload, data={"hdu": "2"}), 422)
    assert parts["do"].startswith("Choose one with plane=0 or plane=1")
    held = client.post("/api/sources", files=upload, data={"hdu": "2", "plane": "1.5GHz", "beam": "15,12,40"}).json()
    assert (held["beam_arcsec"], held["beam_pa_deg"], "no_beam" in held["flags"]) == ([15, 12], 40, False)
    expected = read_cutout(file.getvalue(), "a.fits", hdu=2, plane=1)
    assert base64.b64decode(held["pixels"]) == expected.image.tobytes()
    one, other = (client.post("/api/classify", files=upload, data={"hdu": "1", "beam": beam}).json() for beam in ("5.4", "15"))
    assert "other_beam" in str(other["flags"])
    assert "other_beam" not in str(one["flags"])
    again = client.post("/api/classify", data={"source": held["key"]}).json()
    assert again["p_fri"] == client.post("/api/classify", files=upload, data={"hdu": "2", "plane": "1", "beam": "15,12,40"}).json()["p_fri"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"beam": "wide"}, ("beam", "'wide'", "For example beam=6.4,5.4,0.")),
        ({"beam": "0.0015"}, ("beam", "0.0015 arcsec", "If these are degrees: beam=5.4.")),
        ({"plane": "abc"}, ("plane", "'abc'", "For example plane=0 or plane=1.42GHz.")),
    ],
)
def test_choices_that_cannot_be_meant_are_refused_in_the_words_of_a_form(client, key, fields, words):
    parts = refusal(client.post("/api/classify", files={"file": ("a.npy", npy(client, key))}, data=fields), 422)
    assert (parts["where"], parts["found"], parts["do"]) == words
    assert "body.hdu" in refusal(client.post("/api/classify", files={"file": ("a.npy", b"")}, data={"hdu": "x"}), 422)["where"]


def test_choices_go_with_a_file(client, key):
    parts = refusal(client.post("/api/classify", data={"source": key, "beam": "15"}), 422)
    assert (parts["where"], parts["found"]) == ("beam", "given with a source, which is read already")


def test_a_defect_of_ours_has_that_shape_too(client, offers, monkeypatch, caplog):
    monkeypatch.setattr(type(offers.sets), "names", lambda self: 1 / 0)
    response = client.get("/api/health")
    assert "ZeroDivisionError" in refusal(response, 500)["found"]
    assert response.headers["connection"] == "close"  # which the server does: whoever asked again on it met a reset
    assert "health" in caplog.text


CLIMBS = (
    "../" * 8 + "etc/passwd",
    "/etc/passwd",
    "..%2f..%2f..%2fetc%2fpasswd",
    "%2e%2e/%2e%2e/etc/passwd",
    "....//etc/passwd",
    "a\x00/etc/passwd",
)


@pytest.mark.parametrize("climb", CLIMBS)
def test_no_path_from_a_request_opens_a_file(client, sky, climb):
    root = "root:"
    pages = [client.get(client.base_url.copy_with(raw_path=f"/{climb}".replace("\x00", "%00").encode()))]
    pages += [client.get("/api/source", params={"key": f"{each}/{climb}"}) for each in (sky.name, "upload", "images")]
    pages += [client.get("/api/rows", params={"table": climb}), client.get("/api/gallery", params={"run": climb, "evaluation": climb})]
    pages += [client.get("/api/figure.png", params={"run": "c4-attention-seed0", "figure": climb})]
    pages += [client.get("/api/picture.png", params={"run": climb, "source_id": climb})]
    for page in pages:
        refusal(page, 404)
        assert root not in page.text


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "localhost@evil.example", "[::1"])
def test_rebound_names_are_refused(client, host):
    assert refusal(client.get("/", headers={"host": host}), 403)["where"] == "Host"


@pytest.mark.parametrize(
    ("given", "host"),
    [
        ("hub:8443", "hub"),
        ("Hub.Example.org", "hub.example.org"),
        ("https://hub.example.org:8443/user/me", "hub.example.org"),
        ("[::1]:8765", "::1"),
        ("fe80::1", "fe80::1"),
    ],
)
def test_names_that_are_allowed_may_have_a_port(monkeypatch, offers, given, host):
    asked = []
    monkeypatch.setattr("equiradio.serve.offers.gather", lambda *_: offers)
    monkeypatch.setattr("equiradio.serve.server.run", lambda offers, socket, names, root: asked.extend(names))
    assert main(["serve", "--port", "0", "--allow-host", given]) == 0
    assert asked == ["127.0.0.1", host]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:9", "[::1]:8765", "LOCALHOST"])
def test_own_names_are_answered(client, host):
    assert client.get("/api/health", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers", [{"origin": "http://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}, {"origin": "http://[x"}]
)
def test_other_origins_are_refused(client, headers):
    assert refusal(client.post("/api/classify", headers=headers), 403)["where"] == "Origin"
    assert client.get("/", headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}).status_code == 200
    assert client.get("/api/health", headers={"origin": f"http://{client.base_url.netloc.decode()}"}).status_code == 200


def test_every_answer_forbids_what_a_page_could_fetch_elsewhere(client):
    for path in ("/", "/api/health", "/api/nothing"):
        policy = client.get(path).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "http" not in policy


def test_large_bodies_are_refused_before_they_are_read(offers):
    with serving(offers, most_uploaded=1000) as address, httpx.Client(base_url=address) as client:
        assert "at most 1,000 bytes" in refusal(client.post("/api/sources", files={"file": ("a", bytes(2000))}), 413)["expected"]
        start = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'  # well formed, as far as it goes
        body = (start if number == 0 else bytes(400) for number in range(9))
        endless = client.post("/api/sources", content=body, headers={"content-type": "multipart/form-data; boundary=x"})
        assert "more than 1,000 bytes" in refusal(endless, 413)["found"]
        lying = client.post("/api/classify", content=b"x" * 900, headers={"content-type": "multipart/form-data"})
        assert "body" in refusal(lying, 400)["expected"]


def test_fuzzed_against_its_own_description(app):
    schema = schemathesis.openapi.from_asgi("/api/openapi.json", app, headers=HOME)
    seen = []

    for operation in schema.get_all_operations():
        made = operation.ok()

        @settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
        @schemathesis_given(made)
        def answered(case):
            response = case.call(headers=HOME)
            assert response.status_code < 500 or response.status_code == 503, (case.path, response.text)
            seen.append(response.status_code)

        answered()
    assert len(seen) > 100
    assert len(set(seen)) > 1


def schemathesis_given(operation):
    from hypothesis import given

    return given(case=operation.as_strategy())


def test_no_hub_no_message(client, monkeypatch, tmp_path):
    monkeypatch.setenv("SAMP_HUB", f"std-lockurl:file://{tmp_path}/none")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert client.get("/api/samp").json() == {"hub": running()} == {"hub": False}
    assert "no hub" in refusal(client.post("/api/samp", data={"kind": "table", "query": "table=million.parquet"}), 422)["found"]


@pytest.mark.filterwarnings("ignore")  # of the hub, which is astropy's
def test_a_hub_s_clients_are_told_where_to_fetch_a_selection(client, monkeypatch, tmp_path):
    lock = tmp_path / "samp.lock"
    monkeypatch.setenv("SAMP_HUB", f"std-lockurl:file://{lock}")
    with quiet():
        from astropy.samp import SAMPHubServer, SAMPIntegratedClient
    hub, topcat, told = SAMPHubServer(web_profile=False, lockfile=str(lock)), SAMPIntegratedClient("topcat"), []
    hub.start()
    try:
        topcat.connect()
        topcat.bind_receive_notification("table.load.votable", lambda *message: told.append(message[4]["url"]))
        query = "table=million.parquet&where=p_frii:min:0.9999&where=uncertain:is:false"
        assert client.post("/api/samp", data={"kind": "table", "query": query}).json() == {"clients": 1}
        end = time.monotonic() + 90  # a busy machine takes long to pass a message on
        while not told and time.monotonic() < end:
            time.sleep(0.05)
        assert client.get(told[0]).text.startswith("<?xml")
        refusal(client.post("/api/samp", data={"kind": "image", "query": ""}), 422)
        topcat.disconnect()
    finally:
        hub.stop()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--model", "c4-atention"), "neither a packaged team nor a folder of a run"),
        (("--runs", "."), "no run in it"),
        (("--table", "none.parquet"), "no such file"),
        (("--images", "."), ".: no image in it"),
        (("--images", "nope"), "nope: no such folder; expected a folder with files"),
        (("--images", "a.txt"), "a.txt: a file; expected a folder with files"),
        (("--runs", "nope"), "nope: no such folder; expected a run folder"),
        (("--runs", "a.txt"), "a.txt: a file; expected a run folder"),
        (("--table", "."), ".: a folder; expected a table"),
        (("--port", "70000"), "expected 0 to 65535"),
        (("--host", "203.0.113.1"), "--host: '203.0.113.1' cannot be listened at"),
        (("--host", "no such name"), "--host: 'no such name' cannot be listened at"),
        (("--host", ""), "--host: '' cannot be listened at"),
        (("--allow-host", "http://"), "--allow-host: 'http://'; expected the name of a host"),
        (("--root-path", "viewer"), "--root-path: 'viewer'; expected a path"),
    ],
)
def test_the_command_refuses_in_one_line(capsys, monkeypatch, tmp_path, arguments, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").touch()
    assert main(["serve", *arguments]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert err.count("\n") == 1
    assert words in err


def test_a_port_that_is_taken_is_no_fault_of_the_host(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", "--data", "simulated", "--port", str(port)]) == 2
    assert capsys.readouterr().err.startswith(f"--port: 127.0.0.1:{port} cannot be listened at")
