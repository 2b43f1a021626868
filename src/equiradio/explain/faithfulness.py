"""Do the pixels that a map marks move the answer? Deletion and insertion with the image's own sky, and maps of randomised networks."""

from collections.abc import Callable
from typing import TypedDict

import numpy as np

from equiradio.evaluation import bootstrap
from equiradio.explain.ranking import FEWEST

EXACT, EXACT_SIGNS = 50, 13  # up to so many sources with ties signs are changed one by one: all of them of so many, else as many at random
FRACTIONS = (0.0025, 0.005, 0.01, 0.02, 0.04, 0.08)  # of the image's pixels; MiraBest sources light up one to three hundredths


class Lift(TypedDict):
    """Mean difference over a control, its 95 % interval over sources and the p-value of a two-sided test.

    None without sources, interval and p-value with fewer than `FEWEST`, of which no test could be significant.
    """

    lift: float | None
    low: float | None
    high: float | None
    p_value: float | None


def departure(attention: np.ndarray, lit: np.ndarray) -> np.ndarray:
    """|attention - its median on dark pixels|, map by map (count, side, side): high where a map differs from empty sky, up or down.

    The range of a gate is free to run either way: a network may mark a source by attending to it less than to the sky.
    """
    level = np.array([np.median(plane[~mask]) if not mask.all() else 0.0 for plane, mask in zip(attention, lit, strict=True)])
    return np.abs(attention - level[:, None, None]).astype(np.float32)


def sky_values(image: np.ndarray, islands: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A sky of the image's own background: every pixel drawn from those outside the islands, (height, width).

    MiraBest is raw zero below 3 sigma, so this sky is zero but for a rare noise pixel: pixels are replaced by what is common in the data,
    and not by an unheard-of grey.
    """
    background = image[~islands]
    return rng.choice(background, image.shape) if len(background) else np.zeros_like(image)


def ranking(plane: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Flat pixel numbers from the map's highest to its lowest; ties in random order, so that a flat map is a random one."""
    return np.lexsort((rng.random(plane.size), -plane.ravel()))


def deleted(image: np.ndarray, order: np.ndarray, count: int, sky: np.ndarray) -> np.ndarray:
    """The image with its first ``count`` pixels in ``order`` replaced by sky."""
    changed = image.copy().ravel()
    changed[order[:count]] = sky.ravel()[order[:count]]
    return changed.reshape(image.shape)


def inserted(image: np.ndarray, order: np.ndarray, count: int, sky: np.ndarray) -> np.ndarray:
    """The sky with the image's first ``count`` pixels in ``order`` put into it."""
    return deleted(sky, order, count, image)


def curves(
    probability: Callable[[np.ndarray], np.ndarray],
    image: np.ndarray,
    plane: np.ndarray,
    sky: np.ndarray,
    seed: int,
    fractions: tuple[float, ...] = FRACTIONS,
) -> tuple[np.ndarray, np.ndarray]:
    """Probability of the class first given, as pixels are deleted and as they are inserted, most attended first.

    Parameters
    ----------
    probability : images (count, height, width) -> probability (count,) of the class that the whole image gets.

    Returns
    -------
    deletion, insertion : float (fractions,). A faithful map has low deletion and high insertion values. Source: Petsiuk et al. 2018.
    """
    order = ranking(plane, np.random.default_rng(seed))
    counts = [round(fraction * image.size) for fraction in fractions]
    made = [make(image, order, count, sky) for make in (deleted, inserted) for count in counts]
    different, places = np.unique(np.stack(made).reshape(len(made), -1), axis=0, return_inverse=True)  # dark pixels change nothing
    answers = probability(different.reshape(-1, *image.shape))[places.ravel()]
    return answers[: len(counts)], answers[len(counts) :]


def paired_lift(ours: np.ndarray, control: np.ndarray, seed: int = 0) -> Lift:
    """Mean difference ours - control over sources, its 95 % bootstrap interval and the p-value of a two-sided Wilcoxon signed-rank test."""
    difference = (ours - control)[np.isfinite(ours - control)]
    if not len(difference):
        return {"lift": None, "low": None, "high": None, "p_value": None}
    mean = float(difference.mean())
    edges = bootstrap.of_mean(difference, seed) if len(difference) >= FEWEST else None
    if edges is None:
        return {"lift": mean, "low": None, "high": None, "p_value": None}
    return {"lift": mean, "low": edges[0], "high": edges[1], "p_value": signed_rank(difference)}


def signed_rank(difference: np.ndarray) -> float:
    """Two-sided p-value of Wilcoxon's signed-rank test, zeros left out, 1 without any other; of few sources exact, with ties too.

    The normal approximation makes four differences of 1 and none of -1 significant (0.046); exactly it is 0.125, as by McNemar's test.
    """
    from scipy.stats import PermutationMethod, wilcoxon

    sizes = abs(difference[difference != 0])
    if not len(sizes):
        return 1.0
    tied = len(sizes) <= EXACT and len(np.unique(sizes)) < len(sizes)
    method = PermutationMethod(n_resamples=2**EXACT_SIGNS, rng=np.random.default_rng(0)) if tied else "auto"
    return float(wilcoxon(difference[difference != 0], method=method).pvalue)


def similarity(one: np.ndarray, other: np.ndarray, where: np.ndarray) -> float:
    """Spearman rank correlation of two maps over the pixels ``where``, -1..1; 0 where one is flat."""
    from scipy.stats import rankdata

    a, b = (rankdata(plane[where]) for plane in (one, other))
    a, b = a - a.mean(), b - b.mean()
    size = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b / size) if size > 0 else 0.0
