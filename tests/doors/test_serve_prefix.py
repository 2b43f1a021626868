"""The viewer below a path of a proxy: every view, picture and file comes from below it, in a real browser."""

import io

import httpx
import numpy as np
import pytest
from astropy.io import fits
from serve_browser import opened, shown_at, until
from serve_process import ask_once, offers_of, serving
from serve_proxy import proxied

from equiradio.artefacts.run import Run
from equiradio.serve.pictures import png

PREFIX = "/user/ada/proxy/8765"


@pytest.fixture(scope="module")
def offers(untrained, sky, tmp_path_factory):
    offers = offers_of(untrained, sky, tmp_path_factory.mktemp("prefix"))
    figure = Run(next(iter(offers.runs.by_name.values())).folder).figure_file("loss")
    figure.parent.mkdir(exist_ok=True)
    figure.write_bytes(png(offers.sets.get(offers.sets.listing(sky.name)[0]["key"]).pixels))
    return offers


@pytest.fixture(scope="module", params=["strips", "passes on", "strips, not told"])
def place(request, offers):
    """A viewer behind a proxy, and what is asked of the proxy."""
    told = PREFIX if request.param != "strips, not told" else ""
    with serving(offers, root_path=told) as address, proxied(address, PREFIX, strips=request.param != "passes on") as (proxy, asked):
        ask_once(address)
        yield f"{proxy}{PREFIX}", asked


@pytest.fixture
def page(browser, place):
    """A page that asks for nothing above the prefix, and for nothing that is not there."""
    context, wrong = browser.new_context(viewport={"width": 1300, "height": 900}), []
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.on("response", lambda response: wrong.append(response.url) if response.status >= 400 else None)
    page.on("request", lambda request: wrong.append(request.url) if not request.url.startswith((place[0], "data:", "blob:")) else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    yield page
    context.close()
    assert [each for each in wrong if "picture.png?run=" not in each] == [], "a run without maps has no picture of them"
    assert place[1]
    assert all(path.startswith(PREFIX) for path in place[1])


def test_a_source_is_shown_and_its_map_saved(page, place, sky):
    address, _ = place
    opened(page, address, f"#source?key={sky.name}/simulated-0-00003")
    shown_at(page, 0)
    page.wait_for_selector(".verdict")
    with page.expect_download() as saved:
        page.click("#save-fits")
    with fits.open(saved.value.path()) as hdus:
        assert [hdu.name for hdu in hdus[1:3]] == ["EVIDENCE", "ATTENTION"]


def test_an_upload_is_answered(page, place, offers, sky):
    opened(page, place[0], "#source")
    file = io.BytesIO()
    np.save(file, offers.sets.get(offers.sets.listing(sky.name)[1]["key"]).pixels)
    page.set_input_files("#file", {"name": "mine.npy", "mimeType": "application/octet-stream", "buffer": file.getvalue()})
    until(page, "document.querySelector('#source-title').textContent === 'mine.npy'")
    page.wait_for_selector(".verdict")


def test_pictures_and_figures_of_a_run_are_there(page, place):
    opened(page, place[0], "#run")
    page.click("details.figures summary")
    until(page, "document.querySelector('.figures img')?.naturalWidth > 0")
    until(page, "document.querySelector('.gallery img').naturalWidth > 0")


def test_a_table_is_paged_and_its_selection_saved(page, place):
    opened(page, place[0], "#table?table=million.parquet&where=p_frii:min:0.9999")
    page.wait_for_selector("tbody tr")
    with page.expect_download() as saved:
        page.click("#save-votable")
    assert saved.value.path().read_text().startswith("<?xml")


def test_the_list_of_endpoints_leads_back(page, place):
    address, _ = place
    page.goto(f"{address}/api")
    page.wait_for_selector("section")
    assert page.inner_text(".here").startswith(f"{address}/")
    assert page.get_attribute("main a", "href") == "api/openapi.json"
    page.click(".brand")
    page.wait_for_selector("body[data-ready]")
    assert page.url.startswith(f"{address}/")
    page.click("text=API")
    page.wait_for_selector("section")


def test_the_bare_prefix_leads_to_the_page_and_words_name_addresses_below_it(offers):
    with serving(offers, root_path=PREFIX) as address, httpx.Client(base_url=address) as client:
        bare = client.get(PREFIX)
        assert (bare.status_code, bare.headers["location"]) == (307, "8765/")
        assert client.get(PREFIX, follow_redirects=True).text.startswith("<!doctype html>")
        for path in ("/api/health", f"{PREFIX}/api/health"):
            assert client.get(path).json()["state"] == "ready"
            assert client.get(path, headers={"host": "evil.example"}).status_code == 403
        assert client.get("/api/openapi.json").json()["servers"] == [{"url": PREFIX}]
        assert client.get(f"{PREFIX}/none").json()["error"]["do"] == f"Open {PREFIX}/."
        assert client.get(f"{PREFIX}/api/rows").json()["error"]["do"].startswith(f"See {PREFIX}/api ")
        link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
        assert client.get(f"{PREFIX}/", headers=link).status_code == 200
        assert client.get(f"{PREFIX}/api/runs", headers=link).status_code == 403, "a link of another site opens the page and no more"
