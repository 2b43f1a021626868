"""Intervals come from sources: known answers, scikit-learn as oracle, and mutants that the laws must kill."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom
from sklearn.metrics import accuracy_score, precision_recall_fscore_support, roc_auc_score

from equiradio.errors import SettingRefusal
from equiradio.evaluation import bootstrap

seeds = st.integers(0, 2**16)


def a_case(seed, sources=12, passes=3, levels=8):
    """Labels of both classes and probabilities on a coarse grid, so that ties are common."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(sources) % 2)
    return labels, rng.integers(0, levels + 1, (sources, passes)) / levels


def mostly_right(sources, right, passes=1):
    """Sources of one class, this many of them called right in every pass."""
    return np.ones(sources, int), np.repeat(np.where(np.arange(sources) < right, 0.9, 0.1)[:, None], passes, axis=1)


def law_binomial(sources, right, passes=2, resamples=4000):
    labels, p_frii = mostly_right(sources, right, passes)
    found = bootstrap.intervals(labels, p_frii, bootstrap.draw(sources, resamples, seed=1))["accuracy"]
    exact = binom.ppf([0.025, 0.975], sources, right / sources) / sources
    np.testing.assert_allclose(found, exact, rtol=0, atol=1.001 / sources)  # one source: quantiles of a count jump by one


@pytest.mark.parametrize("right", [80, 110, 130, 150])
def test_accuracy_interval_is_the_exact_binomial(right):
    law_binomial(153, right, resamples=20_000)


@pytest.mark.parametrize("passes", [2, 10, 100])
def test_repeated_passes_do_not_narrow_the_interval(passes):
    law_binomial(153, 130, passes)


def test_the_binomial_law_catches_a_90_percent_interval(monkeypatch):
    law_binomial(600, 510)
    monkeypatch.setattr(bootstrap, "TAILS", (5, 95))
    with pytest.raises(AssertionError):
        law_binomial(600, 510)


def over_predictions(passes):
    """A mutant of `draw`: predictions are drawn one by one, then counted per source."""

    def draw(sources, resamples, seed):
        rng = np.random.default_rng(seed)
        return rng.multinomial(sources * passes, np.full(sources, 1 / sources), size=resamples) / passes

    return draw


@pytest.mark.parametrize("passes", [10, 100])
def test_the_pass_law_catches_a_bootstrap_over_predictions(monkeypatch, passes):
    monkeypatch.setattr(bootstrap, "draw", over_predictions(passes))
    with pytest.raises(AssertionError):
        law_binomial(153, 130, passes)


def law_auc_variance(passes):
    """Interval of the AUC against the analytic variance of a two-sample U statistic (DeLong 1988; clusters: Obuchowski 1997)."""
    rng = np.random.default_rng(3)
    labels = np.repeat([0, 1], [200, 220])
    p_frii = 1 / (1 + np.exp(-(2 * labels - 1)[:, None] - 1.5 * rng.normal(size=(420, 1)) - 0.5 * rng.normal(size=(420, passes))))
    low, high = bootstrap.intervals(labels, p_frii, bootstrap.draw(420, 4000, seed=2))["auc"]
    wins = np.array([[np.mean(two[None] > one[:, None]) for two in p_frii[200:]] for one in p_frii[:200]])
    deviation = np.sqrt(wins.mean(1).var(ddof=1) / 200 + wins.mean(0).var(ddof=1) / 220)
    np.testing.assert_allclose(high - low, 2 * 1.96 * deviation, rtol=0.08)
    np.testing.assert_allclose((low + high) / 2, wins.mean(), rtol=0, atol=0.3 * deviation)


def test_auc_interval_has_the_analytic_width():
    law_auc_variance(passes=4)


def test_the_auc_law_catches_a_bootstrap_over_predictions(monkeypatch):
    monkeypatch.setattr(bootstrap, "draw", over_predictions(4))
    with pytest.raises(AssertionError):
        law_auc_variance(passes=4)


def law_scikit_learn(seed, passes):
    """Every resample equals scikit-learn on the sources written out as often as they were drawn."""
    labels, p_frii = a_case(seed, passes=passes)
    counts = np.vstack([np.ones(len(labels)), bootstrap.draw(len(labels), 5, seed)])
    found = bootstrap.statistics(labels, p_frii, counts)
    for index, count in enumerate(counts.astype(int)):
        truth, p = np.repeat(np.repeat(labels, count), passes), np.repeat(p_frii, count, axis=0).ravel()
        if len(np.unique(truth)) < 2:
            assert np.isnan(found["auc"][index])
            continue
        precision, recall, f1, _ = precision_recall_fscore_support(truth, p >= 0.5, labels=[0, 1], zero_division=0)
        expected = [accuracy_score(truth, p >= 0.5), roc_auc_score(truth, p), *f1, *precision, *recall]
        pairs = [found[key][name] for key in ("f1", "precision", "recall") for name in ("FRI", "FRII")]
        np.testing.assert_allclose([leaf[index] for leaf in [found["accuracy"], found["auc"], *pairs]], expected, rtol=0, atol=1e-12)


@given(seeds, st.integers(1, 4))
def test_every_resample_scores_as_scikit_learn_does(seed, passes):
    law_scikit_learn(seed, passes)


def test_the_oracle_catches_ties_that_count_nothing(monkeypatch):
    strict = lambda fri, frii: (frii[None, :, None, :] > fri[:, None, :, None]).mean((2, 3))
    monkeypatch.setattr(bootstrap, "pair_shares", strict)
    with pytest.raises(AssertionError):
        law_scikit_learn(seed=0, passes=3)


def test_a_class_never_said_has_precision_zero_and_not_nan():
    found = bootstrap.statistics(np.array([0, 0, 1]), np.full((3, 2), 0.2), np.ones((1, 3)))
    assert found["precision"]["FRII"] == found["recall"]["FRII"] == found["f1"]["FRII"] == 0
    assert found["recall"]["FRI"] == 1


def test_pair_shares_by_hand():
    shares = bootstrap.pair_shares(np.array([[0.1, 0.5], [0.9, 0.9]]), np.array([[0.5, 0.7], [0.0, 0.9]]))
    np.testing.assert_array_equal(shares, [[3.5 / 4, 2 / 4], [0, 1 / 4]])


def test_resamples_that_lack_a_class_are_left_out():
    labels, p_frii = np.array([0, 1, 1]), np.array([[0.2], [0.1], [0.9]])
    counts = bootstrap.draw(3, 500, seed=0)
    values = bootstrap.statistics(labels, p_frii, counts)
    lacking = (counts[:, 0] == 0) | (counts[:, 1:].sum(axis=1) == 0)
    assert 0 < lacking.sum() < 500
    np.testing.assert_array_equal(np.isnan(values["auc"]), lacking)
    np.testing.assert_array_equal(np.isnan(values["recall"]["FRI"]), counts[:, 0] == 0)
    assert not np.isnan(values["accuracy"]).any()
    assert bootstrap.interval(values["auc"]) == list(np.percentile(values["auc"][~lacking], [2.5, 97.5]))


def test_no_interval_where_no_resample_defines_it():
    found = bootstrap.intervals(np.ones(5, int), np.full((5, 1), 0.8), bootstrap.draw(5, 50, seed=0))
    assert found["auc"] is found["recall"]["FRI"] is found["precision"]["FRI"] is found["f1"]["FRI"] is None
    assert found["accuracy"] == found["recall"]["FRII"] == pytest.approx([0.025**0.2, 1])


@given(st.integers(1, 60), st.data(), seeds)
def test_accuracy_interval_holds_the_point_estimate(sources, data, seed):
    # a theorem for passes that agree: the resampled count of right answers is binomial with a whole mean, which is then its median
    right = data.draw(st.integers(0, sources))
    labels, p_frii = mostly_right(sources, right, passes=2)
    low, high = bootstrap.intervals(labels, p_frii, bootstrap.draw(sources, 400, seed))["accuracy"]
    assert low - 1e-12 <= right / sources <= high + 1e-12


@given(seeds, st.integers(1, 4))
def test_swapping_the_classes_swaps_their_scores(seed, passes):
    labels, p_frii = a_case(seed, passes=passes, levels=7)  # an odd number of levels: 0.5, which always says FRII, is not among them
    counts = bootstrap.draw(len(labels), 50, seed)
    one, two = bootstrap.statistics(labels, p_frii, counts), bootstrap.statistics(1 - labels, 1 - p_frii.round(6), counts)
    np.testing.assert_allclose(one["accuracy"], two["accuracy"])
    for key in ("f1", "precision", "recall"):
        np.testing.assert_allclose(one[key]["FRI"], two[key]["FRII"])
        np.testing.assert_allclose(one[key]["FRII"], two[key]["FRI"])


@given(seeds, st.integers(1, 4))
def test_auc_is_turned_over_when_the_labels_are(seed, passes):
    labels, p_frii = a_case(seed, passes=passes)
    counts = bootstrap.draw(len(labels), 50, seed)
    np.testing.assert_allclose(bootstrap.auc(labels, p_frii, counts), 1 - bootstrap.auc(1 - labels, p_frii, counts), atol=1e-12)


@given(st.integers(1, 40), st.integers(1, 40), seeds)
def test_a_draw_is_as_large_as_the_sample_and_repeatable(sources, resamples, seed):
    counts = bootstrap.draw(sources, resamples, seed)
    assert counts.shape == (resamples, sources)
    np.testing.assert_array_equal(counts.sum(axis=1), sources)
    np.testing.assert_array_equal(counts, bootstrap.draw(sources, resamples, seed))


def test_another_seed_draws_otherwise():
    assert (bootstrap.draw(20, 5, seed=0) != bootstrap.draw(20, 5, seed=1)).any()


def test_no_resamples_is_refused():
    with pytest.raises(SettingRefusal, match=r"resamples: 0 resamples; expected at least 1\."):
        bootstrap.draw(10, 0, seed=0)
