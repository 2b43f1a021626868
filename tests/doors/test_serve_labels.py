"""The label view: over HTTP, and in a real browser by keys alone."""

import csv

import httpx
import numpy as np
import pytest
from serve_browser import until
from serve_process import serving

from equiradio.datasets.simulated import simulate
from equiradio.serve.offers import gather, with_desk

COUNT = 6


@pytest.fixture
def offers(untrained, sky, tmp_path):
    folder = tmp_path / "new"
    folder.mkdir()
    for number, image in enumerate(simulate(COUNT, 3).images):
        np.save(folder / f"J{number}.npy", image)
    offers = gather([str(untrained("attention", kernel_size=3))], [], [str(sky)], folder, [])
    return with_desk(offers, tmp_path / "labels.csv", ["jets", "lobes", "odd <b>"], "Riley")


SHOWN = "document.querySelector('#labelling').dataset.shown"


def rows_of(offers):
    with offers.desk.labelling.file.open(newline="", encoding="utf-8") as content:
        return list(csv.DictReader(content))


def test_labels_over_http(offers, untrained, sky):
    with serving(offers) as address, httpx.Client(base_url=f"{address}/api", timeout=60) as client:
        assert client.get("/health").json()["labelling"]
        there = client.get("/labels").json()
        assert (there["total"], there["labelled"], there["classes"], there["keys"]) == (
            COUNT,
            0,
            ["jets", "lobes", "odd <b>"],
            ["1", "2", "3"],
        )
        first = there["next"][0]
        given = client.post("/labels", data={"source": first, "label": "lobes", "comment": "two spots"}).json()
        assert (given["labelled"], given["counts"], given["given"]["comment"]) == (1, {"jets": 0, "lobes": 1, "odd <b>": 0}, "two spots")
        assert first not in given["next"]
        assert client.get("/labels", params={"source": first}).json()["given"]["label"] == "lobes"
        assert [row["label"] for row in rows_of(offers)] == ["lobes"]
        assert client.post("/labels", data={"source": first, "label": "none"}).status_code == 422
        assert client.post("/labels", data={"source": "new/J9.npy", "label": "jets"}).status_code == 404
        back = client.post("/labels/undo").json()
        assert (back["source"], back["given"], back["labelled"]) == (first, None, 0)
        assert client.post("/labels/undo").status_code == 422
        assert rows_of(offers) == []
        foreign = client.post("/labels", data={"source": first, "label": "lobes"}, headers={"origin": "http://evil.example"})
        assert foreign.status_code == 403
    with serving(gather([str(untrained("attention", kernel_size=3))], [], [str(sky)], None, [])) as address:
        answer = httpx.get(f"{address}/api/labels")
        assert answer.status_code == 404
        assert "Start the viewer with --images FOLDER --label OUT.csv." in answer.text


def test_what_is_skipped_comes_after_all_others(offers, monkeypatch):
    monkeypatch.setattr("equiradio.serve.labels_routes.NEXT", 2)
    with serving(offers) as address, httpx.Client(base_url=f"{address}/api", timeout=60) as client:
        keys = offers.desk.order.first(set(), COUNT)
        for number in range(4):
            there = client.post("/labels/skip", data={"source": keys[number]}).json()
            assert (there["source"], there["labelled"]) == (keys[number], 0)
        assert there["next"] == keys[4:], "more were skipped than are named in advance"
        there = client.post("/labels", data={"source": keys[4], "label": "jets"}).json()
        assert there["next"] == [keys[5], keys[0]]
        assert client.post("/labels/skip", data={"source": keys[0]}).json()["next"] == [keys[5], keys[1]]
        assert client.post("/labels", data={"source": keys[5], "label": "jets"}).json()["next"] == keys[1:3]
        assert client.post("/labels/skip", data={"source": "new/J9.npy"}).status_code == 404
        assert len(rows_of(offers)) == 2


def test_a_person_labels_by_keys(offers, browser):
    with serving(offers) as address:
        page = browser.new_page(viewport={"width": 1200, "height": 800})
        failed = []
        page.on("pageerror", lambda error: failed.append(str(error)))
        page.goto(address)
        page.wait_for_selector("body[data-ready]")
        until(page, f"{SHOWN} !== undefined")
        names = offers.desk.order.first(set(), COUNT)
        shown = lambda: page.evaluate(SHOWN)
        press = lambda key, then: (page.keyboard.press(key), until(page, f"{SHOWN} === '{then}'"))
        assert shown() == names[0]
        assert page.inner_text("button[data-class='odd <b>'] .name") == "odd <b>"
        press("2", names[1])
        page.keyboard.press("c")
        page.keyboard.type("s2u says nothing here")
        page.keyboard.press("Enter")
        press("1", names[2])
        assert [(row["label"], row["comment"]) for row in rows_of(offers)] == [("lobes", ""), ("jets", "s2u says nothing here")]
        press("u", names[1])
        assert [row["label"] for row in rows_of(offers)] == ["lobes"]
        press("s", names[2])
        press("3", names[3])  # and not the one that was skipped
        press("ArrowLeft", names[2])
        press("ArrowLeft", names[1])
        page.click("button[data-class=jets]")
        until(page, f"{SHOWN} === '{names[3]}'")
        assert page.inner_text("#labelling [role=status]").endswith("jets.")
        page.keyboard.press("m")
        until(page, "document.querySelector('#labelling .model').textContent.startsWith('The model: FRI ')")
        for _ in range(COUNT - 2):
            before = shown()
            page.keyboard.press("3")
            until(page, f"{SHOWN} !== '{before}' || !document.querySelector('#labelling .empty').hidden")
        assert page.is_visible("text=Every image has a label.")
        assert len(rows_of(offers)) == COUNT
        assert not failed
        page.close()
