"""Sets by class hold the truth as often in each class, for any mix of them; who is explained has no part in its own threshold."""

import numpy as np
import pytest

from equiradio.evaluation.conformal import class_thresholds, cross_thresholds, sets, threshold


def drawn(count, seed, share=0.5, shift=1.0):
    """Sources of two classes in a mix, told apart by a network that is unfair to the first."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(count) < share).astype(int)
    logit = rng.normal(np.where(labels == 1, 2.0, -1.0), 1.5) + shift
    return labels, 1 / (1 + np.exp(-logit))


def by_class(limits_of, share=0.5):
    """Coverage of each class, mean over draws."""
    found = []
    for seed in range(40):
        inside = sets((drawn_p := drawn(2000, 1000 + seed, share))[1], limits_of(*drawn(300, seed)))
        right = inside[np.arange(2000), drawn_p[0]]
        found.append([right[drawn_p[0] == place].mean() for place in (0, 1)])
    return np.mean(found, 0)


@pytest.mark.parametrize("share", [0.5, 0.1, 0.9])
def test_each_class_is_covered_as_promised_whatever_the_mix(share):
    assert by_class(class_thresholds, share) == pytest.approx([0.9, 0.9], abs=0.015)


def test_one_threshold_for_both_is_unfair_to_one():
    """Which the law above must catch."""
    assert by_class(threshold)[0] < 0.87


def test_three_classes_and_one_of_them_without_sources():
    p = np.random.default_rng(0).dirichlet([1, 1, 1], 200)
    labels = (p[:, 1] > p[:, 0]).astype(int)
    limits = class_thresholds(labels, p)
    assert limits[2] == 1
    assert [limits[place] for place in (0, 1)] == [threshold(labels[labels == place], p[labels == place]) for place in (0, 1)]
    assert sets(p, limits)[:, 2].all()
    assert sets(p, limits)[np.arange(200), labels].mean() >= 0.9


def test_a_source_has_no_part_in_its_own_threshold():
    labels, p = drawn(100, 0)
    ids = np.array([f"s{number}" for number in range(100)])
    limits = cross_thresholds(ids, labels, p, ids)
    assert limits.shape == (100, 1)
    assert len(np.unique(limits)) > 1
    wrong = p.copy()
    wrong[7] = 1 - labels[7]  # as wrong as can be: its own threshold does not hear of it
    assert cross_thresholds(ids, labels, wrong, ids)[7] == limits[7]
    assert not (cross_thresholds(ids, labels, wrong, ids) == limits).all()


def test_calibrated_on_itself_coverage_is_what_was_asked_for_and_no_measurement():
    """Of few sources: with their own thresholds they are covered by construction, without about as promised, mean over draws."""
    own, cross = [], []
    for seed in range(200):
        labels, p = drawn(40, seed)
        ids = np.arange(40).astype(str)
        covered = lambda limits, p=p, labels=labels: sets(p, limits)[np.arange(40), labels].mean()
        own.append(covered(threshold(labels, p)))
        cross.append(covered(cross_thresholds(ids, labels, p, ids)))
    assert np.min(own) >= 0.9
    assert np.min(cross) < 0.9
    assert np.mean(cross) == pytest.approx(0.91, abs=0.015)


def test_other_sources_have_the_threshold_of_all():
    labels, p = drawn(50, 0)
    ids = np.arange(50).astype(str)
    assert (cross_thresholds(ids, labels, p, np.array(["a", "b"])) == threshold(labels, p)).all()
    some = cross_thresholds(ids, labels, p, np.array(["a", "3"]))
    assert some[0] == threshold(labels, p)
