"""Scores of predictions: scikit-learn's point estimates, each with a 95 % interval over sources."""

from typing import Any, NamedTuple

import numpy as np

from equiradio.data.sources import CLASSES, HYBRID
from equiradio.errors import RunRefusal
from equiradio.evaluation import bootstrap, calibration
from equiradio.evaluation.calibration import THRESHOLD, checked

BLOCKS = ("pooled", "per_source", "plain", "confident", "uncertain", "calibration")
CONFIDENCES = ("confident", "uncertain")
COLUMNS = ("source_id", "label", "confidence", "pass", "p_frii")


def scores(labels: np.ndarray, p_frii: np.ndarray, weights: np.ndarray | None = None) -> dict:
    """Accuracy, AUC, and F1, precision and recall of both classes, by scikit-learn.

    Parameters
    ----------
    labels : int (count,), 0 FRI, 1 FRII.
    p_frii : float (count,), 0..1; at or above 0.5 says FRII.
    weights : float (count,), at least 0 and not all 0; equal if left out.

    Returns
    -------
    ``{"accuracy", "auc", "f1": {"FRI", "FRII"}, "precision": {...}, "recall": {...}}``. AUC is None where a class is missing; a precision,
    recall or F1 that would divide by zero is 0.
    """
    from sklearn.metrics import accuracy_score, precision_recall_fscore_support, roc_auc_score  # half a second that start-up should not pay

    labels, p_frii = checked(labels, p_frii)
    weights = np.ones(len(labels)) if weights is None else _checked_weights(np.asarray(weights, dtype=np.float64), len(labels))
    labels, p_frii, weights = (column[weights > 0] for column in (labels, p_frii, weights))
    says = (p_frii >= THRESHOLD).astype(np.int64)
    both = len(np.unique(labels)) == len(CLASSES)
    by_class = precision_recall_fscore_support(labels, says, labels=range(len(CLASSES)), sample_weight=weights, zero_division=0)
    precision, recall, f1 = ({name: float(value) for name, value in zip(CLASSES, values, strict=True)} for values in by_class[:3])
    return {
        "accuracy": float(accuracy_score(labels, says, sample_weight=weights)),
        "auc": float(roc_auc_score(labels, p_frii, sample_weight=weights)) if both else None,
        "f1": f1,
        "precision": precision,
        "recall": recall,
    }


def _checked_weights(weights: np.ndarray, count: int) -> np.ndarray:
    if weights.shape != (count,) or not np.isfinite(weights).all() or (weights < 0).any() or not weights.any():
        found = f"{weights.shape} weights, {int((weights < 0).sum())} negative, {int((~np.isfinite(weights)).sum())} not finite"
        raise RunRefusal("weights", found, f"{count} finite numbers of at least 0, not all 0", "Leave the weights out to count all alike.")
    return weights


def metrics(predictions: Any, *, data: str, split: str, seed: int = 0, resamples: int = 2000) -> dict:
    """Everything that ``RUN/metrics/<data>-<split>.json`` holds, ready for json.

    Parameters
    ----------
    predictions : columns source_id, label, confidence, pass, p_frii; a pyarrow table or a dict of arrays. Every source must be there once
        in every pass. Hybrids (label -1) are left out.
    data, split : names, copied into the answer and used in refusals.
    seed, resamples : of the bootstrap.

    Returns
    -------
    ``sources`` counts the scored sources and ``passes`` the augmented passes. Blocks of scores: ``pooled`` counts every augmented pass (as
    the paper did); ``per_source`` averages probabilities over these passes; ``plain`` is pass 0; ``confident`` and ``uncertain`` are
    ``per_source`` on a part of the sources (and say how many). Without augmented passes, pass 0 stands in for them. Each block has
    ``interval95``, [low, high] per score, None where no resample defines it. ``calibration`` is per source. A block is None where it
    has no source or no pass.

    Raises
    ------
    RunRefusal : a column is missing, a source lacks a pass or has it twice, its label changes, or numbers are not probabilities.
    """
    where = f"predictions {data}-{split}"
    columns = _columns(predictions, where)
    scored = columns["label"] != HYBRID
    head = {
        "data": data,
        "split": split,
        "sources": len(np.unique(columns["source_id"][scored])),
        "passes": int((np.unique(columns["pass"]) > 0).sum()),
    }
    if not scored.any():
        return head | dict.fromkeys(BLOCKS)
    passes, labels, confidence, p_frii = _by_source({name: column[scored] for name, column in columns.items()}, where)
    views = p_frii[:, passes > 0] if (passes > 0).any() else p_frii
    mean = views.mean(axis=1, keepdims=True)
    counts = bootstrap.draw(len(labels), resamples, seed)
    parts: dict[str, dict | None] = {}
    for name in CONFIDENCES:
        rows = confidence == name
        # drawn anew, so that a part scores the same alone as within the whole
        part = _block(labels[rows], mean[rows], bootstrap.draw(rows.sum(), resamples, seed)) if rows.any() else None
        parts[name] = part and {"sources": int(rows.sum())} | part
    return head | {
        "pooled": _block(labels, views, counts),
        "per_source": _block(labels, mean, counts),
        "plain": _block(labels, p_frii[:, passes == 0], counts) if (passes == 0).any() else None,
        **parts,
        "calibration": {key: getattr(calibration, key)(labels, mean[:, 0]) for key in ("nll", "brier", "ece")},
    }


class Arranged(NamedTuple):
    """Predictions of one run, sources in the order of their names.

    source_ids, labels, confidence : (sources,); passes : int (passes,), 0 the plain image; p_frii : float64 (sources, passes).
    """

    source_ids: np.ndarray
    labels: np.ndarray
    confidence: np.ndarray
    passes: np.ndarray
    p_frii: np.ndarray

    @property
    def views(self) -> np.ndarray:
        """p_frii of the augmented passes (sources, passes); of the plain image where there are none."""
        return self.p_frii[:, self.passes > 0] if (self.passes > 0).any() else self.p_frii


def arranged(predictions: Any, where: str = "predictions") -> Arranged:
    """Columns of predictions by source and pass; hybrids are left out. Refuses as `metrics` does."""
    columns = _columns(predictions, where)
    columns = {name: column[columns["label"] != HYBRID] for name, column in columns.items()}
    if not len(columns["label"]):
        raise RunRefusal(where, "no FRI or FRII in it", "at least one source", "Evaluate the run on another split.")
    passes, labels, confidence, p_frii = _by_source(columns, where)
    return Arranged(np.unique(columns["source_id"].astype(str)), labels, confidence, passes, p_frii)


def _block(labels: np.ndarray, p_frii: np.ndarray, counts: np.ndarray) -> dict:
    point = scores(np.repeat(labels, p_frii.shape[1]), p_frii.ravel())
    return point | {"interval95": bootstrap.intervals(labels, p_frii, counts)}


def _columns(predictions: Any, where: str) -> dict[str, np.ndarray]:
    try:
        columns = {name: np.asarray(predictions[name]) for name in COLUMNS}
    except KeyError as error:
        raise RunRefusal(where, f"no column {error.args[0]}", f"the columns {', '.join(COLUMNS)}", "Evaluate the run again.") from error
    if len({len(column) for column in columns.values()}) > 1:
        found = ", ".join(f"{len(column):,} {name}" for name, column in columns.items())
        raise RunRefusal(where, found, "columns of one length", "Check how the table was made.")
    return columns


def _by_source(columns: dict[str, np.ndarray], where: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Pass numbers (passes,), labels and confidence (sources,), p_frii (sources, passes); sources by name, whatever the order of rows."""
    checked(columns["label"], columns["p_frii"], where)
    names, row = np.unique(columns["source_id"].astype(str), return_inverse=True)
    passes, view = np.unique(columns["pass"], return_inverse=True)
    found = np.bincount(row * len(passes) + view, minlength=len(names) * len(passes))
    if (found != 1).any():
        pairs = f"{(found == 0).sum():,} of their pairs missing and {(found > 1).sum():,} repeated"
        what = f"{len(names):,} sources and {len(passes):,} passes, but {pairs}"
        raise RunRefusal(where, what, "every source once in every pass", "Evaluate the run again.")
    order = np.lexsort((view, row))
    label, confidence, p_frii = (columns[name][order].reshape(len(names), len(passes)) for name in ("label", "confidence", "p_frii"))
    for name, values in (("label", label), ("confidence", confidence)):
        torn = int((values != values[:, :1]).any(axis=1).sum())
        if torn:
            raise RunRefusal(where, f"{torn:,} sources change their {name} between passes", "one per source", "Evaluate the run again.")
    if not np.isin(confidence, CONFIDENCES).all():
        strange = sorted(set(np.ravel(confidence).astype(str)) - set(CONFIDENCES))
        raise RunRefusal(where, f"confidence {', '.join(strange)}", " or ".join(CONFIDENCES), "Check how the table was made.")
    return passes, label[:, 0], confidence[:, 0], p_frii.astype(np.float64)
