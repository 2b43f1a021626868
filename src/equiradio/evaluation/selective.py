"""Selective prediction: how right are the sources that are left when the least sure are put aside?"""

import numpy as np

from equiradio.evaluation.calibration import checked, is_right, second_alone, unmasked


def entropy(p: np.ndarray) -> np.ndarray:
    """Entropy of the classes in bits (count,), 0 (sure) to 1 (even odds of two) or log2 of their number.

    ``p`` : (count,) of the second of two classes, or (count, classes).
    """
    unmasked("entropy", probabilities=p)
    p = second_alone(np.clip(np.asarray(p, dtype=np.float64), 0, 1))
    if p.ndim == 2:
        with np.errstate(divide="ignore", invalid="ignore"):
            return -np.where(p > 0, p * np.log2(p), 0).sum(1)
    q = 1 - p
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(p > 0, p * np.log2(p), 0) + np.where(q > 0, q * np.log2(q), 0)
    return -terms


def selective_accuracy(labels: np.ndarray, p: np.ndarray, doubt: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Accuracy of the surest sources against the share kept.

    Parameters
    ----------
    doubt : (count,), larger is less sure; entropy of p if left out. Sources of equal doubt are kept together.

    Returns
    -------
    coverage, accuracy : float64, from few sources to all.
    """
    unmasked("selective accuracy", doubt=doubt)
    labels, p = checked(labels, p)
    doubt = entropy(p) if doubt is None else np.asarray(doubt, dtype=np.float64)
    order = np.argsort(doubt, kind="stable")
    right = is_right(labels, p)[order]
    last = np.append(np.flatnonzero(np.diff(doubt[order])), len(order) - 1)
    left = last + 1
    return left / len(order), np.cumsum(right)[last] / left


def accuracy_at(labels: np.ndarray, p: np.ndarray, coverage: float, doubt: np.ndarray | None = None) -> float:
    """Accuracy with at least ``coverage`` (0..1] of the sources kept, the surest first."""
    coverages, accuracy = selective_accuracy(labels, p, doubt)
    return float(accuracy[np.searchsorted(coverages, coverage - 1e-12)])


def doubt_test(doubt: np.ndarray, uncertain: np.ndarray) -> dict[str, float | int | None]:
    """Do sources that the catalogue calls Uncertain get more doubt? AUC (0.5: no) and the p-value of a one-sided Mann-Whitney test."""
    from scipy.stats import mannwhitneyu

    unmasked("doubt", doubt=doubt, uncertain=uncertain)
    yes, no = doubt[uncertain], doubt[~uncertain]
    if not len(yes) or not len(no):
        return {"auc": None, "p_value": None, "uncertain": len(yes), "confident": len(no)}
    test = mannwhitneyu(yes, no, alternative="greater")
    return {
        "auc": float(test.statistic / (len(yes) * len(no))),
        "p_value": float(test.pvalue),
        "uncertain": len(yes),
        "confident": len(no),
    }
