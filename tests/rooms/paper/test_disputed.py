"""Labels in question, of networks whose answers are known in advance."""

from types import SimpleNamespace

import numpy as np
import pytest
from fake_results import fake_results

from equiradio.paper import disputed as disputed_module
from equiradio.paper.disputed import disputed
from equiradio.paper.report import _picture_disputed
from equiradio.paper.results import read_results
from equiradio.paper.table1 import table1
from equiradio.paper.table1_text import to_markdown


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return fake_results(tmp_path_factory.mktemp("fake"))


def wrong_about(*rows, seeds=1, sources=20):
    """Networks of one model that are wrong about these of the sources; every other one is FRII."""
    labels = np.arange(sources) % 2
    p = np.where(np.isin(np.arange(sources), rows), 1 - labels, labels) * 0.8 + 0.1
    answers = SimpleNamespace(
        labels=labels, source_ids=np.array([f"s{row}" for row in range(sources)]), confidence=np.repeat("confident", sources)
    )
    return [SimpleNamespace(per_source=p, predictions=answers)] * seeds


def results_of(**models):
    runs = {name: [SimpleNamespace(model=name, **vars(each)) for each in networks] for name, networks in models.items()}
    return SimpleNamespace(runs=[each for networks in runs.values() for each in networks], of=runs.get)


def law_of_disputed():
    """Nine models are wrong about source 4, all ten about 7, eight about 2; one of them has eleven seeds and weighs no more."""
    models = {
        f"m{number}": wrong_about(7, *([4] * (number < 9)), *([2] * (number < 8)), seeds=11 if number == 0 else 1) for number in range(10)
    }
    answer = disputed(results_of(**models))
    assert [(each["source_id"], each["label"]) for each in answer["sources"]] == [("s7", "FRII"), ("s4", "FRI")]
    assert [each["against"] for each in answer["sources"]] == pytest.approx([1, 0.9])
    assert [each["p_frii"] for each in answer["sources"]] == pytest.approx([0.1, 0.9 * 0.9 + 0.1 * 0.1])
    assert answer["networks"] == 20
    with_all, without = ([each[key] for each in answer["accuracy"]] for key in ("accuracy", "undisputed"))
    assert with_all == pytest.approx([17 / 20] * 8 + [18 / 20, 19 / 20])
    assert without == pytest.approx([17 / 18] * 8 + [1, 1])


def test_disputed_labels_by_hand():
    law_of_disputed()


def test_the_law_of_disputed_labels_catches_networks_that_weigh_alike(monkeypatch):
    """Then the eleven seeds of one model would outvote the others."""
    mean = np.mean
    monkeypatch.setattr(disputed_module, "LEAST", 0.8)
    with pytest.raises(AssertionError):
        law_of_disputed()
    monkeypatch.setattr(disputed_module, "LEAST", 0.9)
    weighed = lambda parts, axis: (
        np.average(parts, axis=axis, weights=[11, *[1] * 9]) if isinstance(parts, list) else mean(parts, axis=axis)
    )
    monkeypatch.setattr(disputed_module.np, "mean", weighed)
    with pytest.raises(AssertionError):
        law_of_disputed()


def test_one_model_disputes_nothing_and_where_all_is_disputed_nothing_is_left():
    assert disputed(results_of(m=wrong_about(3))) is None
    every = wrong_about(*range(20))
    assert {each["undisputed"] for each in disputed(results_of(m=every, n=every))["accuracy"]} == {None}


def test_labels_in_question_stand_in_the_tables(folder):
    table = table1(read_results(folder), None)
    assert table["disputed"]["networks"] == 6
    text = to_markdown(table)
    assert "## Labels in question" in text
    assert all(f"| {name} | " in text for name in (each["source_id"] for each in table["disputed"]["sources"]))
    assert table["disputed"]["sources"]


def test_sources_in_question_are_pictured_where_their_images_are(tmp_path):
    """The picture of an earlier report goes where there is none now."""
    path, wrong = tmp_path / "disputed.png", disputed(results_of(m=wrong_about(3), n=wrong_about(3)))
    images = SimpleNamespace(source_ids=np.array([f"s{row}" for row in range(20)]), images=np.zeros((20, 150, 150), np.uint8))
    _picture_disputed(wrong, images, path)
    assert path.read_bytes().startswith(b"\x89PNG")
    _picture_disputed(wrong, None, path)
    assert not path.exists()
