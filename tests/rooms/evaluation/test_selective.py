"""Selective accuracy and doubt, on answers that are known."""

import numpy as np
import pytest

from equiradio.evaluation import selective
from equiradio.evaluation.selective import accuracy_at, doubt_test, entropy, selective_accuracy


def check_known_curve():
    labels = np.array([1, 1, 0, 0])
    p_frii = np.array([0.99, 0.9, 0.7, 0.45])  # right, right, wrong, right; surest first: 0.99, 0.9, 0.7, 0.45
    coverage, accuracy = selective_accuracy(labels, p_frii)
    assert coverage.tolist() == [0.25, 0.5, 0.75, 1]
    assert accuracy == pytest.approx([1, 1, 2 / 3, 3 / 4])
    assert accuracy_at(labels, p_frii, 0.5) == 1
    assert accuracy_at(labels, p_frii, 1.0) == 0.75


def test_a_known_curve():
    check_known_curve()


def test_the_known_curve_catches_the_least_sure_first(monkeypatch):
    monkeypatch.setattr(selective, "entropy", lambda p: -entropy(p))
    with pytest.raises(AssertionError):
        check_known_curve()


def test_sources_of_equal_doubt_stay_together():
    coverage, accuracy = selective_accuracy(np.array([1, 0, 1]), np.array([0.8, 0.8, 0.6]))
    assert coverage == pytest.approx([2 / 3, 1])
    assert accuracy == pytest.approx([0.5, 2 / 3])


def test_entropy_in_bits():
    assert entropy(np.array([0.5, 0, 1, 0.25])) == pytest.approx([1, 0, 0, 0.8112781])


def test_doubt_that_knows_and_doubt_that_does_not():
    uncertain = np.arange(40) % 2 == 0
    knows = doubt_test(uncertain + np.arange(40) / 1000, uncertain)
    assert knows["auc"] == 1
    assert knows["p_value"] < 1e-6
    assert doubt_test(np.zeros(40), uncertain)["auc"] == 0.5
    assert doubt_test(np.zeros(3), np.ones(3, bool))["auc"] is None
