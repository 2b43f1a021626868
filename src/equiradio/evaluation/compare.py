"""Paired comparisons of models on the same sources: exact McNemar, bootstrap over sources, Holm, and what a test set could show at all."""

from typing import NotRequired, TypedDict

import numpy as np

from equiradio.errors import RunRefusal
from equiradio.evaluation.calibration import THRESHOLD, unmasked

ALPHA, POWER = 0.05, 0.8
ALIKE = 1e-12  # differences that scatter by less do not scatter


class McNemar(TypedDict):
    """Sources that one alone has right, and p; ``p_holm`` where it was corrected for a number of tests."""

    first_only: int
    second_only: int
    p: float
    p_holm: NotRequired[float]


class PairedBootstrap(TypedDict):
    """Mean difference of accuracies, its [low, high], and p; ``p_holm`` as in `McNemar`. None where no resample differs from another."""

    difference: float
    interval95: list[float] | None
    p: float | None
    p_holm: NotRequired[float | None]


class SmallestDifference(TypedDict):
    """See `smallest_difference`."""

    sources: int
    discordant: float
    alpha: float
    power: float
    difference: float | None


def right(labels: np.ndarray, p_frii: np.ndarray) -> np.ndarray:
    """Is the answer right? bool, of labels (sources,) and p_frii (sources,) or (runs, sources)."""
    unmasked("comparison", labels=labels, probabilities=p_frii)
    return (p_frii >= THRESHOLD) == (labels == 1)


def other_sources(first: object, second: object) -> RunRefusal:
    """What to say of models whose sources are not the same; how many each has."""
    return RunRefusal("comparison", f"{first} and {second} sources", "the same sources", "Evaluate both on the same split.")


def mcnemar_exact(first: np.ndarray, second: np.ndarray) -> McNemar:
    """Two-sided exact McNemar test of two models on the same sources.

    Only sources that one model has right and the other wrong say anything; if the models are equal, each of them is a fair coin.

    Parameters
    ----------
    first, second : bool (sources,), is each model right?

    Returns
    -------
    ``first_only``, ``second_only`` : sources that one alone has right; ``p``. Source: McNemar 1947, with binomial tails.
    """
    from scipy.stats import binomtest

    if first.shape != second.shape:
        raise other_sources(first.shape, second.shape)
    only, other = int((first & ~second).sum()), int((second & ~first).sum())
    p = float(binomtest(only, only + other, 0.5).pvalue) if only + other else 1.0
    return {"first_only": only, "second_only": other, "p": p}


def paired_bootstrap(difference: np.ndarray, counts: np.ndarray) -> PairedBootstrap:
    """Mean difference of two models over sources, its 95 % percentile interval, and a two-sided p-value.

    Parameters
    ----------
    difference : float (sources,), of each source the first model's share of seeds that are right less the second's.
    counts : float64 (resamples, sources), from `bootstrap.draw`.

    Returns
    -------
    ``difference``, ``interval95``, ``p``: twice the share of resamples on the far side of 0, ties counted half, at least 1/resamples.
    The latter two are None where the difference is the same of all sources: resamples say nothing of others then.
    """
    if np.ptp(difference) <= ALIKE:
        return {"difference": float(difference.mean()), "interval95": None, "p": None}
    means = np.round(counts @ difference / counts.sum(axis=1), 12)  # sums that cancel leave rounding
    below, above = ((sign * means > 0).mean() + (means == 0).mean() / 2 for sign in (-1, 1))
    low, high = np.percentile(means, [2.5, 97.5])
    p = min(1.0, max(2 * min(below, above), 1 / len(means)))
    return {"difference": float(difference.mean()), "interval95": [float(low), float(high)], "p": float(p)}


def holm(p_values: list[float]) -> list[float]:
    """p-values corrected for their number by Holm's step-down method, in the order given, at most 1. Source: Holm 1979."""
    order = np.argsort(p_values, kind="stable")
    scaled = [(len(p_values) - rank) * p_values[place] for rank, place in enumerate(order)]
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum(np.maximum.accumulate(scaled), 1) if scaled else []
    return [float(p) for p in corrected]


def mcnemar_power(sources: int, difference: float, discordant: float, alpha: float = ALPHA) -> float:
    """Chance that the exact McNemar test finds a true difference.

    Parameters
    ----------
    sources : how many are tested.
    difference : true difference of the accuracies, 0..discordant.
    discordant : share of sources that exactly one of the two models has right.
    """
    from scipy.stats import binom

    share = (discordant + difference) / (2 * discordant)
    numbers = np.arange(1, sources + 1)
    # the largest k with 2 P(X <= k) <= alpha, for X of a fair coin; -1 where there is none
    edge = binom.ppf(alpha / 2, numbers, 0.5)
    edge = np.where(2 * binom.cdf(edge, numbers, 0.5) <= alpha, edge, edge - 1)
    power = binom.cdf(edge, numbers, share) + binom.sf(numbers - edge - 1, numbers, share)
    return float((binom.pmf(numbers, sources, discordant) * power).sum())


def smallest_difference(sources: int, discordant: float, *, alpha: float = ALPHA, power: float = POWER) -> SmallestDifference:
    """The least true difference of two accuracies that a paired test on so many sources would find with this power.

    ``difference`` is None where even a difference as large as ``discordant`` would not be found, as where no two answers differ.
    """
    low, high = 0.0, discordant
    reached = discordant > 0 and mcnemar_power(sources, high, discordant, alpha) >= power
    while reached and high - low > 1e-5:  # the power grows with the difference
        middle = (low + high) / 2
        low, high = (low, middle) if mcnemar_power(sources, middle, discordant, alpha) >= power else (middle, high)
    return {
        "sources": sources,
        "discordant": discordant,
        "alpha": alpha,
        "power": power,
        "difference": high if reached else None,
    }


def smallest_unpaired(sources: int, accuracy: float) -> float:
    """The least difference that two accuracies near ``accuracy`` show on two separate sets of so many sources (normal, 5 %, 80 %)."""
    from scipy.stats import norm

    reach = norm.ppf(1 - ALPHA / 2) + norm.ppf(POWER)
    return float(reach * np.sqrt(2 * accuracy * (1 - accuracy) / sources))
