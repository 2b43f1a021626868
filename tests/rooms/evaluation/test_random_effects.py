"""Two models over seeds and sources: numbers by hand, and intervals that hold as often as they say."""

import numpy as np
import pytest
from scipy import stats

from equiradio.errors import RunRefusal
from equiradio.evaluation import random_effects as module
from equiradio.evaluation.random_effects import random_effects

FIRST = np.array([[1, 1, 1, 1, 1, 0], [0, 0, 1, 0, 1, 0]], bool)  # seeds that differ
SECOND = np.array([[1, 0, 0, 1, 0, 0], [0, 1, 0, 0, 0, 1]], bool)  # seeds that are equally good


def drawn(rng, seeds=3, sources=150, between_seeds=0.05):
    """Two equally good models: sources are hard or easy, more so for one model than for another, and seeds differ."""
    hard = rng.normal(0, 0.2, sources)
    shares = [0.75 + hard + rng.normal(0, 0.15, sources) + rng.normal(0, between_seeds, (seeds, 1)) for _ in range(2)]
    return [rng.random(each.shape) < each for each in shares]


def covered(count=300, **settings):
    """Share of such pairs whose interval holds the true difference, 0."""
    rng = np.random.default_rng(0)
    edges = [random_effects(*drawn(rng, **settings))["interval95"] for _ in range(count)]
    return np.mean([low <= 0 <= high for low, high in edges])


def test_known_numbers():
    """Accuracies 5/6 and 2/6, and 2/6 twice: variance of the seeds of the first 1/8 less its noise, none of the second."""
    answer = random_effects(FIRST, SECOND)
    by_source = np.array([0.5, 0.5, 1, 0.5, 1, 0]) - np.array([0.5, 0.5, 0, 0.5, 0, 0.5])
    from_sources = by_source.var(ddof=1) / 6
    # of the first model: every source's answers less its mean, the seed's and the overall mean; the residue has 5 degrees of freedom
    residue = FIRST - FIRST.mean(0) - FIRST.mean(1, keepdims=True) + FIRST.mean()
    noise = (residue**2).sum() / 5
    between = 1 / 8  # of 5/6 and 2/6
    squared = from_sources + (between - noise / 6) / 2
    assert answer["difference"] == pytest.approx(1 / 4)
    assert answer["error"] == pytest.approx(np.sqrt(squared))
    assert answer["from_seeds"] == pytest.approx(1 - from_sources / squared)
    freedom = squared**2 / (from_sources**2 / 5 + (between / 2) ** 2 / 1 + (noise / 12) ** 2 / 5)
    assert answer["freedom"] == pytest.approx(freedom)
    assert answer["p"] == pytest.approx(2 * stats.t.sf(0.25 / np.sqrt(squared), freedom))
    reach = stats.t.ppf(0.975, freedom) * np.sqrt(squared)
    assert answer["interval95"] == pytest.approx([0.25 - reach, 0.25 + reach])


def test_seeds_that_are_equally_good_leave_the_paired_t_test():
    """Then the sources alone scatter the difference."""
    answer = random_effects(SECOND, SECOND[:, ::-1])
    by_source = SECOND.mean(0) - SECOND[:, ::-1].mean(0)
    expected = stats.ttest_1samp(by_source, 0)
    assert answer["from_seeds"] == 0
    assert answer["p"] == pytest.approx(expected.pvalue)
    assert answer["interval95"] == pytest.approx(list(expected.confidence_interval(0.95)))


def law_of_cover():
    """With seeds that differ and without: 95 % within the noise of 300 pairs, or a little more."""
    for between_seeds in (0.0, 0.05):
        assert 0.92 <= covered(between_seeds=between_seeds) <= 0.995


def test_intervals_hold_as_often_as_they_say():
    law_of_cover()


def test_the_law_catches_intervals_over_sources_alone(monkeypatch):
    """What a bootstrap over sources gives."""

    def over_sources(first, second):
        by_source = first.mean(0) - second.mean(0)
        reach = 1.96 * by_source.std(ddof=1) / np.sqrt(len(by_source))
        return {"interval95": [by_source.mean() - reach, by_source.mean() + reach]}

    monkeypatch.setitem(globals(), "random_effects", over_sources)
    with pytest.raises(AssertionError):
        law_of_cover()


def test_the_other_way_round_is_the_same_with_the_other_sign():
    one, other = random_effects(FIRST, SECOND), random_effects(SECOND, FIRST)
    assert one["difference"] == -other["difference"]
    assert one["interval95"] == pytest.approx([-edge for edge in reversed(other["interval95"])])
    assert (one["error"], one["p"], one["freedom"]) == pytest.approx((other["error"], other["p"], other["freedom"]))


def test_models_may_have_different_numbers_of_seeds():
    assert random_effects(np.tile(FIRST, (2, 1)), SECOND)["difference"] == pytest.approx(1 / 4)


@pytest.mark.parametrize(("first", "second"), [(FIRST[:1], SECOND), (FIRST, SECOND[:1]), (FIRST[:, :1], SECOND[:, :1])])
def test_one_seed_or_one_source_says_nothing_about_others(first, second):
    assert random_effects(first, second) is None


IN_TURN = ~np.eye(3, dtype=bool)[:, [0, 1, 2, 0, 1, 2]]  # every source is wrong by one seed of three, every seed about two sources


@pytest.mark.parametrize("second", [np.ones((3, 6), bool), np.zeros((3, 6), bool), IN_TURN])
def test_where_nothing_scatters_nothing_is_known_of_others(second):
    """Neither certainty that they are alike nor that they differ, rounding of thirds included."""
    assert random_effects(np.ones((2, 6), bool), second) is None


def test_other_sources_are_refused():
    with pytest.raises(RunRefusal, match="expected the same sources"):
        module.random_effects(np.ones((2, 3), bool), np.ones((2, 4), bool))
