"""How sure are the answers, and how right are they when sure? One network, an ensemble over seeds, dropout and rotations."""

from typing import Any

import numpy as np

from equiradio.datasets.sources import Sources
from equiradio.evaluation.calibration import brier, ece, most_probable, nll, reliability
from equiradio.evaluation.conformal import cross_thresholds, measured_coverage, sets
from equiradio.evaluation.selective import accuracy_at, doubt_test, entropy, selective_accuracy
from equiradio.explain.case import Case, scored
from equiradio.explain.dropout import dropout_answers
from equiradio.explain.folder import Folder
from equiradio.explain.part import Arrays, Measured, Summary
from equiradio.labels import UNKNOWN
from equiradio.report.explanation_measures import uncertainty_figure
from equiradio.report.explanation_text import METHOD_COLUMNS, method_rows, number
from equiradio.report.figures import save
from equiradio.report.page import Page

PLACE, NEEDS = 70, ("symmetry",)
LEVEL = 0.9  # of conformal sets
COVERAGES = (0.5, 0.7, 0.9, 1.0)
BINS = ("sources", "probability", "accuracy")


def measure(case: Case, folder: Folder) -> Measured:
    """Calibration, selective accuracy, doubt and conformal sets of each method.

    Arrays ``p <method>``: probabilities (count,) of the second of two classes, else (count, classes).
    """
    test, validation = (sources.choose(sources.labels != UNKNOWN) for sources in (case.everyone, case.validation))
    sampled = dropout_answers(case.member, test.images, case.effort.draws)
    case.count(len(test))
    methods = {"one network": sampled[0], "dropout": sampled[1:].mean(0)}
    calibrated = {"one network": case.look(case.member, validation.images, "validation")[1]}
    if case.ensemble:
        methods["ensemble"] = _with_others(case, test, methods["one network"])
    if case.ensemble and case.effort.whole_team:
        calibrated["ensemble"] = _with_others(case, validation, calibrated["one network"])
    methods, calibrated = ({name: scored(p) for name, p in each.items()} for each in (methods, calibrated))
    uncertain = test.confidence == "uncertain"
    summary: Summary = {
        "sources": len(test),
        "calibration_sources": len(validation),
        "members": [case.name, *case.ensemble],
        "methods": {name: _scores(test.labels, p, uncertain) for name, p in methods.items()},
        "conformal": {
            name: _conformal(_without_itself(test, validation, p), test.labels, methods[name], uncertain) for name, p in calibrated.items()
        },
    }
    summary["methods"]["rotations (sample)"] = _rotations(case.sources, folder.arrays("symmetry")["p_turned"])
    arrays = {"label": test.labels, "uncertain": uncertain, "source_id": test.source_ids.astype(str)}
    arrays |= {f"p {name}": p for name, p in methods.items()}
    return summary, arrays | _bins(methods, test.labels)


def _with_others(case: Case, sources: Sources, own: np.ndarray) -> np.ndarray:
    """Mean probabilities of the network, which has answered already, and of the others of its kind."""
    where = sources.split[0]
    return np.mean([own, *(case.look(each, sources.images, f"{name}, {where}")[1] for name, each in case.ensemble.items())], 0)


def _rotations(sources: Sources, turned: np.ndarray) -> Summary:
    """Scores of the mean over angles of the probabilities (angles, count, classes), and how far the class given spreads."""
    rows, mean = sources.labels != UNKNOWN, turned.mean(0)
    spread = turned.std(0)[np.arange(len(mean)), most_probable(mean)]
    measured = _scores(sources.labels[rows], scored(mean)[rows], (sources.confidence == "uncertain")[rows])
    return measured | {"median_spread": float(np.median(spread))}


def _without_itself(test: Sources, validation: Sources, p: np.ndarray) -> np.ndarray:
    """Thresholds of the sources that are explained, each chosen on validation sources other than itself."""
    return cross_thresholds(validation.source_ids.astype(str), validation.labels, p, test.source_ids.astype(str), LEVEL)


def _conformal(limits: np.ndarray, labels: np.ndarray, p: np.ndarray, uncertain: np.ndarray) -> Summary:
    inside = sets(p, limits)
    groups = {"all": np.ones(len(labels), bool), "confident": ~uncertain, "uncertain": uncertain}
    return {"level": LEVEL, "threshold": float(limits.mean())} | {
        group: measured_coverage(labels[mask], inside[mask]) for group, mask in groups.items() if mask.any()
    }


def _scores(labels: np.ndarray, p: np.ndarray, uncertain: np.ndarray) -> Summary:
    return {
        "accuracy": accuracy_at(labels, p, 1.0),
        "nll": nll(labels, p),
        "brier": brier(labels, p),
        "ece": ece(labels, p),
        "selective_accuracy": {f"{coverage:.1f}": accuracy_at(labels, p, coverage) for coverage in COVERAGES},
        "entropy_and_uncertain": doubt_test(entropy(p), uncertain),
        "sources": len(labels),
    }


def _bins(methods: Arrays, labels: np.ndarray) -> Arrays:
    tables = {name: reliability(labels, p) for name, p in methods.items()}
    return {f"{column} {name}": table[column] for name, table in tables.items() for column in BINS}


def headlines(answer: dict[str, Any]) -> list[list[str]]:
    """Coverage of conformal sets."""
    measured = answer["uncertainty"]["conformal"]["one network"]["all"]
    return [["conformal sets, coverage at 90 %", number(measured["coverage"]), f"mean size {number(measured['mean_size'], 2)}"]]


def sections(page: Page, case: Case, folder: Folder, answer: dict[str, Any], other: Folder | None) -> None:
    """Figure and table of all methods."""
    arrays, summary = folder.arrays("uncertainty"), answer["uncertainty"]
    methods = {}
    for name in (key.removeprefix("p ") for key in arrays if key.startswith("p ")):
        coverage, selective = selective_accuracy(arrays["label"], arrays[f"p {name}"])
        methods[name] = {key: arrays[f"{key} {name}"] for key in BINS}
        methods[name] |= {"coverage": coverage, "selective": selective, "entropy": entropy(arrays[f"p {name}"])}
    _write_answers(case, folder, arrays, list(methods))
    page.heading("Uncertainty")
    picture = uncertainty_figure(arrays["uncertain"], methods, summary["conformal"], len(case.labels))
    page.picture(
        save(picture, folder.figure("uncertainty")),
        f"{summary['sources']} sources; conformal sets calibrated on {summary['calibration_sources']} validation sources.",
    )
    page.table(METHOD_COLUMNS, method_rows(summary))


def _write_answers(case: Case, folder: Folder, arrays: Arrays, methods: list[str]) -> None:
    """The probabilities of every source: of two classes that of the second, ``p_frii_one_network``, else one column a class."""
    classes = case.labels.columns()[1:] if case.labels.binary else case.labels.columns()
    columns = ["source_id", "label", "uncertain", *(f"{column}_{name.replace(' ', '_')}" for name in methods for column in classes)]
    p = np.concatenate([arrays[f"p {name}"].reshape(len(arrays["label"]), -1) for name in methods], 1)
    rows = [
        [str(source), int(arrays["label"][k]), int(arrays["uncertain"][k]), *map(float, p[k])]
        for k, source in enumerate(arrays["source_id"])
    ]
    folder.write_table("uncertainty", columns, rows)
