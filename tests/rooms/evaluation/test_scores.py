"""Scores and the metrics file: shape, known answers, symmetries, refusals."""

import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from equiradio.errors import RunRefusal
from equiradio.evaluation import calibration, choosing, compare, conformal, selective
from equiradio.evaluation import scores as scores_module
from equiradio.evaluation import seeds as seeds_module
from equiradio.evaluation.scores import metrics, scores

seeds = st.integers(0, 2**16)
few = settings(max_examples=25)  # a table takes a tenth of a second
LEAVES = {"accuracy", "balanced_accuracy", "macro_f1", "auc", "f1", "precision", "recall"}


def predictions(p_frii, labels, confidence=None, first_pass=0):
    """Columns of a table from p_frii (sources, passes) and labels (sources,)."""
    p_frii, labels = np.asarray(p_frii, float), np.asarray(labels)
    count, passes = p_frii.shape
    confidence = ["confident", "uncertain"] * count if confidence is None else confidence
    return {
        "source_id": np.repeat([f"source-{n:03d}" for n in range(count)], passes),
        "label": np.repeat(labels, passes),
        "confidence": np.repeat(confidence[:count], passes),
        "pass": np.tile(np.arange(first_pass, first_pass + passes), count),
        "p_frii": p_frii.ravel(),
    }


def a_table(seed, sources=20, passes=4):
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(sources) % 2)
    confidence = rng.permutation(["confident"] * (sources - sources // 3) + ["uncertain"] * (sources // 3))
    p_frii = np.clip(0.3 + 0.4 * labels[:, None] + 0.5 * rng.normal(size=(sources, passes)), 0, 1)
    return predictions(p_frii, labels, confidence)


def measure(table, **settings):
    return metrics(table, **{"data": "mirabest", "split": "test", "resamples": 60} | settings)


def rows(table, chosen):
    return {name: column[chosen] for name, column in table.items()}


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 6), st.integers(1, 3)), min_size=1, max_size=30))
def test_a_weight_counts_as_a_repetition(case):
    labels, level, times = (np.array(column) for column in zip(*case, strict=True))
    repeated = scores(np.repeat(labels, times), np.repeat(level / 6, times))
    weighted = scores(labels, level / 6, weights=times)
    for key in ("f1", "precision", "recall"):
        assert weighted[key] == pytest.approx(repeated[key])
    assert weighted["accuracy"] == pytest.approx(repeated["accuracy"])
    assert weighted["auc"] == (None if repeated["auc"] is None else pytest.approx(repeated["auc"]))


def test_scores_by_hand():
    found = scores([0, 0, 0, 1, 1], [0.1, 0.5, 0.2, 0.5, 0.3])  # 0.5 says FRII; pairs won: 3 - 1/2 of 3, 2 of 3
    assert found["accuracy"] == pytest.approx(3 / 5)
    assert found["auc"] == pytest.approx(4.5 / 6)
    assert found["recall"] == pytest.approx({"FRI": 2 / 3, "FRII": 1 / 2})
    assert found["precision"] == pytest.approx({"FRI": 2 / 3, "FRII": 1 / 2})
    assert found["f1"] == pytest.approx({"FRI": 2 / 3, "FRII": 1 / 2})


def test_a_missing_class_has_no_auc_and_zero_scores():
    found = scores([1, 1], [0.9, 0.8])
    assert found["auc"] is None
    assert (found["accuracy"], found["recall"], found["precision"]) == (1, {"FRI": 0, "FRII": 1}, {"FRI": 0, "FRII": 1})
    assert scores([0, 1], [0.9, 0.8], weights=[0, 1])["auc"] is None


@pytest.mark.parametrize("weights", [[1], [1, -1], [1, np.nan], [0, 0]])
def test_strange_weights_are_refused(weights):
    with pytest.raises(RunRefusal, match=r"weights: .*; expected 2 finite numbers of at least 0, not all 0"):
        scores([0, 1], [0.2, 0.8], weights)


@few
@given(seeds)
def test_point_estimates_are_scikit_learns(seed):
    table = a_table(seed)
    found = measure(table)
    augmented = rows(table, table["pass"] > 0)
    truth, p = augmented["label"], augmented["p_frii"]
    assert found["pooled"]["auc"] == pytest.approx(roc_auc_score(truth, p), abs=1e-12)
    assert found["pooled"]["accuracy"] == pytest.approx(accuracy_score(truth, p >= 0.5), abs=1e-12)
    assert found["pooled"]["f1"]["FRI"] == pytest.approx(f1_score(truth, p >= 0.5, pos_label=0, zero_division=0), abs=1e-12)


def test_the_file_has_the_shape_of_the_contract():
    found = measure(a_table(0))
    blocks = ["pooled", "per_source", "plain", "confident", "uncertain"]
    assert list(found) == ["data", "split", "sources", "passes", *blocks, "calibration"]
    assert (found["data"], found["split"], found["sources"], found["passes"]) == ("mirabest", "test", 20, 3)
    assert set(found["calibration"]) == {"nll", "brier", "ece"}
    for name in blocks:
        assert set(found[name]) == LEAVES | {"interval95"} | ({"sources"} if name in ("confident", "uncertain") else set())
        assert set(found[name]["interval95"]) == LEAVES
        for of_class in ("f1", "precision", "recall"):
            assert list(found[name][of_class]) == list(found[name]["interval95"][of_class]) == ["FRI", "FRII"]
        low, high = found[name]["interval95"]["accuracy"]
        assert 0 <= low < high <= 1
    assert found["confident"]["sources"] + found["uncertain"]["sources"] == 20
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def law_passes_are_kept_apart():
    table = predictions([[0.1, 0.9, 0.4, 0.4], [0.9, 0.1, 0.6, 0.6], [0.1, 0.9, 0.9, 0.9]], labels=[1, 0, 1])
    found = measure(table)
    assert found["plain"]["accuracy"] == 0
    assert found["pooled"]["accuracy"] == pytest.approx((1 + 1 + 3) / 9)
    assert found["per_source"]["accuracy"] == 1  # means 0.567, 0.433 and 0.9
    assert found["calibration"]["brier"] == pytest.approx((2 * (1 - 1.7 / 3) ** 2 + 0.1**2) / 3)


def test_plain_pooled_and_per_source_use_their_own_passes():
    law_passes_are_kept_apart()


def test_the_pass_law_catches_a_table_read_by_row_order(monkeypatch):
    monkeypatch.setattr(scores_module.np, "lexsort", lambda keys: np.arange(len(keys[0]))[::-1])
    with pytest.raises(AssertionError):
        law_passes_are_kept_apart()


@few
@given(seeds)
def test_the_order_of_rows_does_not_matter(seed):
    table = a_table(seed)
    shuffled = rows(table, np.random.default_rng(seed).permutation(len(table["label"])))
    assert measure(shuffled) == measure(table)


@few
@given(seeds, st.sampled_from(["confident", "uncertain"]))
def test_a_part_scores_the_same_alone_as_within_the_whole(seed, name):
    table = a_table(seed)
    alone = measure(rows(table, table["confidence"] == name))
    assert {"sources": alone["sources"]} | alone["per_source"] == measure(table)[name]
    assert alone["uncertain" if name == "confident" else "confident"] is None


@few
@given(seeds)
def test_swapping_the_classes_swaps_their_scores(seed):
    table = a_table(seed)
    one, two = measure(table), measure(table | {"label": 1 - table["label"], "p_frii": 1 - table["p_frii"]})
    for block in ("pooled", "per_source", "plain", "confident", "uncertain"):
        for key in ("f1", "precision", "recall"):
            assert one[block][key]["FRI"] == pytest.approx(two[block][key]["FRII"])
            assert one[block]["interval95"][key]["FRI"] == pytest.approx(two[block]["interval95"][key]["FRII"])
        assert one[block]["accuracy"] == pytest.approx(two[block]["accuracy"])
    assert one["calibration"] == pytest.approx(two["calibration"])


def test_the_seed_decides_the_interval_and_nothing_else():
    table = a_table(0)
    one, again, other = measure(table, seed=0), measure(table, seed=0), measure(table, seed=1)
    assert one == again
    assert one["pooled"]["interval95"] != other["pooled"]["interval95"]
    assert one["pooled"]["accuracy"] == other["pooled"]["accuracy"]


def test_an_arrow_table_measures_as_a_dict_of_arrays():
    table = a_table(0)
    assert measure(pa.table(table)) == measure(table)


def test_hybrids_are_left_out():
    whole = a_table(0)
    hybrid = whole["source_id"] == "source-004"
    assert measure(whole | {"label": np.where(hybrid, -1, whole["label"])}) == measure(rows(whole, ~hybrid))


@pytest.mark.parametrize(("table", "passes"), [(predictions([[0.2, 0.3]], labels=[-1]), 1), (rows(a_table(0), slice(0)), 0)])
def test_no_source_with_a_class_leaves_every_block_empty(table, passes):
    blocks = dict.fromkeys(["pooled", "per_source", "plain", "confident", "uncertain", "calibration"])
    assert measure(table) == {"data": "mirabest", "split": "test", "sources": 0, "passes": passes} | blocks


def test_pass_0_stands_in_where_nothing_is_augmented():
    found = measure(rows(table := a_table(0), table["pass"] == 0))
    assert found["passes"] == 0
    assert found["pooled"] == found["plain"] == found["per_source"] == measure(table)["plain"]


def test_without_pass_0_there_is_no_plain_block():
    table = a_table(0)
    found = measure(rows(table, table["pass"] > 0))
    assert found["plain"] is None
    assert found["pooled"] == measure(table)["pooled"]


def changed(column, value):
    table = a_table(0)
    table[column] = table[column].copy() if not isinstance(value, str) else table[column].astype("U20")
    table[column][5] = value
    return table


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (
            rows(a_table(0), slice(1, None)),
            "20 sources and 4 passes, but 1 of their pairs missing and 0 repeated; expected every source once in every pass.",
        ),
        (changed("pass", 2), "1 of their pairs missing and 1 repeated"),
        (changed("p_frii", np.nan), "1 of 80 p_frii are not finite or outside 0..1; expected probabilities."),
        (changed("label", 2), "1 of 80 labels are neither FRI nor FRII"),
        (changed("label", 1 - a_table(0)["label"][5]), "1 sources change their label between passes; expected one per source."),
        (changed("confidence", "unsure"), "1 sources change their confidence between passes"),
        (a_table(0) | {"confidence": np.full(80, "unsure")}, "confidence unsure; expected confident or uncertain."),
        (a_table(0) | {"p_frii": np.zeros(3)}, "80 source_id, 80 label, 80 confidence, 80 pass, 3 p_frii; expected columns of one length."),
        ({"source_id": np.array(["a"])}, "no column label; expected the columns source_id, label, confidence, pass, p_frii."),
    ],
)
def test_a_damaged_table_is_refused(table, words):
    with pytest.raises(RunRefusal) as refusal:
        measure(table)
    assert str(refusal.value).startswith("predictions mirabest-test: ")
    assert words in str(refusal.value)


def test_an_arrow_table_without_a_column_is_refused():
    with pytest.raises(RunRefusal, match="predictions mirabest-test: no column"):
        measure(pa.table({"source_id": ["a"]}))


def test_evaluation_never_loads_torch():
    code = "import sys, equiradio.evaluation.scores, equiradio.artefacts.tables; print('torch' in sys.modules, 'sklearn' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["False", "False"]


HIDDEN = [False, True, False, False, True, False]


def hidden(values):
    """The values with two of them masked; below the mask lies what looks like a value."""
    return np.ma.array(values, mask=HIDDEN)


@pytest.mark.parametrize(
    ("score", "arguments"),
    [
        (scores, (0, 1)),
        (calibration.nll, (0, 1)),
        (calibration.ece, (0, 1)),
        (selective.selective_accuracy, (0, 1)),
        (conformal.threshold, (0, 1)),
        (choosing.abstention, (0, 1)),
        (compare.right, (0, 1)),
        (lambda labels, p, weights: scores(labels, p, weights), (0, 1, 2)),
        (lambda labels, p, doubt: selective.selective_accuracy(labels, p, doubt), (0, 1, 2)),
        (lambda labels, p: selective.entropy(p), (1,)),
        (lambda labels, p: conformal.sets(p, 0.5), (1,)),
        (lambda labels, p: seeds_module.over_seeds(labels, p.reshape(1, 6, 1)), (0, 1)),
    ],
)
def test_what_lies_below_a_mask_is_no_label_no_probability_and_no_weight(score, arguments):
    columns = [np.array([0, 1, 0, 1, 0, 1]), np.array([0.1, 0.8, 0.3, 0.7, 0.9, 0.6]), np.ones(6)]
    columns = columns[: max(2, len(arguments))]
    score(*columns)
    score(*(np.ma.array(column) for column in columns))  # nothing of them is masked
    for place in arguments:
        given = [hidden(column) if number == place else column for number, column in enumerate(columns)]
        with pytest.raises(RunRefusal, match=r"2 of 6 values of \w+ are masked; expected a value in every place\. Leave out"):
            score(*given)


@pytest.mark.parametrize("column", ["label", "p_frii", "source_id", "pass", "confidence"])
def test_a_table_with_masked_cells_is_refused(column):
    table = predictions(np.full((6, 1), 0.4), [0, 1] * 3)
    with pytest.raises(RunRefusal, match=f"predictions x-test: 2 of 6 values of {column} are masked"):
        metrics(table | {column: hidden(table[column])}, data="x", split="test")
