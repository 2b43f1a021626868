"""Calibration: do sources called FRII with 80 % turn out FRII in 80 % of cases?

All functions take one set of probabilities per source (averaged over passes): many passes of a source are not many sources. ``p`` is
(count, classes), or, of two classes, (count,) of the second.
"""

from typing import Any

import numpy as np

from equiradio.errors import RunRefusal
from equiradio.labels import FANAROFF_RILEY, Labels

ROUNDING = 1e-6  # of float32, in sums of probabilities
THRESHOLD = 0.5  # of two classes: at or above it the answer is the second
FLOOR = 1e-12  # the negative log-likelihood takes no probability as smaller, so one sure mistake costs at most 27.6 and not infinity


def most_probable(p: np.ndarray, binary: bool = False) -> np.ndarray:
    """Place of the class of the highest probability, (..., classes) -> (...); of two classes the second at even odds.

    ``binary``: ``p`` is that of the second of two classes alone, of any shape.
    """
    if binary or p.shape[-1] == 2:
        return ((p if binary else p[..., 1]) >= THRESHOLD).astype(np.int64)
    return p.argmax(-1)


def top_probability(p: np.ndarray) -> np.ndarray:
    """The highest probability of each source (count,)."""
    return np.maximum(p, 1 - p) if p.ndim == 1 else p.max(1)


def of_true_class(labels: np.ndarray, p: np.ndarray) -> np.ndarray:
    """The probability of each source's own class (count,)."""
    return np.where(labels == 1, p, 1 - p) if p.ndim == 1 else p[np.arange(len(labels)), labels]


def is_right(labels: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Is the most probable class the true one? bool (count,)."""
    return most_probable(p, binary=p.ndim == 1) == labels


def unmasked(where: str, **columns: Any) -> None:
    """Refuse arrays of which values are masked (NumPy's masked arrays, astropy's masked columns): what lies below is no value."""
    for name, values in columns.items():
        if np.ma.is_masked(values):
            found = f"{np.ma.count_masked(values):,} of {values.size:,} values of {name} are masked"
            raise RunRefusal(where, found, "a value in every place", "Leave out what is masked, in all columns alike.")


def checked(
    labels: np.ndarray, p: np.ndarray, where: str = "predictions", classes: Labels = FANAROFF_RILEY
) -> tuple[np.ndarray, np.ndarray]:
    """Labels (count,), and finite probabilities in 0..1 of every class, as int64 and float64; `where` names them in a refusal.

    What lies outside by no more than `ROUNDING`, as sums in float32 do, is brought to 0 or 1. Of two classes in two columns the second
    comes back alone, so that both ways to say it score the same to the digit.

    Raises
    ------
    RunRefusal : none at all, unequal lengths, masked values, labels that are no class, or numbers that are not probabilities.
    """
    unmasked(where, labels=labels, probabilities=p)
    labels, p = np.asarray(labels), np.asarray(p, dtype=np.float64)
    count = p.shape[1] if p.ndim == 2 else 2
    if labels.ndim != 1 or p.ndim not in (1, 2) or len(labels) != len(p) or not len(labels):
        found = f"labels {labels.shape} and p_frii {p.shape}"
        raise RunRefusal(where, found, "two columns of one length, at least 1", "Check how the table was made.")
    strange = ~np.isin(labels, range(count))
    if strange.any():
        number = f"{strange.sum():,} of {len(labels):,} labels"
        if count == len(classes) == 2:
            found = f"{number} are neither {classes.names[0]} nor {classes.names[1]}"
            raise RunRefusal(where, found, "0 or 1", f"Leave {classes.unknown or 'other source'}s out: they have no score.")
        raise RunRefusal(where, f"{number} are no class", f"0 to {count - 1}", "Leave them out: they have no score.")
    within = np.clip(p, 0, 1)
    outside = ~(np.abs(p - within) <= ROUNDING)  # true for nan as well
    if outside.any():
        found = f"{outside.sum():,} of {p.size:,} {classes.columns()[1] if p.ndim == 1 else 'probabilities'} are not finite or outside 0..1"
        raise RunRefusal(where, found, "probabilities", "Evaluate the run again; if it stays, the training diverged.")
    return labels.astype(np.int64), second_alone(within)


def second_alone(p: np.ndarray) -> np.ndarray:
    """Probabilities (count, 2) of two classes as those of the second (count,); others as they are."""
    return p[:, 1] if p.ndim == 2 and p.shape[1] == 2 else p


def cross_entropy(shares: np.ndarray, p: np.ndarray) -> float:
    """Mean cross-entropy in nats of probabilities (count, classes) against soft labels of the same shape; clipped as in `nll`."""
    return float(-(shares * np.log(np.maximum(p, FLOOR))).sum(1).mean())


def nll(labels: np.ndarray, p: np.ndarray) -> float:
    """Mean negative log-likelihood in nats; probabilities are clipped at 1e-12 (`FLOOR`)."""
    labels, p = checked(labels, p)
    return float(-np.log(np.maximum(of_true_class(labels, p), FLOOR)).mean())


def brier(labels: np.ndarray, p: np.ndarray) -> float:
    """Mean squared error of the probabilities, 0..1: half of Brier's original sum over classes, which of two is one class's term."""
    labels, p = checked(labels, p)
    if p.ndim == 1:
        return float(((p - labels) ** 2).mean())
    return float(((p - np.eye(p.shape[1])[labels]) ** 2).sum(1).mean() / 2)


def reliability(labels: np.ndarray, p: np.ndarray, bins: int = 10) -> dict[str, np.ndarray]:
    """Accuracy against the probability of the top label, in equal bins ``(low, high]`` of 0..1.

    With K classes the top label has at least 1/K, so the bins below stay empty.

    Returns
    -------
    low, high : float64 (bins,), edges.
    sources : int64 (bins,), how many fall inside.
    probability, accuracy : float64 (bins,), their mean top probability and the share that is right; nan in an empty bin.
    """
    labels, p = checked(labels, p)
    top, right = top_probability(p), is_right(labels, p)
    edges = np.arange(bins + 1) / bins  # divided, not linspace: 7/10 is the float that a reader writes as 0.7
    inside = np.searchsorted(edges, top, side="left") - 1
    sources = np.bincount(inside, minlength=bins)
    filled = np.where(sources > 0, sources, np.nan)
    return {
        "low": edges[:-1],
        "high": edges[1:],
        "sources": sources,
        "probability": np.bincount(inside, top, minlength=bins) / filled,
        "accuracy": np.bincount(inside, right, minlength=bins) / filled,
    }


def ece(labels: np.ndarray, p: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error of the top label: |accuracy - probability| per bin, weighted by sources, 0..1.

    Source: Guo et al. 2017, eq. 3. Biased upward in small samples: 153 sources of a perfect model do not score 0.
    """
    table = reliability(labels, p, bins)
    gap = np.abs(table["accuracy"] - table["probability"])
    return float(np.nansum(gap * table["sources"]) / table["sources"].sum())


def debiased_square(labels: np.ndarray, p: np.ndarray, bins: int = 10) -> float:
    """Mean squared gap of accuracy and probability of the top label in bins of equally many sources, without the bias of small samples.

    Of a perfect model it is 0 on average and not for every sample: it can be negative. Its root is on the scale of `ece`. Source: Kumar et
    al. 2019, "Verified Uncertainty Calibration", section 5: from each bin's square the variance of its accuracy, y (1 - y) / (n - 1).
    Sources of equal probability are in one bin, so that their order does not matter; a bin of one source, of which no variance is known,
    counts 0.
    """
    labels, p = checked(labels, p)
    top, right = top_probability(p), is_right(labels, p)
    starts = [part[0] for part in np.array_split(np.arange(len(top)), max(1, min(bins, len(top) // 2)))]
    inside = np.searchsorted(starts, np.searchsorted(np.sort(top), top), side="right") - 1
    square = 0.0
    for rows in (inside == place for place in np.unique(inside)):
        count, accuracy = int(rows.sum()), right[rows].mean()
        if count > 1:
            square += count * ((accuracy - top[rows].mean()) ** 2 - accuracy * (1 - accuracy) / (count - 1))
    return float(square / len(top))
