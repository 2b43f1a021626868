"""The ranking's figure and tables hold what was measured: the best on top, what was not measured left out."""

import numpy as np
import pytest

from equiradio.report.explanation_text import KINDS, PAIR_COLUMNS, core_rows, pair_rows, rank_columns, rank_rows
from equiradio.report.ranking_figure import QUESTIONS, ranking_figure

MEASURED = ("deletion", "energy")
SIDE = 150


@pytest.fixture
def ranking():
    """Evidence is first by both measures, noise last; occlusion was not measured, and nothing else differs."""
    kinds = list(KINDS)
    rank = np.full((2, len(kinds)), 6.0)
    rank[:, kinds.index("evidence")], rank[:, kinds.index("noise")], rank[:, kinds.index("occlusion")] = 1, 13, np.nan
    means = np.tile(np.linspace(0, 1, len(kinds)), (2, 1))
    sources = np.where(np.isfinite(rank), [[40], [153]], 0)
    return means, rank, sources


def test_the_best_is_on_top_and_what_was_not_measured_left_out(ranking):
    image, examples = np.zeros((SIDE, SIDE)), {kind: np.full((SIDE, SIDE), np.nan) for kind in KINDS}
    image[70:80, 70:80] = 1
    examples["evidence"] = np.arange(SIDE**2, dtype=float).reshape(SIDE, SIDE)
    cells, *maps = ranking_figure(MEASURED, *ranking, image, examples).axes
    names = [axes.get_ylabel() for axes in maps]
    assert (names[0], names[-1]) == ("evidence", "noise")
    assert set(names) == set(KINDS.values()) - {"occlusion"}
    np.testing.assert_array_equal(maps[0].images[0].get_array(), examples["evidence"][35:115, 35:115])
    texts = [text.get_text() for text in cells.texts]
    assert texts[0] == f"{ranking[0][0, list(KINDS).index('evidence')]:.2f}  (1)"
    assert [text for text in texts if " " not in text][:2] == ["1.0", "6.0"]
    assert [tick.get_text().splitlines()[-1] for tick in cells.get_xticklabels()] == ["40 sources", "153 sources", "rank"]


def test_small_images_are_shown_whole(ranking):
    image, examples = np.eye(76), {kind: np.full((76, 76), np.nan) for kind in KINDS}
    examples["evidence"] = np.arange(76**2, dtype=float).reshape(76, 76)
    shown = ranking_figure(MEASURED, *ranking, image, examples).axes[1].images[0].get_array()
    np.testing.assert_array_equal(shown, examples["evidence"])


def test_every_measure_of_the_part_has_its_question():
    from equiradio.explain.parts.ranking import FAITHFUL, LIKENESSES

    assert set(QUESTIONS) == {*FAITHFUL, *LIKENESSES}


def test_pairs_say_who_is_better(ranking):
    count = len(KINDS)
    lift = np.full((2, count, count), np.nan)
    lift[0, 0, 1], lift[1, 0, 1], lift[1, 0, 2] = 0.3, -0.3, 0.05
    rows = pair_rows(MEASURED, ranking[0], lift, lift - 0.1, lift + 0.1)
    first, second, third, *_ = KINDS
    better = PAIR_COLUMNS.index("better")
    assert [(row[0], row[1], row[2], row[better]) for row in rows] == [
        ("deletion", first, second, first),
        ("energy", first, second, second),
        ("energy", first, third, ""),
    ]
    assert rows[0][5:8] == pytest.approx([0.3, 0.2, 0.4])


def test_the_table_is_in_the_order_of_mean_ranks():
    cell = lambda mean, rank, sources=40: {"mean": mean, "rank": rank, "sources": sources}
    measures = {"energy": {kind: cell(0.5, 6.0) for kind in KINDS} | {"image": cell(0.96, 1.5), "occlusion": cell(None, None, 0)}}
    measures["energy"]["noise"] = cell(0.01, None, 4)  # few sources
    rows = rank_rows({"measures": measures, "mean_rank": dict.fromkeys(KINDS, 6.0) | {"image": 1.5, "occlusion": None}})
    assert rank_columns(["energy"]) == ["map", "mean rank", "energy on islands"]
    assert rows[0] == ["the image itself", "1.5", "0.96 (1.5)"]
    assert len(rows) == len(KINDS) - 1
    assert ["noise", "6.0", "0.01"] in rows
    classes = {"FRI": {"core": {"rank": 0.8, "p_value": 1e-9, "sources": 9}, "peaks": {"rank": None, "p_value": None, "sources": 0}}}
    assert core_rows({"image": classes}) == [["the image itself", "0.80 (p < 0.0001)", "-"]]
