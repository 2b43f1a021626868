"""Calibration: do sources called FRII with 80 % turn out FRII in 80 % of cases?

All functions take one probability per source (averaged over passes): many passes of a source are not many sources.
"""

import numpy as np

from equiradio.errors import RunRefusal

THRESHOLD = 0.5  # p_frii at or above it says FRII
FLOOR = 1e-12  # the negative log-likelihood takes no probability as smaller, so one sure mistake costs at most 27.6 and not infinity


def checked(labels: np.ndarray, p_frii: np.ndarray, where: str = "predictions") -> tuple[np.ndarray, np.ndarray]:
    """Labels (count,) of 0 and 1, and finite probabilities (count,) in 0..1, as int64 and float64; `where` names them in a refusal.

    Raises
    ------
    RunRefusal : none at all, unequal lengths, other labels, or numbers that are not probabilities.
    """
    labels, p_frii = np.asarray(labels), np.asarray(p_frii, dtype=np.float64)
    if labels.ndim != 1 or labels.shape != p_frii.shape or not len(labels):
        found = f"labels {labels.shape} and p_frii {p_frii.shape}"
        raise RunRefusal(where, found, "two columns of one length, at least 1", "Check how the table was made.")
    strange = ~np.isin(labels, (0, 1))
    if strange.any():
        found = f"{strange.sum():,} of {len(labels):,} labels are neither FRI nor FRII"
        raise RunRefusal(where, found, "0 or 1", "Leave hybrids out: they have no FRI/FRII scores.")
    outside = ~((p_frii >= 0) & (p_frii <= 1))  # true for nan as well
    if outside.any():
        found = f"{outside.sum():,} of {len(p_frii):,} p_frii are not finite or outside 0..1"
        raise RunRefusal(where, found, "probabilities", "Evaluate the run again; if it stays, the training diverged.")
    return labels.astype(np.int64), p_frii


def nll(labels: np.ndarray, p_frii: np.ndarray) -> float:
    """Mean negative log-likelihood in nats; probabilities are clipped at 1e-12 (`FLOOR`)."""
    labels, p_frii = checked(labels, p_frii)
    return float(-np.log(np.maximum(np.where(labels == 1, p_frii, 1 - p_frii), FLOOR)).mean())


def brier(labels: np.ndarray, p_frii: np.ndarray) -> float:
    """Mean squared error of p_frii, 0..1: one class's term, half of Brier's original sum over both."""
    labels, p_frii = checked(labels, p_frii)
    return float(((p_frii - labels) ** 2).mean())


def reliability(labels: np.ndarray, p_frii: np.ndarray, bins: int = 10) -> dict[str, np.ndarray]:
    """Accuracy against the probability of the top label, in equal bins ``(low, high]`` of 0..1.

    With two classes the top label has at least 0.5, so the bins below stay empty.

    Returns
    -------
    low, high : float64 (bins,), edges.
    sources : int64 (bins,), how many fall inside.
    probability, accuracy : float64 (bins,), their mean top probability and the share that is right; nan in an empty bin.
    """
    labels, p_frii = checked(labels, p_frii)
    top = np.maximum(p_frii, 1 - p_frii)
    right = (p_frii >= THRESHOLD) == labels
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


def ece(labels: np.ndarray, p_frii: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error of the top label: |accuracy - probability| per bin, weighted by sources, 0..1.

    Source: Guo et al. 2017, eq. 3. Biased upward in small samples: 153 sources of a perfect model do not score 0.
    """
    table = reliability(labels, p_frii, bins)
    gap = np.abs(table["accuracy"] - table["probability"])
    return float(np.nansum(gap * table["sources"]) / table["sources"].sum())
