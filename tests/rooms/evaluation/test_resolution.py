"""The number of beams across from which on classes can be told apart is where answers say it is."""

import numpy as np
import pytest

from equiradio.evaluation.resolution import as_good_through, balanced, by_beams, resolved_from, rising


def views(edge, count=4000, seed=0, below=1, share=0.9):
    """Sources of two classes, answered with class ``below`` under ``edge`` beams across and rightly by ``share`` above."""
    rng = np.random.default_rng(seed)
    labels, beams = rng.integers(0, 2, count), np.exp(rng.uniform(np.log(1), np.log(40), count))
    right = np.where(beams < edge, labels == below, rng.random(count) < share)
    return labels, right, beams


@pytest.mark.parametrize("edge", [3.0, 5.0, 12.0])
@pytest.mark.parametrize("below", [0, 1])
def test_the_edge_is_recovered(edge, below):
    assert resolved_from(*views(edge, below=below), classes=2) == pytest.approx(edge, rel=0.05)


def test_a_few_hundred_sources_find_it_too():
    assert resolved_from(*views(5.0, count=250), classes=2) == pytest.approx(5, rel=0.25)


def test_one_class_for_all_is_no_resolution_however_right_it_is():
    """Of small sources most are of one class: accuracy is high and says nothing."""
    labels, right, beams = views(6.0)
    small_first = (labels == 0) & (beams < 6) & (np.arange(len(beams)) % 20 > 0)
    labels, right, beams = labels[~small_first], right[~small_first], beams[~small_first]
    assert right[beams < 6].mean() > 0.9
    assert balanced(labels[beams < 6], right[beams < 6]) == 0.5
    assert resolved_from(labels, right, beams, classes=2) == pytest.approx(6, rel=0.05)


def test_where_all_sources_are_told_apart_it_is_the_smallest_that_was_seen():
    labels, right, beams = views(0.0)
    assert resolved_from(labels, right, beams, classes=2) == pytest.approx(beams.min(), rel=0.01)


def test_where_nothing_can_be_said_there_is_none():
    labels, right, beams = views(5.0)
    assert resolved_from(labels, labels == 1, beams, classes=2) is None
    assert resolved_from(labels, right, beams, classes=3) is None
    assert resolved_from(labels[:0], right[:0], beams[:0], classes=2) is None
    assert resolved_from(labels, right, beams * np.nan, classes=2) is None


def test_beams_that_are_unknown_are_left_out():
    labels, right, beams = views(5.0)
    more = np.concatenate([beams, np.full(500, np.nan)])
    padded = np.concatenate([labels, np.zeros(500, int)]), np.concatenate([right, np.zeros(500, bool)]), more
    assert resolved_from(*padded, classes=2) == resolved_from(labels, right, beams, classes=2)


def test_the_curve_never_falls_and_is_a_mean_over_classes():
    places, curve = rising(np.array([0, 0, 1, 1]), np.array([False, True, True, False]), np.array([1.0, 2.0, 1.0, 2.0]))
    assert places.tolist() == [1, 2]
    assert curve.tolist() == [0.25, 0.75]


def test_rows_count_every_view_once():
    labels, right, beams = views(5.0, count=500)
    rows = by_beams(labels, right, beams)
    assert sum(row["views"] for row in rows) == 500
    first = beams < 4
    assert (rows[0]["low"], rows[0]["high"], rows[0]["accuracy"]) == (0, 4, right[first].mean())
    assert rows[0]["balanced_accuracy"] == 0.5
    assert (rows[-1]["low"], rows[-1]["high"]) == (20, None)
    assert by_beams(np.array([1]), np.array([True]), np.array([4.0])) == [
        {"low": 4, "high": 5, "views": 1, "accuracy": 1, "balanced_accuracy": None}
    ]


def test_a_beam_that_a_network_does_not_know_says_nothing_of_size():
    labels, right, beams = views(5.0)
    own = balanced(labels, right)
    assert as_good_through(labels, right, beams, own)
    assert not as_good_through(labels, labels == 1, beams, own)
    assert not as_good_through(labels, right, np.minimum(beams, 9), own)
