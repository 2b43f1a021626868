"""Split conformal prediction: sets of classes that hold the true one as often as promised, measured on sources never seen."""

import numpy as np

from equiradio.errors import SettingRefusal
from equiradio.evaluation.calibration import checked, of_true_class, second_alone, unmasked
from equiradio.evaluation.shares import share_interval

FOLDS = 10


def threshold(labels: np.ndarray, p: np.ndarray, level: float = 0.9) -> float:
    """The quantile of 1 - p(true class) over calibration sources: ceil((n + 1) level) / n; 1 (every class always) where n is too small.

    Source: Angelopoulos & Bates 2021, "A gentle introduction to conformal prediction", section 1; Sadinle et al. 2019 (LAC score).
    """
    if not 0 < level < 1:
        raise SettingRefusal("level", f"{level}", "between 0 and 1", "0.9 is usual.")
    labels, p = checked(labels, p, "calibration sources")
    scores = np.sort(1 - of_true_class(labels, p))
    rank = int(np.ceil((len(scores) + 1) * level - 1e-9))
    return float(scores[rank - 1]) if rank <= len(scores) else 1.0


def class_thresholds(labels: np.ndarray, p: np.ndarray, level: float = 0.9) -> np.ndarray:
    """`threshold` of each class by its own sources (classes,), so that the promise holds in every class and for any mix of them.

    Source: Vovk, Gammerman & Shafer 2005, section 4.5 (Mondrian conformal predictors), with classes as categories.
    """
    labels, p = checked(labels, p, "calibration sources")
    classes = 2 if p.ndim == 1 else p.shape[1]
    own = [labels == place for place in range(classes)]
    return np.array([threshold(labels[rows], p[rows], level) if rows.any() else 1.0 for rows in own])


def cross_thresholds(ids: np.ndarray, labels: np.ndarray, p: np.ndarray, of: np.ndarray, level: float = 0.9) -> np.ndarray:
    """`threshold` for each of the sources ``of`` (count,), chosen without itself: (count, 1).

    Sources ``of`` that are among the calibration sources ``ids`` are dealt into 10 folds, and each has the threshold of all calibration
    sources outside its fold; the others have that of all.
    """
    shared = np.isin(of, ids)
    limits = np.full(len(of), threshold(labels, p, level))
    fold = np.full(len(of), -1)
    fold[shared] = np.random.default_rng(0).permutation(int(shared.sum())) % FOLDS
    for number in np.unique(fold[shared]):
        outside = ~np.isin(ids, of[fold == number])
        limits[fold == number] = threshold(labels[outside], p[outside], level) if outside.any() else 1.0
    return limits[:, None]


def sets(p: np.ndarray, limit: float | np.ndarray) -> np.ndarray:
    """Which classes are in the set of each source: bool (count, classes); a class is in where 1 - p <= limit.

    ``limit`` : of all, of each class (classes,), or of each source (count, 1).
    """
    unmasked("sets of classes", probabilities=p)
    p = second_alone(p)
    p = np.stack([1 - p, p], 1) if p.ndim == 1 else p
    return 1 - p <= limit


def measured_coverage(labels: np.ndarray, inside: np.ndarray) -> dict[str, float | int | list[float] | None]:
    """How often the set holds the true class, its exact 95 % binomial interval (Clopper-Pearson), and how large sets are.

    Returns
    -------
    ``coverage``, ``interval95``, ``mean_size``, ``empty``, ``single``, ``several`` (shares of sources), ``single_accuracy``, ``sources``.
    """
    unmasked("sets of classes", labels=labels, sets=inside)
    hit, size = inside[np.arange(len(labels)), labels], inside.sum(1)
    if not len(labels):
        return {"coverage": None, "interval95": None, "sources": 0}
    single = size == 1
    return {
        "coverage": float(hit.mean()),
        "interval95": share_interval(hit.sum(), len(hit)),
        "mean_size": float(size.mean()),
        "empty": float((size == 0).mean()),
        "single": float(single.mean()),
        "several": float((size > 1).mean()),
        "single_accuracy": float(hit[single].mean()) if single.any() else None,
        "sources": len(labels),
    }
