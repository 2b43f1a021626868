"""Ranks from paired differences: noise wins nothing, a difference is seen through shared scatter, few sources stand in the middle."""

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from equiradio.explain import ranking as room
from equiradio.explain.ranking import FEWEST, ranked, simultaneous


def check_chance(sources, draws=200, kinds=8, measures=3):
    """Of skies where no kind of map is better, the share in which any of many paired comparisons is sure."""
    rng = np.random.default_rng(1)
    first, second = np.triu_indices(kinds, 1)
    wrong = 0
    for _ in range(draws):
        values = rng.normal(size=(measures, 1, sources)) + rng.normal(size=(measures, kinds, sources))
        made = simultaneous((values[:, first] - values[:, second]).reshape(-1, sources))
        wrong += bool(((made.low > 0) | (made.high < 0)).any())
    assert wrong <= 0.09 * draws  # 5 % at most, and what chance adds to 200 draws


@pytest.mark.parametrize("sources", [FEWEST, 12, 40])
def test_intervals_hold_together(sources):
    check_chance(sources)


@pytest.mark.parametrize("sources", [FEWEST, 40])
def test_the_law_of_chance_catches_intervals_of_one_comparison_each(monkeypatch, sources):
    whole = room.simultaneous
    monkeypatch.setitem(
        globals(),
        "simultaneous",
        lambda values: room.Simultaneous(*(np.concatenate(each) for each in zip(*(whole(row[None]) for row in values), strict=True))),
    )
    with pytest.raises(AssertionError):
        check_chance(sources)


def test_one_comparison_has_the_interval_of_students_t():
    values = np.random.default_rng(0).normal(size=(1, 7))
    made, exact = simultaneous(values), ttest_1samp(values[0], 0).confidence_interval(0.95)
    assert (made.low[0], made.high[0]) == pytest.approx((exact.low, exact.high))


def test_many_comparisons_share_out_the_level():
    values = np.random.default_rng(0).normal(size=(600, 12))
    values[300:, 7:] = np.nan
    made = simultaneous(values)
    for row, sources in ((0, 12), (599, 7)):
        exact = ttest_1samp(values[row, :sources], 0).confidence_interval(1 - 0.05 / 600)
        assert (made.low[row], made.high[row]) == pytest.approx((exact.low, exact.high))


def scattered(sources=60):
    """Three kinds whose sources scatter alike by far more than the kinds differ, and a fourth of few sources."""
    rng = np.random.default_rng(0)
    shared = rng.normal(scale=3, size=sources)
    values = shared + np.array([[0.5], [0.0], [0.0], [0.2]]) + rng.normal(scale=0.2, size=(4, sources))
    values[3, FEWEST + 1 :] = np.nan
    return values[None]


def check_paired(values):
    made = ranked(values, np.array([1]))
    assert made.low[0, 0, 1] > 0
    assert made.rank[0, 0] < made.rank[0, 1]
    assert made.rank[0, 1] == made.rank[0, 2]


def test_a_small_difference_is_seen_pair_by_pair():
    check_paired(scattered())


def test_the_law_of_pairs_catches_values_that_are_not_paired():
    values = scattered()
    values[0, 0] = np.random.default_rng(2).permutation(values[0, 0])
    with pytest.raises(AssertionError):
        check_paired(values)


def test_where_lower_is_better_the_order_turns_round():
    up, down = (ranked(scattered()[:, :3], np.array([hand])) for hand in (1, -1))
    assert up.rank[0].tolist() == [1, 2.5, 2.5]
    assert down.rank[0].tolist() == [3, 1.5, 1.5]
    np.testing.assert_allclose(up.lift, -down.lift)
    np.testing.assert_allclose(up.low, -down.high)
    np.testing.assert_allclose(up.means, down.means)


def test_too_few_sources_have_no_rank_and_missing_ones_do_not_count():
    values = scattered()
    values[0, 3, FEWEST - 1 :] = np.nan
    made = ranked(values, np.array([1]))
    assert np.isnan(made.rank[0, 3])
    assert made.sources.tolist() == [[60, 60, 60, FEWEST - 1]]
    np.testing.assert_allclose(made.rank[0, :3], [1, 2.5, 2.5])  # as without it
    assert made.comparisons == 3


def test_kinds_that_never_differ_share_the_middle():
    values = np.repeat(np.random.default_rng(0).random((1, 1, 20)), 3, 1)
    made = ranked(values, np.array([1]))
    assert made.rank.tolist() == [[2, 2, 2]]
    assert made.mean_rank.tolist() == [2, 2, 2]
