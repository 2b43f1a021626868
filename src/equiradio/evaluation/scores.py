"""Scores of predictions: scikit-learn's point estimates, each with a 95 % interval over sources."""

from collections.abc import Callable
from typing import Any, NamedTuple, NotRequired, TypedDict, cast

import numpy as np

from equiradio.errors import RunRefusal
from equiradio.evaluation import bootstrap, calibration
from equiradio.evaluation.calibration import checked, most_probable, unmasked
from equiradio.labels import FANAROFF_RILEY, UNKNOWN, Labels

BLOCKS = ("pooled", "per_source", "plain", "confident", "uncertain", "calibration")
CONFIDENCES = ("confident", "uncertain")
COLUMNS = ("source_id", "label", "confidence", "pass")


class Scores(TypedDict):
    """Scores, 0..1; those of a class by its name."""

    accuracy: float
    balanced_accuracy: float
    macro_f1: float
    auc: float | None
    f1: dict[str, float]
    precision: dict[str, float]
    recall: dict[str, float]


class Intervals(TypedDict):
    """[low, high] of each score, None where no resample defines it."""

    accuracy: list[float] | None
    balanced_accuracy: list[float] | None
    macro_f1: list[float] | None
    auc: list[float] | None
    f1: dict[str, list[float] | None]
    precision: dict[str, list[float] | None]
    recall: dict[str, list[float] | None]


class Block(Scores):
    """Scores by one protocol; ``sources`` where it counts a part of them, and ``of_class`` how many of each."""

    interval95: Intervals
    sources: NotRequired[int]
    of_class: NotRequired[dict[str, int]]


class CalibrationScores(TypedDict):
    """Negative log-likelihood in nats, Brier score and expected calibration error, per source."""

    nll: float
    brier: float
    ece: float


class SoftScores(TypedDict):
    """Against soft labels, per source, nats: cross-entropy, and the entropy of the labels, below which it cannot be."""

    cross_entropy: float
    entropy: float


class Metrics(TypedDict):
    """What ``RUN/metrics/<data>-<split>.json`` holds: see `metrics` and docs/reference/files.md."""

    data: str
    split: str
    sources: int
    passes: int
    pooled: Block | None
    per_source: Block | None
    plain: Block | None
    confident: Block | None
    uncertain: Block | None
    calibration: CalibrationScores | None
    catalogues: NotRequired[dict[str, Block]]
    soft: NotRequired[SoftScores]
    unfinished: NotRequired[str]
    not_held_back: NotRequired[str]
    left_out: NotRequired[list[str]]


def scores(labels: np.ndarray, p: np.ndarray, weights: np.ndarray | None = None, classes: Labels = FANAROFF_RILEY) -> Scores:
    """Accuracy, balanced accuracy, macro F1, AUC, and F1, precision and recall of every class, by scikit-learn.

    Parameters
    ----------
    labels : int (count,), place of the class.
    p : float (count,) of the second of two classes (the answer at or above 0.5), or (count, classes), 0..1.
    weights : float (count,), at least 0 and not all 0; equal if left out.

    Returns
    -------
    ``{"accuracy", "balanced_accuracy", "macro_f1", "auc", "f1": {class: ...}, "precision": {...}, "recall": {...}}``. AUC, of more than
    two classes the mean of each against all others, is None where a class is missing; balanced accuracy and macro F1 are means over the
    classes that are there; a precision, recall or F1 that would divide by zero is 0.
    """
    from sklearn.metrics import accuracy_score, precision_recall_fscore_support  # half a second that start-up should not pay

    unmasked("scores", weights=weights)
    labels, p = checked(labels, p, classes=classes)
    weights = np.ones(len(labels)) if weights is None else _checked_weights(np.asarray(weights, dtype=np.float64), len(labels))
    labels, p, weights = (column[weights > 0] for column in (labels, p, weights))
    answers = most_probable(p, binary=p.ndim == 1)
    by_class = precision_recall_fscore_support(labels, answers, labels=range(len(classes)), sample_weight=weights, zero_division=0)
    precision, recall, f1 = ({name: float(value) for name, value in zip(classes, values, strict=True)} for values in by_class[:3])
    present = np.unique(labels)
    return {
        "accuracy": float(accuracy_score(labels, answers, sample_weight=weights)),
        "balanced_accuracy": float(np.mean(by_class[1][present])),
        "macro_f1": float(np.mean(by_class[2][present])),
        "auc": _auc(labels, p, weights) if len(present) == len(classes) else None,
        "f1": f1,
        "precision": precision,
        "recall": recall,
    }


def _auc(labels: np.ndarray, p: np.ndarray, weights: np.ndarray) -> float:
    from sklearn.metrics import roc_auc_score

    if p.ndim == 1:
        return float(roc_auc_score(labels, p, sample_weight=weights))
    return float(np.mean([roc_auc_score(labels == place, p[:, place], sample_weight=weights) for place in range(p.shape[1])]))


def _checked_weights(weights: np.ndarray, count: int) -> np.ndarray:
    if weights.shape != (count,) or not np.isfinite(weights).all() or (weights < 0).any() or not weights.any():
        found = f"{weights.shape} weights, {int((weights < 0).sum())} negative, {int((~np.isfinite(weights)).sum())} not finite"
        raise RunRefusal("weights", found, f"{count} finite numbers of at least 0, not all 0", "Leave the weights out to count all alike.")
    return weights


def metrics(predictions: Any, *, data: str, split: str, seed: int = 0, resamples: int = 2000, labels: Labels = FANAROFF_RILEY) -> Metrics:
    """Everything that ``RUN/metrics/<data>-<split>.json`` holds, ready for json.

    Parameters
    ----------
    predictions : columns source_id, label, confidence, pass and the probabilities (of two classes the second's is enough); a pyarrow table
        or a dict of arrays. Every source must be there once in every pass. Sources of no class (label -1) are left out.
    labels : the classes.
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
    RunRefusal : a column is missing or has masked values, a source lacks a pass or has it twice, its label changes, or numbers are not
    probabilities.
    """
    where = f"predictions {data}-{split}"
    columns = _columns(predictions, where, labels)
    scored = columns["label"] != UNKNOWN
    sources, augmented = len(np.unique(columns["source_id"][scored])), int((np.unique(columns["pass"]) > 0).sum())
    head = {"data": data, "split": split, "sources": sources, "passes": augmented}
    if not scored.any():
        return cast(Metrics, head | dict.fromkeys(BLOCKS))
    passes, truth, confidence, p = _by_source({name: column[scored] for name, column in columns.items()}, where, labels)
    blocks = _blocks(truth, confidence, p, passes, lambda count: bootstrap.draw(count, resamples, seed), labels)
    views = p[:, passes > 0] if (passes > 0).any() else p
    per_source = truth, views.mean(axis=1)
    calibrated = {"nll": calibration.nll(*per_source), "brier": calibration.brier(*per_source), "ece": calibration.ece(*per_source)}
    return cast(Metrics, head | blocks | {"calibration": calibrated})


def _blocks(
    truth: np.ndarray, confidence: np.ndarray, p: np.ndarray, passes: np.ndarray, draw: Callable[[int], np.ndarray], labels: Labels
) -> dict[str, Block | None]:
    """The blocks of scores by protocol; ``draw`` gives the counts of the bootstrap for so many sources."""
    views = p[:, passes > 0] if (passes > 0).any() else p
    mean = views.mean(axis=1, keepdims=True)
    counts = draw(len(truth))
    blocks: dict[str, Block | None] = {
        "pooled": _block(truth, views, counts, labels),
        "per_source": _block(truth, mean, counts, labels),
        "plain": _block(truth, p[:, passes == 0], counts, labels) if (passes == 0).any() else None,
    }
    for name in CONFIDENCES:
        rows = confidence == name
        # drawn anew, so that a part scores the same alone as within the whole
        part = _block(truth[rows], mean[rows], draw(int(rows.sum())), labels) if rows.any() else None
        blocks[name] = part and {"sources": int(rows.sum()), **part}
    return blocks


class Arranged(NamedTuple):
    """Predictions of one run of two classes, sources in the order of their names.

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
    """Columns of predictions of FRI and FRII by source and pass; hybrids are left out. Refuses as `metrics` does."""
    columns = _columns(predictions, where, FANAROFF_RILEY)
    columns = {name: column[columns["label"] != UNKNOWN] for name, column in columns.items()}
    if not len(columns["label"]):
        raise RunRefusal(where, "no FRI or FRII in it", "at least one source", "Evaluate the run on another split.")
    passes, labels, confidence, p_frii = _by_source(columns, where, FANAROFF_RILEY)
    return Arranged(np.unique(columns["source_id"].astype(str)), labels, confidence, passes, p_frii)


def per_source(predictions: Any, where: str, labels: Labels) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Names (sources,) in order, labels int (sources,) and probabilities float64 (sources, classes), of sources that are of a class.

    Probabilities are means over augmented passes; those of the plain image where there are none. Refuses as `metrics` does.
    """
    columns = _columns(predictions, where, labels)
    columns = {name: column[columns["label"] != UNKNOWN] for name, column in columns.items()}
    passes, truth, _, p = _by_source(columns, where, labels)
    p = (p[:, passes > 0] if (passes > 0).any() else p).mean(axis=1)
    return np.unique(columns["source_id"].astype(str)), truth, np.stack([1 - p, p], 1) if labels.binary else p


def _block(truth: np.ndarray, p: np.ndarray, counts: np.ndarray, labels: Labels) -> Block:
    point = scores(np.repeat(truth, p.shape[1]), p.reshape(-1, *p.shape[2:]), classes=labels)
    return cast(Block, point | {"interval95": bootstrap.intervals(truth, p, counts, labels)})


def _columns(predictions: Any, where: str, labels: Labels) -> dict[str, np.ndarray]:
    """The columns that scores need: of two classes the probability of the second alone."""
    wanted = (*COLUMNS, *(labels.columns()[1:] if labels.binary else labels.columns()))
    try:
        given = {name: predictions[name] for name in wanted}
    except KeyError as error:
        raise RunRefusal(where, f"no column {error.args[0]}", f"the columns {', '.join(wanted)}", "Evaluate the run again.") from error
    unmasked(where, **given)
    columns = {name: np.asarray(column) for name, column in given.items()}
    if len({len(column) for column in columns.values()}) > 1:
        found = ", ".join(f"{len(column):,} {name}" for name, column in columns.items())
        raise RunRefusal(where, found, "columns of one length", "Check how the table was made.")
    return columns


def _by_source(columns: dict[str, np.ndarray], where: str, labels: Labels) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Pass numbers (passes,), labels and confidence (sources,), probabilities (sources, passes[, classes]), sources by name.

    Of two classes the probability is the second's, without an axis of its own.
    """
    p = columns[labels.columns()[1]] if labels.binary else np.stack([columns[name] for name in labels.columns()], 1)
    checked(columns["label"], p, where, labels)
    names, row = np.unique(columns["source_id"].astype(str), return_inverse=True)
    passes, view = np.unique(columns["pass"], return_inverse=True)
    times = np.bincount(row * len(passes) + view, minlength=len(names) * len(passes))
    if (times != 1).any():
        pairs = f"{(times == 0).sum():,} of their pairs missing and {(times > 1).sum():,} repeated"
        what = f"{len(names):,} sources and {len(passes):,} passes, but {pairs}"
        raise RunRefusal(where, what, "every source once in every pass", "Evaluate the run again.")
    order = np.lexsort((view, row))
    label, confidence = (columns[name][order].reshape(len(names), len(passes)) for name in ("label", "confidence"))
    for name, values in (("label", label), ("confidence", confidence)):
        torn = int((values != values[:, :1]).any(axis=1).sum())
        if torn:
            raise RunRefusal(where, f"{torn:,} sources change their {name} between passes", "one per source", "Evaluate the run again.")
    if not np.isin(confidence, CONFIDENCES).all():
        strange = sorted(set(np.ravel(confidence).astype(str)) - set(CONFIDENCES))
        raise RunRefusal(where, f"confidence {', '.join(strange)}", " or ".join(CONFIDENCES), "Check how the table was made.")
    return passes, label[:, 0], confidence[:, 0], p[order].reshape(len(names), len(passes), *p.shape[1:]).astype(np.float64)
