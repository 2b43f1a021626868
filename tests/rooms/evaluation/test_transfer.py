"""Scores under a condition are those of scikit-learn and of arithmetic; intervals are over sources."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from equiradio.evaluation.calibration import ece
from equiradio.evaluation.transfer import part_of, scored


def answers(count=400, classes=2, seed=0):
    rng = np.random.default_rng(seed)
    labels, p = rng.integers(0, classes, count), rng.dirichlet(np.ones(classes), count)
    flags = [{"unresolved"} if number % 4 == 0 else set() for number in range(count)]
    return {"labels": labels, "p": p, "answered": p.max(1) > 0.7, "beams": rng.uniform(1, 30, count), "flags": flags}


@pytest.mark.parametrize("classes", [2, 4])
def test_points_are_those_of_others(classes):
    some = answers(classes=classes)
    everything = np.ones(400, bool)
    part = part_of(some, everything)
    top, right = some["p"].argmax(1), some["p"].argmax(1) == some["labels"]
    assert part["sources"] == 400
    assert part["accuracy"]["value"] == pytest.approx(right.mean())
    assert part["balanced_accuracy"]["value"] == pytest.approx(balanced_accuracy_score(some["labels"], top))
    assert part["calibration_error"]["value"] == pytest.approx(ece(some["labels"], some["p"]))
    assert part["answered"]["value"] == pytest.approx(some["answered"].mean())
    assert part["right_of_answered"]["value"] == pytest.approx(right[some["answered"]].mean())
    assert part["flags"] == {"unresolved": 0.25}


def test_the_interval_is_as_wide_as_of_a_share():
    part = part_of(answers(), np.ones(400, bool))
    low, high = part["accuracy"]["interval95"]
    share = part["accuracy"]["value"]
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(share * (1 - share) / 400), rel=0.1)
    assert low < share < high


def test_what_is_not_defined_is_none():
    some = answers() | {"answered": np.zeros(400, bool), "labels": np.zeros(400, int)}
    part = part_of(some, np.ones(400, bool))
    assert part["right_of_answered"] == {"value": None, "interval95": None}
    assert part["balanced_accuracy"]["value"] is None
    assert part["answered"]["value"] == 0


def test_strata_hold_every_source_whose_beams_are_known():
    some = answers()
    some["beams"][:10] = np.nan
    result = scored("beam 8 arcsec", some, blank=3)
    assert (result["condition"], result["blank"], result["all"]["sources"]) == ("beam 8 arcsec", 3, 400)
    assert [(stratum["low"], stratum["high"]) for stratum in result["strata"]] == [(0, 5), (5, 10), (10, 20), (20, None)]
    assert sum(stratum["part"]["sources"] for stratum in result["strata"]) == 390
    inside = some["beams"] < 5
    right = some["p"].argmax(1) == some["labels"]
    assert result["strata"][0]["part"]["accuracy"]["value"] == pytest.approx(right[inside].mean())


def test_nothing_is_nothing():
    some = {name: value[:0] for name, value in answers().items()}
    assert scored("noise 5 times", some, blank=7) == {"condition": "noise 5 times", "blank": 7, "all": None, "strata": []}


def test_shares_of_few_sources_have_the_exact_binomial_interval():
    some = answers(count=4) | {
        "labels": np.array([0, 0, 1, 1]),
        "p": np.array([[0.9, 0.1]] * 2 + [[0.1, 0.9]] * 2),
        "answered": np.ones(4, bool),
    }
    part = part_of(some, np.ones(4, bool))
    exact = pytest.approx([0.025**0.25, 1], abs=1e-6)
    assert part["accuracy"]["interval95"] == part["answered"]["interval95"] == part["right_of_answered"]["interval95"] == exact


def test_balanced_accuracy_that_no_resample_changes_has_no_interval():
    some = answers() | {"p": np.tile([0.1, 0.9], (400, 1))}
    part = part_of(some, np.ones(400, bool))
    assert part["balanced_accuracy"] == {"value": 0.5, "interval95": None}
    assert part["accuracy"]["interval95"][0] < part["accuracy"]["value"] < part["accuracy"]["interval95"][1]
