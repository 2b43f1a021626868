"""Intervals of plain shares are the exact binomial's; where a bootstrap sees nothing that varies it says so."""

import numpy as np
import pytest
from scipy.stats import beta, binom

from equiradio.evaluation import bootstrap
from equiradio.evaluation.seeds import over_seeds
from equiradio.evaluation.shares import share_interval


@pytest.mark.parametrize(("hits", "sources"), [(0, 1), (1, 1), (4, 4), (36, 40), (150, 153)])
def test_the_interval_of_a_share_is_that_of_clopper_and_pearson(hits, sources):
    low = beta.ppf(0.025, hits, sources - hits + 1) if hits else 0.0
    high = beta.ppf(0.975, hits + 1, sources - hits) if hits < sources else 1.0
    assert share_interval(hits, sources) == pytest.approx([low, high], abs=1e-6)


@pytest.mark.parametrize("sources", [10, 49])
@pytest.mark.parametrize("share", [0.7, 0.95, 0.98])
def test_the_interval_of_a_share_holds_the_truth_in_95_percent_of_cases(sources, share):
    chance = binom.pmf(np.arange(sources + 1), sources, share)
    edges = np.array([share_interval(hits, sources) for hits in range(sources + 1)])
    assert chance[(edges[:, 0] <= share) & (share <= edges[:, 1])].sum() >= 0.95


def all_right():
    """Twelve FRI and eighteen FRII, all answered rightly in three passes."""
    labels = np.repeat([0, 1], [12, 18])
    return labels, np.repeat(np.where(labels == 1, 0.9, 0.2)[:, None], 3, axis=1)


def test_where_all_sources_are_right_the_interval_has_a_width():
    labels, p = all_right()
    edges = bootstrap.intervals(labels, p, bootstrap.draw(30, 200, seed=0))
    assert edges["accuracy"] == pytest.approx([0.025 ** (1 / 30), 1])
    assert edges["recall"]["FRI"] == edges["precision"]["FRI"] == pytest.approx([0.025 ** (1 / 12), 1])
    assert edges["recall"]["FRII"] == edges["precision"]["FRII"] == pytest.approx([0.025 ** (1 / 18), 1])


def test_where_resamples_of_another_score_are_alike_there_is_no_interval():
    labels, p = all_right()
    edges = bootstrap.intervals(labels, p, bootstrap.draw(30, 200, seed=0))
    assert edges["auc"] is edges["balanced_accuracy"] is edges["macro_f1"] is edges["f1"]["FRI"] is None


def test_a_class_that_is_never_answered_has_no_interval_of_its_precision():
    labels, _ = all_right()
    edges = bootstrap.intervals(labels, np.full((30, 1), 0.9), bootstrap.draw(30, 200, seed=0))
    assert edges["precision"]["FRI"] is None
    assert edges["recall"]["FRI"] == pytest.approx([0, 1 - 0.025 ** (1 / 12)])
    assert edges["balanced_accuracy"] is None  # 0.5 in every resample


def test_where_every_seed_is_right_the_interval_of_their_mean_has_a_width():
    labels, p = all_right()
    block = over_seeds(labels, np.stack([p, p]))
    assert block["accuracy"] == 1
    assert block["interval95"]["accuracy"] == pytest.approx([0.025 ** (1 / 30), 1])
    assert block["interval95"]["auc"] is None


def test_of_one_answer_a_source_shares_have_the_exact_interval_and_of_several_views_they_have_not():
    labels, p = np.repeat([0, 1], [12, 18]), np.repeat([0.2, 0.9, 0.2], [12, 15, 3])
    counts = bootstrap.draw(30, 200, seed=0)
    edges, of_views = (bootstrap.intervals(labels, np.repeat(p[:, None], views, 1), counts) for views in (1, 2))
    assert edges["accuracy"] == share_interval(27, 30)
    assert edges["recall"] == {"FRI": share_interval(12, 12), "FRII": share_interval(15, 18)}
    assert edges["precision"] == {"FRI": share_interval(12, 15), "FRII": share_interval(15, 15)}
    assert over_seeds(labels, p[None, :, None], counts)["interval95"] == edges
    assert of_views["accuracy"] == pytest.approx(bootstrap.interval(counts @ (np.arange(30) < 27) / 30))
    assert of_views["accuracy"] != pytest.approx(edges["accuracy"])
    for name in ("auc", "macro_f1"):
        assert of_views[name] == pytest.approx(edges[name])
