"""Conformal sets hold the true class as often as promised, whatever the probabilities are worth."""

import numpy as np
import pytest

from equiradio.errors import SettingRefusal
from equiradio.evaluation import conformal
from equiradio.evaluation.conformal import measured_coverage, sets, threshold


def drawn(count, seed, sure=1.0):
    rng = np.random.default_rng(seed)
    p = rng.beta(0.6, 0.6, count)
    labels = (rng.random(count) < p).astype(int)
    logit = sure * np.log(p / (1 - p))
    return labels, 1 / (1 + np.exp(-logit))


def check_coverage(sure):
    found = []
    for seed in range(40):
        limit = threshold(*drawn(200, seed, sure), level=0.9)
        labels, p_frii = drawn(500, 1000 + seed, sure)
        found.append(measured_coverage(labels, sets(p_frii, limit))["coverage"])
    assert np.mean(found) == pytest.approx(0.9, abs=0.015)


@pytest.mark.parametrize("sure", [0.3, 1.0, 4.0])
def test_coverage_is_as_promised(sure):
    check_coverage(sure)


def test_the_coverage_law_catches_a_threshold_of_the_other_class(monkeypatch):
    right = conformal.threshold
    monkeypatch.setitem(globals(), "threshold", lambda labels, p_frii, level: right(1 - labels, p_frii, level))
    with pytest.raises(AssertionError):
        check_coverage(1.0)


def test_known_sets():
    assert threshold(np.array([1] * 9), np.arange(1, 10) / 10, 0.9) == pytest.approx(0.9)
    assert threshold(np.array([1] * 3), np.full(3, 0.9), 0.9) == 1
    inside = sets(np.array([0.95, 0.5, 0.2]), 0.6)
    assert inside.tolist() == [[False, True], [True, True], [True, False]]
    found = measured_coverage(np.array([1, 0, 1]), inside)
    assert found["coverage"] == pytest.approx(2 / 3)
    assert (found["mean_size"], found["single_accuracy"]) == (pytest.approx(4 / 3), 0.5)
    assert found["interval95"][0] < 2 / 3 < found["interval95"][1]


def test_a_level_that_is_no_share_is_refused():
    with pytest.raises(SettingRefusal, match=r"level: 1; expected between 0 and 1\. 0\.9 is usual\."):
        threshold(np.array([1]), np.array([0.5]), 1)
