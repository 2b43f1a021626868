"""Two models compared over seeds and sources at once: a mixed model, in which both are random effects."""

from typing import NotRequired, TypedDict

import numpy as np

from equiradio.evaluation.compare import ALIKE, other_sources


class RandomEffects(TypedDict):
    """Mean difference of accuracies with what sources and seeds scatter it; ``p_holm`` as in `McNemar`.

    ``error`` : its standard error; ``from_seeds`` : the share of the squared error that the seeds bring.
    """

    difference: float
    error: float
    from_seeds: float
    freedom: float
    interval95: list[float]
    p: float
    p_holm: NotRequired[float]


def random_effects(first: np.ndarray, second: np.ndarray) -> RandomEffects | None:
    """Difference of two models' mean accuracies, as it holds for other seeds and other sources than these.

    Both are random effects: sources crossed with models, seeds nested in them. Variances are those of the balanced analysis of variance,
    that of the seeds 0 where it would fall below; degrees of freedom by Satterthwaite.

    Parameters
    ----------
    first, second : bool (seeds, sources), is each network right? The number of seeds may differ.

    Returns
    -------
    None where nothing is known of others: with fewer than two seeds of a model or fewer than two sources, or where neither sources nor
    seeds scatter the difference, as of a model that is right everywhere and one that is right nowhere. Source: Gallas, Pennello & Myers
    2007 (binary answers of readers about cases; seeds are the readers, nested in models).
    """
    if first.shape[1] != second.shape[1]:
        raise other_sources(first.shape[1], second.shape[1])
    if min(*first.shape, *second.shape) < 2:
        return None
    by_source = first.mean(axis=0) - second.mean(axis=0)
    sources, difference = len(by_source), float(by_source.mean())
    parts = [(float(by_source.var(ddof=1)) / sources, sources - 1)]  # a part of the squared error, and its degrees of freedom
    for answers in (first.astype(float), second.astype(float)):
        seeds, mean = len(answers), answers.mean(axis=1)
        rest = answers - mean[:, None] - answers.mean(axis=0) + mean.mean()
        degrees = (seeds - 1) * (sources - 1)
        noise = float((rest**2).sum()) / degrees
        between = float(mean.var(ddof=1))
        if between > noise / sources:
            parts += [(between / seeds, seeds - 1), (-noise / sources / seeds, degrees)]
    return _estimate(difference, parts)


def _estimate(difference: float, parts: list[tuple[float, int]]) -> RandomEffects | None:
    """What parts of the squared error, with their degrees of freedom, say of a difference; the first is that of the sources."""
    from scipy.stats import t

    squared = sum(part for part, _ in parts)
    error = float(np.sqrt(squared))
    if error <= ALIKE:
        return None
    from_seeds = 1 - parts[0][0] / squared
    freedom = squared**2 / sum(part**2 / degrees for part, degrees in parts)
    reach = float(t.ppf(0.975, freedom)) * error
    p = float(2 * t.sf(abs(difference) / error, freedom))
    edges = [difference - reach, difference + reach]
    return {"difference": difference, "error": error, "from_seeds": from_seeds, "freedom": freedom, "interval95": edges, "p": p}
