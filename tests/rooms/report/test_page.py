"""Tables and pages: numbers as text, and text that stays text."""

import base64
from html.parser import HTMLParser

import pytest

from equiradio.report.page import Page
from equiradio.report.table import metrics_tables

HOSTILE = "<script>alert(\"x\")</script> & 'quotes'"


class Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.text, self.pictures = [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag == "img":
            self.pictures.append(dict(attributes))

    def handle_data(self, data):
        self.text.append(data)


def test_text_stays_text(tmp_path):
    (tmp_path / "picture.png").write_bytes(b"\x89PNG pixels")
    page = Page(HOSTILE)
    page.heading(HOSTILE)
    page.text(HOSTILE)
    page.table((HOSTILE, "b"), [[HOSTILE, "2"]])
    page.picture(tmp_path / "picture.png", HOSTILE)
    reader = Reader()
    reader.feed(page.render())
    assert "script" not in reader.tags
    assert reader.text.count(HOSTILE) == 7  # twice as title, and once in each part but the picture's alternative text
    assert reader.pictures[0]["alt"] == HOSTILE
    assert base64.b64decode(reader.pictures[0]["src"].partition(",")[2]) == b"\x89PNG pixels"


def test_a_page_needs_nothing_else():
    page = Page("title")
    page.text("text")
    assert page.render().startswith("<!doctype html>")
    assert "http" not in page.render()


def a_block(**changes):
    by_class = {"FRI": 0.8, "FRII": 0.9}
    block = {"accuracy": 0.8366, "auc": 0.9, "f1": by_class, "precision": by_class, "recall": by_class}
    return block | {"interval95": {"accuracy": [0.77, 0.894], "auc": [0.85, 0.951]}} | changes


def metrics(**changes):
    block = a_block()
    return {
        "sources": 153,
        "passes": 100,
        "pooled": block,
        "per_source": block,
        "plain": block,
        "confident": None,
        "uncertain": None,
    } | changes


def test_rows_are_formatted():
    ((columns, rows),) = metrics_tables(metrics(uncertain=a_block(sources=49)))
    assert [row[:2] for row in rows] == [["pooled passes", "153"], ["per source", "153"], ["plain image", "153"], ["Uncertain", "49"]]
    assert rows[0][2:] == ["83.7 (77-89)", "0.900 (0.85-0.95)", "0.800", "0.900", "0.800", "0.900", "0.800", "0.900"]
    assert columns == (
        "", "sources", "accuracy, %", "AUC", "F1 FRI", "F1 FRII", "precision FRI", "precision FRII", "recall FRI", "recall FRII"
    )  # fmt: skip
    assert all(len(row) == len(columns) for row in rows)


def test_more_than_two_classes_have_a_row_each():
    names = ("Ring", "Bar", "Cross")
    first = {"f1": 0.2, "precision": 0.3, "recall": 0.4}
    values = {key: {name: low + place / 100 for place, name in enumerate(names)} for key, low in first.items()}
    edges = {key: {name: [0.1, 0.9] for name in names} for key in first} | {"accuracy": [0.3, 0.5], "auc": [0.6, 0.8]}
    edges["f1"] = edges["f1"] | {"Cross": None}
    block = {"accuracy": 0.4, "balanced_accuracy": 0.45, "macro_f1": 0.21, "auc": 0.7, **values, "interval95": edges}
    whole, by_class = metrics_tables(metrics(per_source=block, pooled=block, plain=block))
    assert whole.columns == ("", "sources", "accuracy, %", "balanced, %", "macro F1", "AUC")
    assert whole.rows[0] == ["pooled passes", "153", "40.0 (30-50)", "45.0", "0.210", "0.700 (0.60-0.80)"]
    assert by_class.columns == ("per source", "F1", "precision", "recall")
    assert by_class.rows[1] == ["Bar", "0.210 (0.10-0.90)", "0.310 (0.10-0.90)", "0.410 (0.10-0.90)"]
    assert by_class.rows[2][:2] == ["Cross", "0.220"]


@pytest.mark.parametrize(("auc", "interval", "text"), [(None, None, "-"), (0.5, None, "0.500")])
def test_what_is_not_defined_is_not_invented(auc, interval, text):
    block = a_block(auc=auc, interval95={"accuracy": None, "auc": interval})
    row = metrics_tables(metrics(pooled=block))[0].rows[0]
    assert row[2:4] == ["83.7", text]


def test_hybrids_make_no_row():
    ((_, rows),) = metrics_tables(dict.fromkeys(metrics()) | {"sources": 0})
    assert rows == []
