"""Scores of any number of classes: scikit-learn as oracle, brute force for intervals, and two classes said in either way."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, brier_score_loss, f1_score, log_loss, precision_score, recall_score, roc_auc_score

from equiradio.errors import RunRefusal
from equiradio.evaluation import bootstrap, calibration, conformal, selective
from equiradio.evaluation.scores import metrics, scores
from equiradio.labels import FANAROFF_RILEY, Labels

FOUR = Labels(("ring", "bar", "cross", "dot"))
seeds = st.integers(0, 2**16)
counts_of_classes = st.sampled_from([3, 4, 5])


def classes_of(number):
    return Labels(tuple(f"class {place}" for place in range(number)))


def a_case(seed, number=4, sources=30, passes=1):
    """Every class is there; probabilities (sources, passes, classes) lean toward the truth."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(sources) % number)
    p = rng.dirichlet(np.ones(number), (sources, passes))
    p += 0.8 * rng.random((sources, passes, 1)) * np.eye(number)[labels][:, None]
    return labels, p / p.sum(-1, keepdims=True)


def as_table(labels, p, classes, confidence="confident"):
    """Columns of predictions; p (sources, passes, classes), the first pass plain."""
    sources, passes, _ = p.shape
    return {
        "source_id": np.repeat([f"source-{n:03d}" for n in range(sources)], passes),
        "label": np.repeat(labels, passes),
        "confidence": np.repeat(np.broadcast_to(confidence, sources), passes),
        "pass": np.tile(np.arange(passes), sources),
        **{column: p[..., place].ravel() for place, column in enumerate(classes.columns())},
    }


@given(seeds, counts_of_classes)
def test_scores_are_scikit_learns(seed, number):
    labels, p = a_case(seed, number)
    p, says = p[:, 0], p[:, 0].argmax(1)
    classes = classes_of(number)
    found = scores(labels, p, classes=classes)
    assert found["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(labels, says), abs=1e-12)
    assert found["macro_f1"] == pytest.approx(f1_score(labels, says, average="macro", zero_division=0), abs=1e-12)
    assert found["auc"] == pytest.approx(roc_auc_score(labels, p, multi_class="ovr", average="macro"), abs=1e-12)
    for key, theirs in (("f1", f1_score), ("precision", precision_score), ("recall", recall_score)):
        assert list(found[key].values()) == pytest.approx(theirs(labels, says, average=None, zero_division=0), abs=1e-12)
        assert list(found[key]) == list(classes)
    assert calibration.nll(labels, p) == pytest.approx(log_loss(labels, p), abs=1e-12)
    ours, theirs = calibration.brier(labels, p), brier_score_loss(labels, p, scale_by_half=True, labels=range(number))
    assert ours == pytest.approx(theirs, abs=1e-12)


@given(seeds)
def test_balanced_scores_leave_out_a_class_that_is_not_there(seed):
    labels, p = a_case(seed)
    here = labels != 2
    found = scores(labels[here], p[here, 0], classes=FOUR)
    says = p[here, 0].argmax(1)
    assert found["balanced_accuracy"] == pytest.approx(np.mean([(says[labels[here] == k] == k).mean() for k in (0, 1, 3)]), abs=1e-12)
    assert found["macro_f1"] == pytest.approx(f1_score(labels[here], says, labels=[0, 1, 3], average="macro", zero_division=0), abs=1e-12)
    assert found["auc"] is None


def law_of_brute_force(seed):
    """Every resample scored by itself, source by source, equals the matrix products; so do the intervals."""
    labels, p = a_case(seed, sources=12, passes=2)
    counts = bootstrap.draw(12, 40, seed)
    drawn = [np.repeat(np.arange(12), row.astype(int)) for row in counts]
    table = bootstrap.statistics(labels, p, counts, FOUR)
    one_by_one = [scores(np.repeat(labels[rows], 2), p[rows].reshape(-1, 4), classes=FOUR) for rows in drawn]
    for key in ("accuracy", "balanced_accuracy", "macro_f1"):
        np.testing.assert_allclose(table[key], [found[key] for found in one_by_one], atol=1e-12)
    np.testing.assert_allclose(table["auc"], [np.nan if found["auc"] is None else found["auc"] for found in one_by_one], atol=1e-12)
    for key, name in product(("f1", "precision", "recall"), FOUR):
        there = np.array([(labels[rows] == FOUR.names.index(name)).any() for rows in drawn])
        expected = np.where(there, [found[key][name] for found in one_by_one], np.nan)
        np.testing.assert_allclose(table[key][name], expected, atol=1e-12)
        low, high = np.percentile(expected[there], [2.5, 97.5])
        if low == high:  # see test_shares.py
            continue
        assert bootstrap.intervals(labels, p, counts, FOUR)[key][name] == pytest.approx([low, high], abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_intervals_are_those_of_brute_force(seed):
    law_of_brute_force(seed)


def test_brute_force_catches_an_auc_of_one_class_alone(monkeypatch):
    whole = bootstrap.auc
    monkeypatch.setattr(bootstrap, "auc", lambda labels, p, counts: whole((labels == 0).astype(int), p[..., 0], counts))
    with pytest.raises(AssertionError):
        law_of_brute_force(0)


def test_brute_force_catches_macro_scores_that_count_absent_classes(monkeypatch):
    monkeypatch.setattr(bootstrap.np, "nanmean", lambda values, axis: np.nan_to_num(np.asarray(values)).mean(axis))
    with pytest.raises(AssertionError):
        law_of_brute_force(0)


def law_of_two_columns(seed):
    """Two classes in two columns score as the second alone does, to the digit."""
    rng = np.random.default_rng(seed)
    labels, second = rng.permutation(np.arange(25) % 2), rng.integers(0, 9, 25) / 8
    both = np.stack([(1 - second) * (1 - 1e-15 * (seed % 2)), second], 1)  # a softmax's two columns need not add up to 1 in every digit
    assert scores(labels, both) == scores(labels, second)
    for score in (calibration.nll, calibration.brier, calibration.ece):
        assert score(labels, both) == score(labels, second)
    assert conformal.threshold(labels, both) == conformal.threshold(labels, second)
    np.testing.assert_array_equal(conformal.sets(both, 0.4), conformal.sets(second, 0.4))
    np.testing.assert_array_equal(selective.entropy(both), selective.entropy(second))
    assert selective.accuracy_at(labels, both, 0.7) == selective.accuracy_at(labels, second, 0.7)
    counts = bootstrap.draw(25, 20, seed)
    assert bootstrap.intervals(labels, both[:, None], counts) == bootstrap.intervals(labels, second[:, None], counts)


@given(seeds)
def test_two_columns_score_as_one(seed):
    law_of_two_columns(seed)


def test_the_two_column_law_catches_a_score_of_the_first_column(monkeypatch):
    monkeypatch.setattr(calibration, "second_alone", lambda p: p[:, 0] if p.ndim == 2 else p)
    with pytest.raises(AssertionError):
        law_of_two_columns(0)


@settings(max_examples=20)
@given(seeds)
def test_metrics_of_four_classes_are_those_of_their_parts(seed):
    labels, p = a_case(seed, sources=20, passes=3)
    confidence = np.where(np.arange(20) % 4 > 0, "confident", "uncertain")
    found = metrics(as_table(labels, p, FOUR, confidence), data="shapes", split="test", resamples=30, labels=FOUR)
    mean = p[:, 1:].mean(1)
    assert {key: found["plain"][key] for key in scores(labels, p[:, 0], classes=FOUR)} == scores(labels, p[:, 0], classes=FOUR)
    assert found["per_source"]["auc"] == pytest.approx(roc_auc_score(labels, mean, multi_class="ovr"), abs=1e-12)
    assert found["pooled"]["accuracy"] == pytest.approx((p[:, 1:].argmax(-1) == labels[:, None]).mean(), abs=1e-12)
    assert found["calibration"]["nll"] == pytest.approx(log_loss(labels, mean), abs=1e-12)
    assert found["uncertain"]["sources"] == 5
    assert set(found["pooled"]["interval95"]) == set(found["pooled"]) - {"interval95"}


def test_a_class_s_column_is_not_another_s():
    labels, p = a_case(1, passes=2)
    table = as_table(labels, p, FOUR)
    table["p_ring"], table["p_bar"] = table["p_bar"], table["p_ring"]
    honest = metrics(as_table(labels, p, FOUR), data="shapes", split="test", resamples=5, labels=FOUR)
    assert metrics(table, data="shapes", split="test", resamples=5, labels=FOUR)["pooled"]["accuracy"] < honest["pooled"]["accuracy"]


def test_a_label_that_is_no_class_and_a_lacking_column_are_refused():
    labels, p = a_case(0, passes=1)
    labels[:2] = 4
    with pytest.raises(RunRefusal, match=r"predictions shapes-test: 2 of 30 labels are no class; expected 0 to 3"):
        metrics(as_table(labels, p, FOUR), data="shapes", split="test", labels=FOUR)
    table = as_table(labels % 4, p, FOUR)
    del table["p_cross"]
    with pytest.raises(RunRefusal, match=r"no column p_cross; expected the columns .*p_ring, p_bar, p_cross, p_dot"):
        metrics(table, data="shapes", split="test", labels=FOUR)


@given(seeds, counts_of_classes)
def test_top_label_calibration_by_hand(seed, number):
    labels, p = a_case(seed, number, sources=40)
    p = p[:, 0]
    top, right = p.max(1), p.argmax(1) == labels
    total = 0.0
    for low, high in ((k / 10, (k + 1) / 10) for k in range(10)):
        inside = (top > low) & (top <= high)
        total += abs(right[inside].mean() - top[inside].mean()) * inside.sum() if inside.any() else 0.0
    assert calibration.ece(labels, p) == pytest.approx(total / 40, abs=1e-12)


@given(seeds)
def test_a_class_that_nobody_has_changes_no_calibration_error(seed):
    """Two classes are binned by the more probable one, as three are."""
    labels, p = a_case(seed, 2)
    p = p[:, 0]
    more = np.concatenate([p, np.zeros((len(p), 1))], 1)
    assert calibration.ece(labels, p) == pytest.approx(calibration.ece(labels, more), abs=1e-12)
    assert calibration.ece(labels, p[:, 1]) == calibration.ece(labels, p)


@given(seeds)
def test_conformal_sets_of_four_hold_the_truth_as_promised(seed):
    labels, p = a_case(seed, sources=39)
    limit = conformal.threshold(labels, p[:, 0], 0.9)
    assert conformal.sets(p[:, 0], limit)[np.arange(39), labels].mean() >= 0.9
    assert not conformal.sets(p[:, 0], limit - 1e-9)[np.arange(39), labels].sum() >= np.ceil(40 * 0.9)


def test_entropy_of_four_is_in_bits():
    p = np.array([[0.25] * 4, [1, 0, 0, 0], [0.5, 0.5, 0, 0]])
    assert selective.entropy(p) == pytest.approx([2, 0, 1])


def test_binary_scores_know_their_classes_names():
    named = Labels(("star", "galaxy"))
    found = scores([0, 1, 1], np.array([0.2, 0.7, 0.4]), classes=named)
    assert list(found["f1"]) == ["star", "galaxy"]
    assert list(found["recall"].values()) == list(scores([0, 1, 1], np.array([0.2, 0.7, 0.4]), classes=FANAROFF_RILEY)["recall"].values())
