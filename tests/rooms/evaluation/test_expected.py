"""How right answers like one are: the finest kind of which enough were measured, and nothing where none were."""

import numpy as np
import pytest
from scipy.stats import beta

from equiradio.evaluation.expected import LEAST, accuracy_rows, expected_row


@pytest.fixture(scope="module")
def rows():
    """Through 5.4 arcsec: 40 answered of 6 beams (38 right), 20 of 15 beams (10), 40 abstained of 6 (20), 10 of unknown size (10)."""
    counts = [(40, 38, 6.0, True), (20, 10, 15.0, True), (40, 20, 6.0, False), (10, 10, np.nan, True)]
    right, across, answered = [], [], []
    for count, good, beams, done in counts:
        right += [True] * good + [False] * (count - good)
        across += [beams] * count
        answered += [done] * count
    own = accuracy_rows(5.4, np.array(right), np.array(across), np.array(answered))
    return own + accuracy_rows(10.8, np.zeros(LEAST, bool), np.full(LEAST, 6.0), np.ones(LEAST, bool))


def test_kinds_of_enough_sources_have_rows_with_their_counts(rows):
    own = [(row["low"], row["high"], row["answered"], row["sources"], row["accuracy"]) for row in rows if row["beam_arcsec"] == 5.4]
    assert own == [
        (5, 10, True, 40, 0.95),
        (5, 10, False, 40, 0.5),
        (None, None, True, 70, 58 / 70),
        (None, None, False, 40, 0.5),
        (None, None, None, 110, 78 / 110),
    ]


def test_the_low_end_is_that_of_the_exact_interval(rows):
    assert rows[0]["low95"] == pytest.approx(beta.ppf(0.025, 38, 3))


@pytest.mark.parametrize(
    ("width", "across", "answered", "accuracy"),
    [
        (5.4, 6.0, True, 0.95),
        (5.0, 9.9, True, 0.95),
        (5.4, 6.0, False, 0.5),
        (5.4, 15.0, True, 58 / 70),  # too few of that size: all sizes
        (5.4, 10.0, True, 58 / 70),
        (5.4, None, True, 58 / 70),
        (7.5, 6.0, True, 0.95),  # nearer to 5.4 by ratio
        (7.7, 6.0, True, 0.0),
        (10.8, 6.0, True, 0.0),
        (10.8, 6.0, False, 0.0),  # none was abstained from there: answered and not together
    ],
)
def test_the_finest_kind_speaks(rows, width, across, answered, accuracy):
    assert expected_row(rows, width, across, answered)["accuracy"] == pytest.approx(accuracy)


def test_where_nothing_was_measured_nothing_is_expected():
    assert expected_row([], 5.4, 6.0, True) is None
    few = accuracy_rows(5.4, np.ones(LEAST - 1, bool), np.full(LEAST - 1, 6.0), np.ones(LEAST - 1, bool))
    assert few == []


def test_a_kind_without_end_has_null_for_one():
    rows = accuracy_rows(5.4, np.ones(LEAST, bool), np.full(LEAST, 25.0), np.ones(LEAST, bool))
    assert (rows[0]["low"], rows[0]["high"]) == (20, None)
    assert expected_row(rows, 5.4, 1000.0, True) == rows[0]
