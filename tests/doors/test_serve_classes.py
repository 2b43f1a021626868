"""A team that tells four classes apart, at both doors of the viewer: classes by name, members as a choice."""

import io

import httpx
import pytest
from astropy.io import fits
from serve_browser import opened, pictures, shown_at, until
from serve_process import FOUR, four_of, serving


@pytest.fixture(scope="module")
def address(untrained, sky, tmp_path_factory):
    with serving(four_of(untrained, sky, tmp_path_factory.mktemp("four"))) as address:
        yield address


@pytest.fixture(scope="module")
def client(address):
    with httpx.Client(base_url=address, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def key(sky):
    return f"{sky.name}/simulated-0-00000"


def refused(response, status):
    assert response.status_code == status, response.text
    return response.json()["error"]


def test_a_team_of_four_classes(client, key):
    (model,) = client.get("/api/models").json()
    assert (model["name"], model["classes"], model["seeds"]) == ("four", list(FOUR.names), [0, 1])
    answer = client.post("/api/classify", data={"source": key}).json()
    chances = answer["probabilities"]
    assert [*chances] == list(FOUR.names)
    assert sum(chance["p"] for chance in chances.values()) == pytest.approx(1)
    columns = [f"p_{name.lower()}" for name in FOUR.names]
    assert [answer[column] for column in columns] == [chance["p"] for chance in chances.values()]
    assert [answer[f"{column}_high"] for column in columns] == [chance["high"] for chance in chances.values()]
    said = client.post("/api/explain", data={"source": key, "rotation_deg": 30}).json()["answers"][0]
    assert said["toward"] in FOUR.names
    assert said["p"] == said[f"p_{said['toward'].lower()}"]
    assert said["evidence"]["below"] == f"against {said['toward']}"
    assert -1 <= said["member_agreement"] <= 1
    (run,) = client.get("/api/runs").json()
    question = {"run": run["name"], "evaluation": run["evaluations"][0]}
    tiles = client.get("/api/gallery", params=question | {"sort": "p_compact"}).json()["tiles"]
    assert {tile["says"] for tile in tiles} == {"FRI", "FRII"}
    assert set(columns) < set(tiles[0])
    refused(client.get("/api/gallery", params=question | {"label": "hybrid"}), 422)


def test_members_of_a_team_are_asked_by_their_seed(client, key):
    ask = lambda **fields: client.post("/api/explain", data={"source": key} | fields)
    whole, first, second = (ask(**({} if seed is None else {"member": seed})).json()["answers"][0] for seed in (None, 0, 1))
    assert (whole["member"], first["member"], second["member"]) == (None, 0, 1)
    assert first["maps"][0] != second["maps"][0] != whole["maps"][0]
    assert first["member_agreement"] is None
    both = ask(model=["four", "four"], member=["", "1"]).json()["answers"]
    assert [each["maps"] for each in both] == [whole["maps"], second["maps"]]
    assert "0, 1" in refused(ask(member=2), 404)["expected"]
    refused(ask(model="four", member=["0", "1"]), 422)
    refused(client.get("/api/map.fits", params={"source": key, "member": "7"}), 404)
    history = lambda **fields: str(
        fits.getheader(io.BytesIO(client.get("/api/map.fits", params={"source": key} | fields).content))["HISTORY"]
    )
    assert "model four, mean of 2 networks" in history()
    assert "model four, seed 1" in history(member="1")


@pytest.fixture
def page(browser):
    page, failed = browser.new_page(viewport={"width": 1300, "height": 900}), []
    page.set_default_timeout(60_000)
    page.on("pageerror", lambda error: failed.append(str(error)))
    yield page
    page.close()
    assert not failed


def test_four_classes_by_name_and_members_of_a_team(page, address, sky):
    opened(page, address, f"#source?key={sky.name}/simulated-0-00001&map=evidence")
    shown_at(page, 0)
    page.wait_for_selector(".verdict")
    assert page.inner_text(".verdict").rstrip("?") in FOUR.names
    assert [label.inner_text() for label in page.locator(".chance .label").all()] == list(FOUR.names)
    spoken_of = page.inner_text(".live dt").removesuffix(" at this angle")
    assert spoken_of in FOUR.names
    assert f"blue speaks against {spoken_of}, orange for {spoken_of}" in page.inner_text(".row")
    assert "mean correlation" in page.inner_text(".live .agreement")
    whole = pictures(page)[1]
    page.select_option("select.member", "1")
    until(page, "!document.querySelector('.live .agreement')")
    assert "a_member=1" in page.url
    assert pictures(page)[1] != whole
    opened(page, address, page.url.removeprefix(f"{address}/"))
    shown_at(page, 0)
    assert page.input_value("select.member") == "1", "a link restores the member"
    assert page.locator(".live .agreement").count() == 0
    with page.expect_download() as saved:
        page.click("#save-fits")
    with fits.open(saved.value.path()) as hdus:
        assert "seed 1" in str(hdus[0].header["HISTORY"])
    page.select_option("select.member", "")
    page.wait_for_selector(".live .agreement")


def test_one_team_twice_two_members_side_by_side(page, address, sky):
    opened(page, address, f"#source?key={sky.name}/simulated-0-00001&a=four&b=four&a_member=0&b_member=1")
    shown_at(page, 0)
    rows = page.locator(".row")
    assert rows.count() == 2
    each = [row.locator("canvas.panel-turning").evaluate("canvas => canvas.toDataURL()") for row in rows.all()]
    assert each[0] != each[1]


def test_the_gallery_of_four_classes(page, address):
    opened(page, address, "#run")
    page.wait_for_selector(".gallery button")
    words = lambda name: [option.inner_text() for option in page.locator(f"#{name} option").all()]
    assert words("label") == ["all", *FOUR.names]
    assert words("sort")[1:5] == [f"probability of {name}" for name in FOUR.names]
    assert {"FRI 80 %", "FRII 80 %"} == {tile.inner_text().removesuffix("wrong").strip() for tile in page.locator(".gallery .said").all()}
    page.select_option("#label", "Bent")
    until(page, "document.querySelector('#gallery-count').textContent.startsWith('None of')")
    opened(page, address, "#run?label=hybrid&sort=p_spiral")
    page.wait_for_selector(".gallery button")
    assert (page.input_value("#label"), page.input_value("#sort")) == ("", "name"), "wishes of other classes are dropped"
