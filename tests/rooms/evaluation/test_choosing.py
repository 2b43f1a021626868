"""What is chosen on validation answers is found again where it is known."""

import numpy as np
import pytest
from scipy.special import softmax

from equiradio.evaluation import choosing
from equiradio.evaluation.calibration import is_right, top_probability
from equiradio.evaluation.choosing import (
    abstention,
    best_temperature,
    cascaded,
    choose_poses,
    feature_reach,
    probabilities,
    squared_distance,
    sure_from,
    team_distance,
)


@pytest.mark.parametrize("classes", [2, 4])
def test_probabilities_are_a_softmax(classes):
    logits = np.random.default_rng(0).normal(0, 5, (3, 7, classes))
    np.testing.assert_allclose(probabilities(logits, 1.7), softmax(logits / 1.7, axis=-1), atol=1e-12)
    huge = probabilities(np.full((1, classes), 1e4) + np.arange(classes))
    np.testing.assert_allclose(huge, softmax(np.arange(classes))[None], atol=1e-9)


@pytest.mark.parametrize("classes", [2, 4])
def test_a_known_temperature_is_found_again(classes):
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (1, 1, 20_000, classes))
    p = probabilities(logits)[0, 0]
    labels = (rng.random(len(p))[:, None] > np.cumsum(p, 1)).sum(1)
    assert best_temperature(1.7 * logits, labels) == pytest.approx(1.7, rel=0.05)


def test_the_temperature_is_1_where_no_other_is_better():
    labels = np.arange(40) % 2
    logits = np.float32(1e4) * np.eye(2, dtype=np.float32)[labels][None, None]  # all are right and as sure as can be
    assert choosing.best_temperature(logits, labels) == 1


def test_the_threshold_flatters_the_sources_that_it_was_chosen_by():
    """The numbers of docs/reference/catalogue.md: networks whose probabilities hold, right about 79 %, by 213 and by 40 sources."""
    for count, chosen, others in ((213, 0.955, 0.945), (40, 0.98, 0.933)):
        seen, new = [], []
        for seed in range(200):
            rng = np.random.default_rng(seed)
            p = 1 / (1 + np.exp(-rng.normal(0, 2.2, 4000)))
            labels = (rng.random(4000) < p).astype(int)
            right, top = is_right(labels, p), top_probability(p)
            answered = top >= choosing.abstention(labels[:count], p[:count])
            if answered[:count].any() and answered[count:].any():
                seen.append(right[:count][answered[:count]].mean())
                new.append(right[count:][answered[count:]].mean())
        assert np.mean(seen) == pytest.approx(chosen, abs=0.01)
        assert np.mean(new) == pytest.approx(others, abs=0.01)


def test_more_poses_are_chosen_only_where_they_are_worth_it():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 4000)
    truth = np.stack([-(2.0 * labels - 1), 2.0 * labels - 1], -1)
    noisy = truth + rng.normal(0, 3, (1, 4, len(labels), 2))
    found = choose_poses(noisy, labels)
    assert found.number == 4
    assert found.temperature == found.temperatures[4]
    assert found.temperatures[1] == best_temperature(noisy[:, :1], labels) != found.temperature
    assert set(found.nll) == {"1", "2", "4"}
    alike = np.repeat(noisy[:, :1], 4, axis=1)
    assert choose_poses(alike, labels).number == 1


def test_the_threshold_is_the_lowest_that_keeps_95_percent_right():
    p = np.linspace(0.5, 1, 200, endpoint=False)
    labels = np.ones(200, int)
    labels[:60:2] = 0  # wrong half of the time below 0.65
    threshold = abstention(labels, p)
    assert labels[p >= threshold].mean() >= 0.95 > labels[p >= threshold - 0.0026].mean()
    assert threshold == abstention(labels, np.stack([1 - p, p], 1))
    assert abstention(np.array([1]), p[1:2]) == p[1]
    assert abstention(np.array([0]), p[1:2]) == 1, "of none right nobody answers"


def test_the_reach_leaves_out_three_percent_of_sources_like_the_seen():
    rng = np.random.default_rng(0)
    seen, new = rng.normal(size=(1, 400, 8)) * np.arange(1, 9), rng.normal(size=(1, 4000, 8)) * np.arange(1, 9)
    seen[..., 0] = new[..., 0] = 0  # a dead feature
    reach = feature_reach(seen)
    away = team_distance(new, reach.centre, reach.precision)
    assert 0.01 < np.mean(away > reach.reach) < 0.06
    np.testing.assert_allclose(away, np.sqrt(squared_distance(new[0], reach.centre[0], reach.precision[0])))


def test_the_law_of_the_reach_catches_one_that_is_not_held_out():
    """Distances of the very sources that shaped the covariance are too small: with as many features as sources, far too small."""
    rng = np.random.default_rng(0)
    few, new = rng.normal(size=(1, 40, 30)), rng.normal(size=(1, 400, 30))
    share = lambda reach: np.mean(team_distance(new, reach.centre, reach.precision) > reach.reach)
    whole = choosing.mean_and_precision(few[0])
    own = np.sqrt(squared_distance(few[0], *whole))
    in_sample = np.mean(np.sqrt(squared_distance(new[0], *whole)) > np.percentile(own, 97))
    assert in_sample > 0.08 > share(feature_reach(few))


def test_a_cascade_asks_the_better_team_as_rarely_as_it_may():
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 2, 400)
    team = np.where(labels == 1, 0.95, 0.05)
    quick = np.where(labels == 1, 0.949, 0.051)
    wrong = rng.random(400) < 0.2
    quick[wrong] = np.where(labels == 1, 0.4, 0.6)[wrong]  # hardly sure where it is wrong
    usual = np.ones(400, bool)
    threshold = sure_from(labels, quick, team, usual)
    assert threshold == pytest.approx(0.949)
    sure = top_probability(quick) >= threshold
    assert sure.mean() == pytest.approx(1 - wrong.mean())
    assert is_right(labels, cascaded(quick, team, sure)).mean() == 1.0
    assert sure_from(labels, 1 - quick, team, usual) == 1.0, "a quick team that is always wrong is never believed"
    assert sure_from(labels, quick, quick, usual) == pytest.approx(0.6), "the same team may always answer"
    assert sure_from(labels, quick, quick, usual, least=0.8) == pytest.approx(0.8), "but not from where the quick team abstains itself"
    assert sure_from(labels, quick, team, usual, least=0.96) == 0.96, "no source lies above it"
    three = np.stack([1 - quick, quick / 2, quick / 2], 1)
    assert (cascaded(three, three[::-1], sure)[sure] == three[sure]).all()


def test_the_reach_says_who_lies_within():
    reach = feature_reach(np.random.default_rng(0).normal(size=(2, 200, 3)))
    assert reach.usual.mean() == pytest.approx(0.97, abs=0.006)
