"""The linear reading of features that tells classes apart best: a logistic regression, its penalty chosen by cross-validation."""

import warnings
from typing import NamedTuple

import numpy as np

__all__ = ["LinearReading", "fit_reading"]

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)  # of the data against the penalty, which is over features of unit spread
FOLDS = 5


class LinearReading(NamedTuple):
    """logits (count, classes) = features (count, n) @ weight.T + constant; weight (classes, n), constant (classes,), float64."""

    weight: np.ndarray
    constant: np.ndarray


def fit_reading(features: np.ndarray, probabilities: np.ndarray, sources: np.ndarray) -> LinearReading | None:
    """Logistic regression with a quadratic penalty, whose strength has the least negative log-likelihood in cross-validation.

    Parameters
    ----------
    features : (views, n). A feature that is the same everywhere is not read.
    probabilities : of the classes, by view (views, classes); each row adds up to the weight of its view.
    sources : whom a view shows, int (views,): views of a source are in one fold.

    Returns
    -------
    None where fewer than two classes have two sources, which leaves nothing to choose by, and of features that are not finite.
    """
    if not np.isfinite(features).all():
        return None
    mean, spread = features.mean(0), features.std(0)
    read = spread > 1e-12 * np.abs(features).max(initial=1.0)
    scaled = (features[:, read] - mean[read]) / spread[read]
    rows, classes = np.nonzero(probabilities)  # a view of several classes counts for each by its share
    views = (scaled[rows], classes, probabilities[rows, classes], sources[rows])
    strength = _strength(*views) if read.any() else None
    if strength is None:
        return None
    by_class, offset = _fit(*views[:3], strength, probabilities.shape[1])
    weight = np.zeros((probabilities.shape[1], features.shape[1]))
    weight[:, read] = by_class / spread[read]
    return LinearReading(weight, offset - weight @ mean)


def _strength(features: np.ndarray, classes: np.ndarray, shares: np.ndarray, sources: np.ndarray) -> float | None:
    """The strength that says the most of sources that were not learned from."""
    from scipy.special import log_softmax
    from sklearn.model_selection import StratifiedGroupKFold

    sizes = [len(np.unique(sources[classes == place])) for place in np.unique(classes)]
    folds = min(FOLDS, *sorted(sizes)[-2:])
    if len(sizes) < 2 or folds < 2:
        return None
    cost, count = np.zeros(len(STRENGTHS)), int(classes.max()) + 1
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=0)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class")  # a rare one is missing in some folds
        splits = list(splitter.split(features, classes, sources))
    for learned, held in splits:
        if len(np.unique(classes[learned])) < 2:
            continue
        for place, strength in enumerate(STRENGTHS):
            weight, offset = _fit(features[learned], classes[learned], shares[learned], strength, count)
            logs = log_softmax(features[held] @ weight.T + offset, axis=1)
            cost[place] -= (shares[held] * logs[np.arange(len(held)), classes[held]]).sum()
    return STRENGTHS[int(cost.argmin())]


def _fit(features: np.ndarray, classes: np.ndarray, shares: np.ndarray, strength: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights (count, n) and constants (count,); a class that no view has is as improbable as one source among them would make it."""
    from sklearn.linear_model import LogisticRegression

    there = np.unique(classes)
    fit = LogisticRegression(C=strength, max_iter=5000).fit(features, classes, sample_weight=shares)
    weight, offset = np.zeros((count, features.shape[1])), np.full(count, -np.log(len(features)))
    if len(there) == 2:  # scikit-learn has one row for two classes
        weight[there], offset[there] = np.outer((-0.5, 0.5), fit.coef_[0]), np.array((-0.5, 0.5)) * fit.intercept_[0]
    else:
        weight[there], offset[there] = fit.coef_, fit.intercept_ - fit.intercept_.mean()
    return weight, offset
