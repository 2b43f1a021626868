"""Bootstrap over sources: 95 % percentile intervals of every score.

A source is drawn with all its passes, because a hundred views of one galaxy are still one galaxy; drawing predictions instead makes the
interval too narrow, by up to the square root of the number of passes. Scores of all resamples come from matrix products with the draws.
Where every resample scores the same, as where all sources are right, a bootstrap says nothing, and `interval_of` takes its place.
Source: Efron & Tibshirani 1993, ch. 13 (percentile interval), with clusters (sources) as the sampling unit.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from equiradio.errors import SettingRefusal
from equiradio.evaluation.calibration import most_probable
from equiradio.evaluation.shares import share_interval
from equiradio.labels import FANAROFF_RILEY, Labels

TAILS = (2.5, 97.5)  # percent
ALIKE = 1e-12  # resampled scores that differ by less are the same


def draw(sources: int, resamples: int, seed: int) -> np.ndarray:
    """How often each source is in each resample: float64 (resamples, sources), rows sum to `sources`; the same seed draws the same."""
    if resamples < 1:
        raise SettingRefusal("resamples", f"{resamples} resamples", "at least 1", "Use 2000 for an interval to two digits.")
    counts = np.random.default_rng(seed).multinomial(sources, np.full(sources, 1 / sources), size=resamples)
    return counts.astype(np.float64)  # matrix products of integers are slow; these counts are exact as floats


def pair_shares(fri: np.ndarray, frii: np.ndarray) -> np.ndarray:
    """Share of pass pairs in which an FRII source gets the higher p_frii; a tie counts half.

    Parameters
    ----------
    fri, frii : float64 (count_fri, passes) and (count_frii, passes), p_frii of the sources of each class.

    Returns
    -------
    float64 (count_fri, count_frii), 0..1; its mean is the pooled AUC (Mann-Whitney).
    """
    wins = np.empty((len(fri), len(frii)))
    for one, below in zip(wins, np.sort(fri, axis=1), strict=True):
        lower_or_half = np.searchsorted(below, frii, side="left") + np.searchsorted(below, frii, side="right")
        one[:] = lower_or_half.mean(axis=1) / (2 * len(below))
    return wins


def auc(labels: np.ndarray, p: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Area under the curve of every resample, (resamples,); nan where it lacks a class. Parameters as in `statistics`.

    Of more than two classes: the mean over classes of each against all others.
    """
    if p.ndim == 3:
        return np.mean([auc((labels == place).astype(int), p[..., place], counts) for place in range(p.shape[2])], axis=0)
    first, second = labels == 0, labels == 1
    drawn_first, drawn_second = counts[:, first], counts[:, second]
    pairs = drawn_first.sum(axis=1) * drawn_second.sum(axis=1)
    won = ((drawn_first @ pair_shares(p[first], p[second])) * drawn_second).sum(axis=1)
    return won / np.where(pairs > 0, pairs, np.nan)


def statistics(labels: np.ndarray, p: np.ndarray, counts: np.ndarray, classes: Labels = FANAROFF_RILEY) -> dict:
    """Every score of every resample, in the shape of `scores`.

    Parameters
    ----------
    labels : int64 (sources,), place of the class.
    p : float64 (sources, passes) of the second of two classes, or (sources, passes, classes), 0..1.
    counts : float64 (resamples, sources), from `draw`; a row of ones gives the point estimates.

    Returns
    -------
    Leaves are float64 (resamples,). AUC is nan in a resample that lacks a class, and so are the scores of the class it lacks; balanced
    accuracy and macro F1 are means over the classes that are there. A class that is there but never answered has precision 0, as in
    scikit-learn with ``zero_division=0``.
    """
    p = p[..., 1] if p.ndim == 3 and p.shape[2] == 2 else p
    passes = p.shape[1]
    top = most_probable(p, binary=p.ndim == 2)
    table: dict = {"accuracy": 0.0, "balanced_accuracy": None, "macro_f1": None, "auc": auc(labels, p, counts)}
    table |= {"f1": {}, "precision": {}, "recall": {}}
    for index, name in enumerate(classes):
        times = (top == index).sum(axis=1).astype(np.float64)
        hits, answered = counts @ (times * (labels == index)), counts @ times
        present = passes * (counts @ (labels == index))
        present = np.where(present > 0, present, np.nan)
        table["recall"][name] = hits / present
        # answered counts predictions: 0 or at least 1
        table["precision"][name] = np.where(np.isnan(present), np.nan, hits / np.maximum(answered, 1))
        table["f1"][name] = 2 * hits / (answered + present)
        table["accuracy"] = table["accuracy"] + hits / (passes * counts.sum(axis=1))
    table["balanced_accuracy"] = np.nanmean([*table["recall"].values()], axis=0)
    table["macro_f1"] = np.nanmean([*table["f1"].values()], axis=0)
    return table


def interval(values: np.ndarray) -> list[float] | None:
    """95 % percentile interval [low, high] of resampled values, nan left out; None where nothing is left."""
    defined = values[~np.isnan(values)]
    return [float(edge) for edge in np.percentile(defined, TAILS)] if len(defined) else None


def interval_of(values: np.ndarray, sources: int = 0) -> list[float] | None:
    """As `interval`, but where all resamples are alike, which says nothing of another sample, the exact one of a share, or None.

    ``sources`` : of how many the score is a share; 0 for other scores.
    """
    edges = interval(values)
    if edges is None or np.nanmax(values) - np.nanmin(values) > ALIKE:
        return edges
    whole = round(edges[0])
    return share_interval(whole * sources, sources) if sources and abs(edges[0] - whole) <= ALIKE else None


def of_mean(values: np.ndarray, seed: int = 0, resamples: int = 2000) -> list[float] | None:
    """95 % interval [low, high] of the mean of one value a source (sources,); None of one source, which says nothing of others.

    Its percentiles lie as much farther out than `TAILS` as Student's t asks for, since a bootstrap of few sources is too narrow. Source:
    Hesterberg 2015, "What teachers should know about the bootstrap", section 5.3 (expanded percentile interval).
    """
    from scipy.stats import norm, t

    sources = len(values)
    if sources < 2:
        return None
    drawn = np.random.default_rng(seed).integers(sources, size=(resamples, sources))
    low = norm.cdf(np.sqrt(sources / (sources - 1)) * t.ppf(TAILS[0] / 100, sources - 1))
    return [float(edge) for edge in np.quantile(values[drawn].mean(1), (low, 1 - low))]


def shares_of(labels: np.ndarray, p: np.ndarray, classes: Labels = FANAROFF_RILEY) -> dict:
    """Of how many sources each score is a share, in the shape of `scores`; 0 for those that are none. Parameters as in `statistics`."""
    top = most_probable(p, binary=p.ndim == 2)
    answered = {name: int((top == place).any(axis=1).sum()) for place, name in enumerate(classes)}
    nothing = {"balanced_accuracy": 0, "macro_f1": 0, "auc": 0, "f1": dict.fromkeys(classes, 0)}
    there = {name: int((labels == place).sum()) for place, name in enumerate(classes)}
    return {"accuracy": len(labels), **nothing, "precision": answered, "recall": there}


def intervals(labels: np.ndarray, p: np.ndarray, counts: np.ndarray, classes: Labels = FANAROFF_RILEY) -> dict:
    """The interval of every score, in the shape of `scores`. Parameters as in `statistics`.

    Of one answer a source accuracy, precision and recall are shares of independent sources, and have exact intervals: near 0 and 1
    percentiles of a bootstrap are too narrow.
    """
    shares = shares_of(labels, p, classes)
    edges = map_leaves(interval_of, statistics(labels, p, counts, classes), shares)
    if p.shape[1] > 1:
        return edges
    plain = lambda value, sources: sources and np.isfinite(value[0])
    exact = lambda value, sources, edge: share_interval(round(value[0] * sources), sources) if plain(value, sources) else edge
    return map_leaves(exact, statistics(labels, p, np.ones((1, len(labels))), classes), shares, edges)


def map_leaves(function: Callable[..., Any], *blocks: dict) -> dict:
    """``function`` of the leaves at the same place of blocks of scores."""
    return {
        key: map_leaves(function, *(block[key] for block in blocks)) if isinstance(value, dict) else function(*(b[key] for b in blocks))
        for key, value in blocks[0].items()
    }
