"""Calibration scores: values worked out by hand, scikit-learn as oracle, and mutants."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, log_loss

from equiradio.errors import RunRefusal
from equiradio.evaluation import calibration

eighths = st.integers(0, 64).filter(lambda n: n != 32).map(lambda n: n / 64)  # exact in binary, and 0.5 (always FRII) left out
cases = st.lists(st.tuples(st.integers(0, 1), eighths), min_size=1, max_size=40).map(
    lambda rows: tuple(np.array(c) for c in zip(*rows, strict=True))
)


def frii_of_ten(count):
    return (np.arange(10) < count).astype(int)


def test_a_constant_predictor_that_is_right_as_often_as_it_says():
    assert calibration.ece(frii_of_ten(7), np.full(10, 0.7)) == pytest.approx(0, abs=1e-12)
    assert calibration.ece(frii_of_ten(3), np.full(10, 0.3)) == pytest.approx(0, abs=1e-12)


def test_a_constant_predictor_that_is_always_wrong():
    assert calibration.ece(np.zeros(10, int), np.full(10, 0.7)) == pytest.approx(0.7)


def law_bins_weigh_by_their_sources():
    labels = np.array([1, 1, 1, 0])  # three sources at 0.8, all right: gap 0.2; one at 0.65, wrong: gap 0.65
    assert calibration.ece(labels, np.array([0.8, 0.8, 0.8, 0.65])) == pytest.approx(0.75 * 0.2 + 0.25 * 0.65)


def test_bins_weigh_by_their_sources():
    law_bins_weigh_by_their_sources()


def test_the_weight_law_catches_bins_that_weigh_alike(monkeypatch):
    def alike(labels, p_frii, bins=10):
        table = calibration.reliability(labels, p_frii, bins)
        return np.nanmean(np.abs(table["accuracy"] - table["probability"]))

    monkeypatch.setattr(calibration, "ece", alike)
    with pytest.raises(AssertionError):
        law_bins_weigh_by_their_sources()


def test_a_gap_cancels_inside_a_bin_and_not_between_bins():
    labels = np.array([1, 0])
    assert calibration.ece(labels, np.array([0.75, 0.75])) == pytest.approx(0.25)
    assert calibration.ece(labels, np.array([0.75, 0.55])) == pytest.approx((0.25 + 0.55) / 2)
    assert calibration.ece(labels, np.array([0.75, 0.55]), bins=1) == pytest.approx(0.15)


def test_the_debiased_square_by_hand():
    labels = np.array([1, 1, 1, 0, 1, 1])  # a bin of four at 0.8, three of them right, and one of two at 0.9, both right
    p_frii = np.array([0.8, 0.8, 0.8, 0.8, 0.9, 0.9])
    three = calibration.debiased_square(labels, p_frii, bins=3)  # equal probabilities are in one bin, whatever their number
    assert three == pytest.approx((4 * (0.05**2 - 0.75 * 0.25 / 3) + 2 * 0.1**2) / 6)
    assert calibration.debiased_square(labels[:4], p_frii[:4], bins=1) == pytest.approx(0.05**2 - 0.75 * 0.25 / 3)


def test_the_debiased_square_of_equal_probabilities_does_not_depend_on_the_order_of_sources():
    draw = np.random.default_rng(0)
    p_frii = draw.choice([0.1, 0.3, 0.5, 0.7, 0.9], 150)
    labels = (draw.uniform(size=150) < p_frii).astype(int)
    by_class = np.argsort(labels, kind="stable")
    ordered = calibration.debiased_square(labels[by_class], p_frii[by_class])
    assert ordered == pytest.approx(calibration.debiased_square(labels, p_frii), abs=1e-12)


def law_of_no_bias():
    """Of a perfect model the estimate is 0 on average; 153 sources a time, as in MiraBest's test split."""
    draw = np.random.default_rng(0)
    squares = []
    for _ in range(2000):
        p_frii = draw.uniform(size=153)
        squares.append(calibration.debiased_square((draw.uniform(size=153) < p_frii).astype(int), p_frii))
    assert abs(np.mean(squares)) < 4 * np.std(squares) / len(squares) ** 0.5


def test_the_debiased_square_of_a_perfect_model_is_0_on_average():
    law_of_no_bias()


def test_the_law_of_no_bias_catches_the_plain_square(monkeypatch):
    monkeypatch.setattr(calibration, "debiased_square", lambda labels, p: calibration.ece(labels, p) ** 2)
    with pytest.raises(AssertionError):
        law_of_no_bias()


@pytest.mark.parametrize(("p_frii", "bin_"), [(0.5, 4), (0.7, 6), (0.3, 6), (0.700001, 7), (1.0, 9), (0.0, 9)])
def test_bins_hold_their_upper_edge_and_the_top_label(p_frii, bin_):
    table = calibration.reliability(np.array([1]), np.array([p_frii]))
    assert np.flatnonzero(table["sources"]).tolist() == [bin_]
    assert table["probability"][bin_] == max(p_frii, 1 - p_frii)
    assert table["accuracy"][bin_] == (p_frii >= 0.5)


@given(cases, st.integers(1, 12))
def test_the_bins_share_out_every_source(case, bins):
    labels, p_frii = case
    table = calibration.reliability(labels, p_frii, bins)
    filled = table["sources"] > 0
    assert table["sources"].sum() == len(labels)
    assert table["low"][0] == 0
    assert table["high"][-1] == 1
    np.testing.assert_array_equal(np.isnan(table["accuracy"]), ~filled)
    np.testing.assert_allclose((table["accuracy"] * table["sources"])[filled].sum(), ((p_frii > 0.5) == labels).sum())
    assert (table["probability"][filled] > table["low"][filled]).all()
    assert (table["probability"][filled] <= table["high"][filled] + 1e-12).all()


@given(cases)
def test_swapping_the_classes_changes_nothing(case):
    labels, p_frii = case
    for score in (calibration.nll, calibration.brier, calibration.ece):
        assert score(labels, p_frii) == pytest.approx(score(1 - labels, 1 - p_frii), abs=1e-12)


@given(cases)
def test_scores_are_scikit_learns(case):
    labels, p_frii = case
    inside = np.clip(p_frii, 0.01, 0.99)  # scikit-learn clips at its own epsilon
    assert calibration.nll(labels, inside) == pytest.approx(log_loss(labels, inside, labels=[0, 1]))
    assert calibration.brier(labels, p_frii) == pytest.approx(brier_score_loss(labels, p_frii, labels=[0, 1], pos_label=1))


def test_a_sure_mistake_costs_a_finite_amount():
    assert calibration.nll(np.array([1]), np.array([0.0])) == pytest.approx(-np.log(1e-12))
    assert calibration.nll(np.array([0]), np.array([0.0])) == 0
    assert calibration.brier(np.array([1]), np.array([0.0])) == 1


@pytest.mark.parametrize("score", [calibration.nll, calibration.brier, calibration.ece])
@pytest.mark.parametrize(
    ("labels", "p_frii", "words"),
    [
        ([0, 1], [0.5, np.nan], "predictions: 1 of 2 p_frii are not finite or outside 0..1; expected probabilities."),
        ([0, 1], [0.5, np.inf], "1 of 2 p_frii are not finite"),
        ([0, 1], [-0.1, 1.1], "2 of 2 p_frii are not finite or outside"),
        ([0, 1], [-2e-6, 1.0000001], "1 of 2 p_frii are not finite or outside"),
        ([0, -1], [0.5, 0.5], "predictions: 1 of 2 labels are neither FRI nor FRII; expected 0 or 1."),
        ([0, 1], [0.5], r"predictions: labels (2,) and p_frii (1,); expected two columns of one length"),
        ([], [], "labels (0,) and p_frii (0,)"),
    ],
)
def test_what_is_not_a_probability_is_refused(score, labels, p_frii, words):
    with pytest.raises(RunRefusal) as refusal:
        score(np.array(labels), np.array(p_frii))
    assert words in str(refusal.value)


def test_probabilities_beyond_one_by_rounding_count_as_one():
    p = np.full(10, np.float32(0.1)).cumsum(dtype=np.float32)[[-1, 0]]
    assert p[0] > 1
    assert calibration.nll(np.array([1, 0]), p) == calibration.nll(np.array([1, 0]), np.array([1, p[1]]))
