"""The linear reading of features: scikit-learn's own, of unscaled features, as strong as sources that were held back ask for."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from equiradio.evaluation import linear
from equiradio.evaluation.linear import fit_reading

CENTRES = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 3.0]])
SCALES = np.array([0.01, 40.0, 1.0])


def drawn(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features of three classes: two that tell them apart, of unlike scales, and one that is the same everywhere."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    clouds = CENTRES[labels] + rng.normal(size=(count, 2))
    return np.column_stack([clouds, np.full(count, 7.0)]) * SCALES, labels


def logits(reading, features):
    return features @ reading.weight.T + reading.constant


def test_it_tells_apart_what_it_has_not_seen():
    features, labels = drawn(150)
    reading = fit_reading(features, np.eye(3)[labels], np.arange(150))
    fresh, truth = drawn(600, seed=1)
    best = ((fresh[:, None, :2] / SCALES[:2] - CENTRES) ** 2).sum(2).argmin(1)  # nobody tells these clouds apart better
    assert (logits(reading, fresh).argmax(1) == truth).mean() > (best == truth).mean() - 0.02
    assert (reading.weight[:, 2] == 0).all(), "what is the same everywhere says nothing"


def test_it_is_the_fit_of_scaled_features_by_the_strength_that_was_chosen(monkeypatch):
    features, labels = drawn(60)
    monkeypatch.setattr(linear, "STRENGTHS", (0.03,))
    reading = fit_reading(features, np.eye(3)[labels], np.arange(60))
    scaled = (features - features.mean(0))[:, :2] / features.std(0)[:2]
    theirs = LogisticRegression(C=0.03, max_iter=5000).fit(scaled, labels).predict_proba(scaled)
    ours = np.exp(logits(reading, features))
    np.testing.assert_allclose(ours / ours.sum(1, keepdims=True), theirs, atol=1e-6)


@pytest.mark.parametrize("copies", [1, 20])
def test_copies_of_a_source_do_not_make_noise_look_like_knowledge(copies, monkeypatch):
    """Labels by chance ask for a strong penalty, which is seen only where views of a source are held back together."""
    rng = np.random.default_rng(3)
    features, labels = np.repeat(rng.normal(size=(60, 30)), copies, 0), np.repeat(rng.integers(0, 3, 60), copies)
    strengths = []
    fit = linear._fit
    monkeypatch.setattr(linear, "_fit", lambda *given: (strengths.append(given[3]), fit(*given))[1])
    fit_reading(features, np.eye(3)[labels], np.repeat(np.arange(60), copies))
    assert strengths[-1] <= 0.01
    fit_reading(features, np.eye(3)[labels], np.arange(60 * copies))
    assert (strengths[-1] > 0.01) == (copies > 1)


def test_two_classes_and_one_that_nobody_has():
    features, labels = drawn(90)
    two = labels < 2
    reading = fit_reading(features[two], np.eye(3)[labels[two]], np.arange(two.sum()))
    said = np.exp(logits(reading, features[two]))
    said /= said.sum(1, keepdims=True)
    assert (said[:, 2] < 0.1).all()
    assert log_loss(labels[two], said, labels=range(3)) < 0.3


def test_shares_of_a_label_count_as_so_many_sources():
    features, labels = drawn(60)
    soft = 0.75 * np.eye(3)[labels] + 0.25 * np.eye(3)[(labels + 1) % 3]
    certain, unsure = (fit_reading(features, each, np.arange(60)) for each in (np.eye(3)[labels], soft))
    highest = [np.exp(each - each.max(1, keepdims=True)).sum(1) ** -1 for each in (logits(certain, features), logits(unsure, features))]
    assert highest[1].mean() < 0.8 < highest[0].mean()


def test_a_class_of_few_sources_is_learned_without_a_warning():
    features, labels = drawn(90)
    rare = (labels < 2) | (np.arange(90) < 6)
    reading = fit_reading(features[rare], np.eye(3)[labels[rare]], np.arange(rare.sum()))
    fresh, truth = drawn(300, seed=1)
    assert (logits(reading, fresh).argmax(1) == truth)[truth == 2].mean() > 0.3


@pytest.mark.parametrize("labels", [[0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1]])
def test_where_nothing_can_be_held_back_there_is_no_reading(labels):
    assert fit_reading(drawn(6)[0], np.eye(2)[labels], np.arange(6)) is None


def test_of_features_that_are_not_finite_there_is_no_reading():
    features, labels = drawn(30)
    features[4, 0] = np.nan
    assert fit_reading(features, np.eye(3)[labels], np.arange(30)) is None
