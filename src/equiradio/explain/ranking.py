"""Which map is better for sure: ranks from paired differences over sources, with intervals that hold for all comparisons at once."""

from typing import NamedTuple

import numpy as np

LEVEL = 0.95
FEWEST = 6  # sources in a comparison: fewer decide nothing


class Simultaneous(NamedTuple):
    """Mean differences (comparisons,) with intervals that hold all at once; nan with fewer than `FEWEST` sources."""

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


def simultaneous(differences: np.ndarray, level: float = LEVEL) -> Simultaneous:
    """Intervals of mean differences of (comparisons, sources), nan where a source was not measured; jointly at ``level``.

    Each is the mean plus and minus so many of its standard errors as Student's t of its own number of sources asks for at a level that is
    shared out among all comparisons (Bonferroni). Resampling, which would correct comparisons that go up and down together once, makes
    intervals far too narrow of a dozen sources: hundreds of comparisons then held together in one case of ten.
    """
    from scipy.stats import t

    there = np.isfinite(differences)
    count = there.sum(1)
    enough = count >= FEWEST
    values = np.where(there, differences, 0.0)
    mean = np.where(enough, values.sum(1) / np.maximum(count, 1), np.nan)
    apart = np.where(there, differences - mean[:, None], 0.0)
    error = np.sqrt((apart**2).sum(1) / np.maximum(count - 1, 1) / np.maximum(count, 1))
    wide = t.isf((1 - level) / 2 / max(int(enough.sum()), 1), np.maximum(count - 1, 1)) * error
    return Simultaneous(mean, mean - wide, mean + wide)


class Ranking(NamedTuple):
    """Maps ranked by measures.

    Attributes
    ----------
    means, sources : (measures, kinds); nan and 0 where a kind was not measured.
    rank : (measures, kinds), the middle of the possible ranks: from 1 + how many kinds are better for sure to all less how many are worse
        for sure, so that a kind measured on few sources stands in the middle and not in front; nan where not measured.
    lift, low, high : (measures, kinds, kinds), how much better the first kind is than the second, with its interval; signed so that
        positive is better, whatever the measure.
    comparisons : how many intervals hold together.
    """

    means: np.ndarray
    sources: np.ndarray
    rank: np.ndarray
    lift: np.ndarray
    low: np.ndarray
    high: np.ndarray
    comparisons: int

    @property
    def mean_rank(self) -> np.ndarray:
        """Of each kind (kinds,), over the measures that it has; nan without any."""
        measured = np.isfinite(self.rank)
        return np.where(measured.any(0), np.where(measured, self.rank, 0).sum(0) / np.maximum(measured.sum(0), 1), np.nan)


def ranked(values: np.ndarray, hands: np.ndarray) -> Ranking:
    """Rank kinds of maps by paired differences over sources.

    Parameters
    ----------
    values : (measures, kinds, sources), nan where not measured.
    hands : (measures,), 1 where higher is better and -1 where lower is.
    """
    measures, kinds, _ = values.shape
    signed = values * hands[:, None, None]
    first, second = np.triu_indices(kinds, 1)
    pairs = (signed[:, first] - signed[:, second]).reshape(measures * len(first), -1)
    made = simultaneous(pairs)
    lift, low, high = (np.full((measures, kinds, kinds), np.nan) for _ in range(3))
    mean, least, most = (each.reshape(measures, -1) for each in made)
    lift[:, first, second], low[:, first, second], high[:, first, second] = mean, least, most
    lift[:, second, first], low[:, second, first], high[:, second, first] = -mean, -most, -least
    there = np.isfinite(values)
    sources = there.sum(-1)
    means = np.where(sources > 0, np.where(there, values, 0).sum(-1) / np.maximum(sources, 1), np.nan)
    better, worse = (high < 0).sum(-1), (low > 0).sum(-1)
    ranked_kinds = (sources >= FEWEST).sum(-1, keepdims=True)
    rank = np.where(sources >= FEWEST, (1 + better + ranked_kinds - worse) / 2, np.nan)
    return Ranking(means, sources, rank, lift, low, high, int(np.isfinite(mean).sum()))
