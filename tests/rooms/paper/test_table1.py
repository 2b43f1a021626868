"""Table 1 of runs whose every statistic is known in advance, each with a mutant that must be caught."""

from math import comb

import numpy as np
import pytest
from fake_results import CONFIDENT, LABELS, SOURCES, answers, fake_results, write_run

from equiradio.errors import RunRefusal
from equiradio.evaluation import compare, seeds
from equiradio.evaluation.calibration import debiased_square, ece, nll
from equiradio.models.names import TABLE1
from equiradio.paper import table1 as module
from equiradio.paper.comparison_text import COMPARED, COMPARED_NOTE, comparison_rows
from equiradio.paper.published import MODELS, paper_row
from equiradio.paper.results import read_results
from equiradio.paper.table1 import table1
from equiradio.paper.table1_text import RUNS, answer_rows, run_rows, to_csv


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return fake_results(tmp_path_factory.mktemp("fake"))


def rows_of(folder):
    return {row["model"]: row for row in table1(read_results(folder), None)["rows"]}


def test_all_eight_rows_are_there_and_say_what_was_not_run(folder):
    rows = rows_of(folder)
    assert tuple(rows) == MODELS == TABLE1
    assert {model: row["seeds"] for model, row in rows.items() if row["seeds"]} == {"lenet": 3, "attention": 2, "c4-attention": 1}
    assert all(
        rows["d16-attention"][key] is None
        for key in ("pooled", "per_source", "plain", "confident", "uncertain", "epochs", "hours", "device")
    )
    assert rows["d16-attention"]["paper"]["accuracy"] == 0.818
    assert (rows["lenet"]["epochs"], rows["lenet"]["hours"], rows["lenet"]["device"]) == (
        8,
        {"CPU, 1 threads, float32": 0.02},
        "CPU, 1 threads, float32",
    )


def law_of_seeds(folder):
    rows = rows_of(folder)
    lenet = rows["lenet"]
    for protocol in ("pooled", "per_source", "plain"):
        assert lenet[protocol]["accuracy"] == pytest.approx(1 - 12 / 40)
        assert lenet[protocol]["sd"]["accuracy"] == pytest.approx(2 / 40)  # of 30, 28, 26 right: 2, with n - 1
        assert lenet[protocol]["recall"]["FRI"] == pytest.approx(1 - 12 / 20)  # sources 0 to 19 are FRI
        assert lenet[protocol]["recall"]["FRII"] == 1.0
        assert lenet[protocol]["precision"]["FRII"] == pytest.approx(np.mean([20 / 30, 20 / 32, 20 / 34]))
    wrong = np.arange(8)
    sure = CONFIDENT[wrong].sum()
    assert rows["attention"]["confident"]["accuracy"] == pytest.approx(1 - sure / 30)
    assert rows["attention"]["uncertain"]["accuracy"] == pytest.approx(1 - (8 - sure) / 10)
    assert rows["attention"]["per_source"]["sd"]["accuracy"] == 0.0
    assert rows["c4-attention"]["per_source"]["sd"]["accuracy"] is None


def test_means_and_deviations_over_seeds(folder):
    law_of_seeds(folder)


def test_the_law_of_seeds_catches_the_deviation_with_n(folder, monkeypatch):
    whole = np.std
    monkeypatch.setattr(seeds.np, "std", lambda values, ddof=0: whole(values))
    with pytest.raises(AssertionError):
        law_of_seeds(folder)


def law_of_intervals(folder):
    """attention is wrong about 8 of 40 sources in both seeds: its interval is that of a binomial share of 40, not of 80 or of 160."""
    from scipy.stats import binom

    found = rows_of(folder)["attention"]
    expected = binom.ppf([0.025, 0.975], SOURCES, 0.8) / SOURCES
    for protocol in ("pooled", "per_source"):
        assert found[protocol]["interval95"]["accuracy"] == pytest.approx(expected, abs=1.01 / SOURCES)


def test_intervals_are_those_of_the_binomial(folder):
    law_of_intervals(folder)


def test_the_law_of_intervals_catches_a_bootstrap_of_predictions(folder, monkeypatch):
    draw = seeds.bootstrap.draw
    monkeypatch.setattr(
        seeds.bootstrap, "draw", lambda sources, resamples, seed: (draw(16 * sources, resamples, seed)).reshape(resamples, 16, -1).sum(1)
    )
    with pytest.raises(AssertionError):
        law_of_intervals(folder)


def law_of_pairs(folder):
    table = table1(read_results(folder), None)
    pairs = {(pair["first"], pair["second"]): pair for pair in table["comparisons"]}
    assert list(pairs) == [("attention", "lenet"), ("c4-attention", "lenet"), ("c4-attention", "attention")]
    # as many seeds of both: of lenet two (together wrong about sources 0 to 11) against attention (0 to 7), one (0 to 9) against c4 (0, 39)
    assert [pair["seeds"] for pair in pairs.values()] == [2, 1, 1]
    counts = {names: (pair["mcnemar"]["first_only"], pair["mcnemar"]["second_only"]) for names, pair in pairs.items()}
    assert counts == {("attention", "lenet"): (4, 0), ("c4-attention", "lenet"): (9, 1), ("c4-attention", "attention"): (7, 1)}
    tail = lambda number, less: min(1, 2 * sum(comb(number, k) for k in range(less + 1)) / 2**number)
    expected = [tail(4, 0), tail(10, 1), tail(8, 1)]
    assert [pair["mcnemar"]["p"] for pair in pairs.values()] == pytest.approx(expected)
    assert expected == pytest.approx([0.125, 0.021484375, 0.0703125])
    assert [pair["mcnemar"]["p_holm"] for pair in pairs.values()] == pytest.approx([0.140625, 0.064453125, 0.140625])
    assert [pair["bootstrap"]["difference"] for pair in pairs.values()] == pytest.approx([3 / 40, 8 / 40, 6 / 40])
    both, one, other = (pair["mixed"] for pair in pairs.values())
    assert one is None  # of c4-attention there is one seed
    assert other is None
    assert both["p_holm"] == both["p"]  # of one test
    assert both["difference"] == pytest.approx(3 / 40)
    ensembles = [np.subtract(*pair["ensemble_accuracy"]) for pair in pairs.values()]
    assert ensembles == pytest.approx([(first - second) / 40 for first, second in counts.values()])
    least = table["smallest_difference"]
    assert least["paired"]["discordant"] == least["corrected"]["discordant"] == pytest.approx(8 / 40)
    assert (least["paired"]["alpha"], least["corrected"]["alpha"]) == pytest.approx((0.05, 0.05 / 3))


def test_paired_comparisons_by_hand(folder):
    law_of_pairs(folder)


@pytest.mark.parametrize(
    ("name", "mutant"),
    [
        ("holm", lambda p: [min(1.0, len(p) * value) for value in p]),
        ("mcnemar_exact", lambda one, other: compare.mcnemar_exact(one, other) | {"p": 0.5}),
        ("right", lambda labels, p: ~compare.right(labels, p)),
        ("BASES", ("lenet",)),
    ],
)
def test_the_law_of_pairs_catches(folder, monkeypatch, name, mutant):
    monkeypatch.setattr(module, name, mutant)
    with pytest.raises(AssertionError):
        law_of_pairs(folder)


def test_an_ensemble_answers_by_the_mean_of_its_seeds(folder):
    """The seeds of lenet are wrong about the first 10, 12 and 14 sources: two of three, and so the ensemble, about the first twelve."""
    table = table1(read_results(folder), None)
    lenet = table["rows"][0]
    single, together = lenet["single_networks"], lenet["ensemble"]
    assert (single["accuracy"], together["accuracy"]) == pytest.approx((1 - 12 / 40, 1 - 12 / 40))
    assert together["confident"] == pytest.approx(1 - CONFIDENT[:12].sum() / 30)
    p_frii = np.mean([answers(list(range(number))).mean(axis=1) for number in (10, 12, 14)], axis=0)
    assert (together["nll"], together["ece"]) == pytest.approx((nll(LABELS, p_frii), ece(LABELS, p_frii)))
    assert together["calibration_error"] == pytest.approx(max(0.0, debiased_square(LABELS, p_frii)) ** 0.5)
    assert table["rows"][-1]["ensemble"] is None
    assert [cells[:2] for cells in answer_rows(table)][:2] == [["lenet", "single networks, 3"], ["lenet", "ensemble of 3"]]
    assert [cells[1] for cells in answer_rows(table) if cells[0] == "c4-attention"] == ["single network"]  # one is no ensemble


def test_a_comparison_says_what_each_of_its_tests_is_of(folder):
    table = table1(read_results(folder), None)
    cells = dict(zip(COMPARED, comparison_rows(table)[0], strict=True))
    assert cells["models"] == "attention - lenet"
    assert cells["seeds of each"] == "2"
    assert cells["ensembles: right only by the first"] == "4"
    assert cells["ensembles: difference, points"] == "+10.0"
    assert cells["single networks: difference, points [95 %]"].startswith("+7.5 [")
    assert [head for head in COMPARED if "Holm" in head] == ["McNemar after Holm", "bootstrap after Holm", "mixed model after Holm"]
    assert "McNemar's test is of the ensembles" in COMPARED_NOTE


def test_hours_are_those_of_each_device(tmp_path):
    for seed, (device, seconds) in enumerate((("H200", 72), ("H200", 108), ("CPU, 2 threads", 3600))):
        run = write_run(tmp_path / "runs", "lenet", seed, answers([1]))
        run.card().with_changes(device=device, seconds=seconds).write(run.card_file)
    row = rows_of(tmp_path)["lenet"]
    assert row["hours"] == {"CPU, 2 threads, float32": 1.0, "H200, float32": 0.025}
    table = table1(read_results(tmp_path), None)
    cells = dict(zip(RUNS, run_rows(table)[0], strict=True))
    assert (cells["hours a run, by device"], cells["device"]) == ("1.00; 0.03", "CPU, 2 threads, float32; H200, float32")
    assert "1.000; 0.025" in to_csv(table)


def test_the_paper_s_rows_are_the_paper_s():
    """Its text says that the rows average 83.18 % and 0.899, and 83.35 % and 0.907 (computed once from the printed table)."""
    equivariant, plain = [paper_row(model) for model in MODELS[2:]], [paper_row(model) for model in MODELS[:2]]
    assert np.mean([row["accuracy"] for row in equivariant]) == pytest.approx(0.8318, abs=5e-5)
    assert np.mean([row["auc"] for row in equivariant]) == pytest.approx(0.899, abs=5e-4)
    assert np.mean([row["accuracy"] for row in plain]) == pytest.approx(0.8335)
    for model in MODELS:  # F1 is the harmonic mean of the precision and recall printed beside it
        row = paper_row(model)
        for label in ("FRI", "FRII"):
            precision, recall = row["precision"][label], row["recall"][label]
            assert row["f1"][label] == pytest.approx(2 * precision * recall / (precision + recall), abs=2e-3)


def test_an_undertrained_row_says_so(tmp_path):
    run = write_run(tmp_path / "runs", "lenet", 0, answers([1]))
    assert rows_of(tmp_path)["lenet"]["undertrained"] == ""
    run.card().with_changes(state="interrupted").write(run.card_file)
    assert rows_of(tmp_path)["lenet"]["undertrained"] == "1 of 1 runs stopped before their last epoch"


@pytest.mark.parametrize(
    ("longer", "said"), [(0.40, "16 epochs lower its validation loss from 0.44 to 0.40 (exploration/s.json)"), (0.43, "")]
)
def test_a_row_whose_longer_trainings_are_better_says_so(tmp_path, longer, said):
    import json

    write_run(tmp_path / "runs", "lenet", 0, answers([1]))
    run = lambda epochs, loss, **changes: {"model": "lenet", "epochs": epochs, "changes": changes, "best_validation_loss": loss}
    (tmp_path / "exploration").mkdir()
    (tmp_path / "exploration" / "s.json").write_text(json.dumps({"runs": [run(8, 0.44), run(16, longer), run(16, 0.1, dropout=0.2)]}))
    assert rows_of(tmp_path)["lenet"]["undertrained"] == said


def test_runs_that_changed_a_setting_stay_out_of_the_table(folder):
    results = read_results(folder)
    assert [result.card.seed for result in results.variants] == [0, 1]
    assert {result.settings.training.schedule for result in results.runs} == {"one-cycle"}


def test_what_holds_no_finished_run_is_refused(tmp_path):
    with pytest.raises(RunRefusal, match=r"nowhere: no such folder; expected a folder of finished runs\."):
        read_results(tmp_path / "nowhere")
    with pytest.raises(RunRefusal, match=r"0 runs, 0 of them with predictions on the test split"):
        read_results(tmp_path)
    with pytest.raises(RunRefusal, match="none by preset paper; expected at least one"):
        read_results(fake_results(tmp_path), "paper")


def test_runs_on_other_sources_are_refused(tmp_path, monkeypatch):
    import fake_results as fake

    write_run(tmp_path / "runs", "lenet", 0, answers([1]))
    monkeypatch.setattr(fake, "NAMES", np.char.add(fake.NAMES, "x"))
    write_run(tmp_path / "runs", "lenet", 1, answers([1]))
    with pytest.raises(RunRefusal, match="expected the same test sources in every run"):
        read_results(tmp_path)


def test_runs_on_other_labels_are_refused(tmp_path, monkeypatch):
    import fake_results as fake

    write_run(tmp_path / "runs", "lenet", 0, answers([1]))
    other = LABELS.copy()
    other[:2] = 1 - other[:2]
    monkeypatch.setattr(fake, "LABELS", other)
    write_run(tmp_path / "runs", "lenet", 1, answers([1]))
    with pytest.raises(RunRefusal, match=r"2 sources of another label than in .*seed0; expected the same labels in every run"):
        read_results(tmp_path)


def test_labels_are_halves():
    assert LABELS.sum() == SOURCES // 2
