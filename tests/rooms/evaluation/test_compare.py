"""Paired comparisons: known answers by hand, each with a mutant that must be caught."""

from math import comb

import numpy as np
import pytest

from equiradio.errors import RunRefusal
from equiradio.evaluation import bootstrap, compare
from equiradio.evaluation.compare import holm, mcnemar_exact, mcnemar_power, paired_bootstrap, right, smallest_difference, smallest_unpaired


def pair(first_only, second_only, both=5, neither=3):
    """Which of two models is right, source by source."""
    first = [True] * first_only + [False] * second_only + [True] * both + [False] * neither
    second = [False] * first_only + [True] * second_only + [True] * both + [False] * neither
    return np.array(first), np.array(second)


def by_hand(first_only, second_only):
    """Two-sided exact binomial: twice the smaller tail of a fair coin, at most 1."""
    number, less = first_only + second_only, min(first_only, second_only)
    return min(1.0, 2 * sum(comb(number, k) for k in range(less + 1)) / 2**number)


@pytest.mark.parametrize(("first_only", "second_only"), [(10, 2), (15, 5), (0, 6), (3, 3), (1, 0), (12, 10)])
def test_mcnemar_is_the_exact_binomial(first_only, second_only):
    found = mcnemar_exact(*pair(first_only, second_only))
    assert (found["first_only"], found["second_only"]) == (first_only, second_only)
    assert found["p"] == pytest.approx(by_hand(first_only, second_only), rel=1e-12)


def test_mcnemar_of_equal_models_says_nothing():
    assert mcnemar_exact(*pair(0, 0)) == {"first_only": 0, "second_only": 0, "p": 1.0}


def test_sources_that_both_have_right_do_not_count():
    assert mcnemar_exact(*pair(7, 1, both=0))["p"] == mcnemar_exact(*pair(7, 1, both=500))["p"]


def test_the_mcnemar_law_catches_a_normal_approximation(monkeypatch):
    """Chi square without correction, as some packages have it."""
    from scipy.stats import chi2

    def approximate(first, second):
        only, other = int((first & ~second).sum()), int((second & ~first).sum())
        return {"first_only": only, "second_only": other, "p": float(chi2.sf((only - other) ** 2 / (only + other), 1))}

    monkeypatch.setitem(globals(), "mcnemar_exact", approximate)
    with pytest.raises(AssertionError):
        test_mcnemar_is_the_exact_binomial(10, 2)


def test_other_sources_are_refused():
    with pytest.raises(RunRefusal, match="expected the same sources"):
        mcnemar_exact(np.ones(3, bool), np.ones(4, bool))


def law_of_holm():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([0.02]) == [0.02]
    assert holm([0.001, 0.3, 0.02, 0.3]) == pytest.approx([0.004, 0.6, 0.06, 0.6])
    assert holm([]) == []


def test_holm_of_known_numbers():
    law_of_holm()


@pytest.mark.parametrize(
    "mutant",
    [
        lambda p: [min(1.0, len(p) * value) for value in p],  # Bonferroni
        lambda p: [min(1.0, (len(p) - rank) * value) for rank, value in enumerate(p)],  # not sorted
        lambda p: [min(1.0, (len(p) - sorted(p).index(value)) * value) for value in p],  # not monotone
    ],
)
def test_the_law_of_holm_catches_other_corrections(monkeypatch, mutant):
    monkeypatch.setitem(globals(), "holm", mutant)
    with pytest.raises(AssertionError):
        law_of_holm()


def law_of_the_paired_interval():
    """40 of 160 sources are won by the first alone, none lost: the mean is a binomial share, whose interval is known."""
    from scipy.stats import binom

    difference = np.array([1.0] * 40 + [0.0] * 120)
    found = paired_bootstrap(difference, bootstrap.draw(160, 20_000, 0))
    assert found["difference"] == 0.25
    assert found["interval95"] == pytest.approx(binom.ppf([0.025, 0.975], 160, 0.25) / 160, abs=1.01 / 160)
    assert found["p"] == pytest.approx(1 / 20_000)


def test_the_paired_interval_is_that_of_the_binomial():
    law_of_the_paired_interval()


def test_the_law_of_the_paired_interval_catches_the_deviation_of_one_source(monkeypatch):
    monkeypatch.setattr(compare.np, "percentile", lambda means, edges: (means.mean() - 0.433, means.mean() + 0.433))
    with pytest.raises(AssertionError):
        law_of_the_paired_interval()


@pytest.mark.parametrize("difference", [0.0, 1.0, 1 / 3])
def test_a_difference_that_no_source_scatters_has_neither_interval_nor_p(difference):
    answer = paired_bootstrap(np.full(20, difference), bootstrap.draw(20, 500, 0))
    assert answer == {"difference": pytest.approx(difference), "interval95": None, "p": None}


def test_the_p_value_is_that_of_either_direction():
    difference, counts = np.array([1.0] * 12 + [-1.0] * 5 + [0.0] * 60), bootstrap.draw(77, 4000, 1)
    one, other = paired_bootstrap(difference, counts), paired_bootstrap(-difference, counts)
    assert one["p"] == pytest.approx(other["p"])
    assert 0.05 < one["p"] < 0.2  # a sign test of 12 against 5 gives 0.14
    assert one["interval95"] == pytest.approx([-edge for edge in reversed(other["interval95"])])


def test_power_counts_what_the_test_would_find():
    """By simulation: the share of drawn data sets in which the test rejects."""
    generator = np.random.default_rng(0)
    drawn = generator.multinomial(60, [0.2, 0.05, 0.75], size=4000)
    share = np.mean([by_hand(int(first), int(second)) <= 0.05 for first, second, _ in drawn])
    assert mcnemar_power(60, 0.15, 0.25) == pytest.approx(share, abs=0.03)


def test_without_a_difference_the_power_is_at_most_the_level():
    assert 0 < mcnemar_power(153, 0.0, 0.15) <= 0.05


def test_the_smallest_difference_has_the_power_asked_for():
    found = smallest_difference(153, 0.14)
    assert mcnemar_power(153, found["difference"], 0.14) == pytest.approx(0.8, abs=1e-3)
    assert smallest_difference(600, 0.14)["difference"] < found["difference"] < smallest_difference(153, 0.3)["difference"]
    assert smallest_difference(153, 0.0)["difference"] is None
    assert smallest_difference(20, 0.05)["difference"] is None  # one source in twenty differs: no test can see that


def test_the_unpaired_difference_is_the_textbook_s():
    assert smallest_unpaired(153, 0.85) == pytest.approx((1.959964 + 0.841621) * (2 * 0.85 * 0.15 / 153) ** 0.5, rel=1e-6)


def test_right_takes_one_run_or_many():
    labels = np.array([0, 1, 1])
    assert right(labels, np.array([0.4, 0.5, 0.4])).tolist() == [True, True, False]
    assert right(labels, np.array([[0.4, 0.5, 0.4], [0.6, 0.6, 0.6]])).tolist() == [[True, True, False], [False, True, True]]
