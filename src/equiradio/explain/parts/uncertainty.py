"""The part of an explanation that asks how sure the answers are, and how right they are when sure."""

from typing import Any

import numpy as np

from equiradio.evaluation.calibration import brier, ece, nll, reliability
from equiradio.evaluation.conformal import measured_coverage, sets, threshold
from equiradio.evaluation.selective import accuracy_at, doubt_test, entropy
from equiradio.explain.case import Case
from equiradio.explain.dropout import dropout_answers
from equiradio.labels import UNKNOWN

Part = tuple[dict[str, Any], dict[str, np.ndarray]]
LEVEL = 0.9  # of conformal sets
COVERAGES = (0.5, 0.7, 0.9, 1.0)


def uncertainty(case: Case, turned: np.ndarray) -> Part:
    """One network, an ensemble over seeds, dropout and rotations: calibration, selective accuracy, doubt, conformal sets.

    Parameters
    ----------
    turned : p_frii of the sample at each angle (angles, count), from the symmetry part.
    """
    labelled = [sources.choose(sources.labels != UNKNOWN) for sources in (case.everyone, case.validation)]
    test, validation = labelled
    sampled = dropout_answers(case.classifier, test.images, case.plan.draws)
    case.count(len(test))
    methods = {"one network": sampled[0], "dropout": sampled[1:].mean(0)}
    seeds = {name: member for name, member in case.members.items() if member.card.model == case.classifier.card.model}
    if seeds:
        others = [case.look(member, test.images, f"{name}, {test.split[0]}")[1] for name, member in seeds.items()]
        methods["ensemble"] = np.mean([sampled[0], *others], 0)
    calibrated = {"one network": case.look(case.classifier, validation.images, "validation")[1]}
    if case.plan.whole_team and seeds:
        others = [case.look(member, validation.images, f"{name}, validation")[1] for name, member in seeds.items()]
        calibrated["ensemble"] = np.mean([calibrated["one network"], *others], 0)
    uncertain = test.confidence == "uncertain"
    summary: dict[str, Any] = {
        "sources": len(test),
        "calibration_sources": len(validation),
        "members": [case.name, *seeds],
        "methods": {},
        "conformal": {},
    }
    arrays: dict[str, np.ndarray] = {"label": test.labels, "uncertain": uncertain, "source_id": test.source_ids.astype(str)}
    for name, p_frii in methods.items():
        summary["methods"][name] = _scores(test.labels, p_frii, uncertain)
        arrays[f"p {name}"] = p_frii
    rows = case.sources.labels != UNKNOWN
    summary["methods"]["rotations (sample)"] = _scores(
        case.sources.labels[rows], turned.mean(0)[rows], (case.sources.confidence == "uncertain")[rows]
    ) | {"median_spread": float(np.median(turned.std(0)))}
    for name, p_frii in calibrated.items():
        summary["conformal"][name] = _conformal(validation.labels, p_frii, test.labels, methods[name], uncertain)
    return summary, arrays | _bins(methods, test.labels)


def _conformal(known: np.ndarray, calibration: np.ndarray, labels: np.ndarray, p_frii: np.ndarray, uncertain: np.ndarray) -> dict[str, Any]:
    limit = threshold(known, calibration, LEVEL)
    inside = sets(p_frii, limit)
    parts = {"all": np.ones(len(labels), bool), "confident": ~uncertain, "uncertain": uncertain}
    return {"level": LEVEL, "threshold": limit} | {
        part: measured_coverage(labels[mask], inside[mask]) for part, mask in parts.items() if mask.any()
    }


def _scores(labels: np.ndarray, p_frii: np.ndarray, uncertain: np.ndarray) -> dict[str, Any]:
    return {
        "accuracy": accuracy_at(labels, p_frii, 1.0),
        "nll": nll(labels, p_frii),
        "brier": brier(labels, p_frii),
        "ece": ece(labels, p_frii),
        "selective_accuracy": {f"{coverage:.1f}": accuracy_at(labels, p_frii, coverage) for coverage in COVERAGES},
        "entropy_and_uncertain": doubt_test(entropy(p_frii), uncertain),
        "sources": len(labels),
    }


def _bins(methods: dict[str, np.ndarray], labels: np.ndarray) -> dict[str, np.ndarray]:
    tables = {name: reliability(labels, p_frii) for name, p_frii in methods.items()}
    return {f"{column} {name}": table[column] for name, table in tables.items() for column in ("sources", "probability", "accuracy")}
