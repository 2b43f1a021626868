"""What is chosen for a team on validation: poses, temperature, threshold, and how far the features of known sources reach.

Everything here is arithmetic on answers: logits (members, poses, sources, classes) and features (members, sources, features).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from equiradio.evaluation.calibration import is_right, nll, top_probability, unmasked

SELECTIVE = 0.95  # accuracy wanted of the sources that are not abstained from
FLAGGED = 3.0  # percent of cross-fitted validation sources beyond the reach, so that a test split of 153 stays below 5
WORTH = 0.005  # nats of validation likelihood that more poses must win to be worth their time
LOST = 0.005  # share of validation sources that a cascade may lose
POSES = (1, 2, 4, 8)  # numbers of poses that are tried
FOLDS = 10


def probabilities(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Softmax of logits (..., classes) over a temperature."""
    unmasked("answers", logits=logits)
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    with np.errstate(over="ignore"):
        if scaled.shape[-1] == 2:  # by the difference alone: exact where both are large
            second = 1 / (1 + np.exp(scaled[..., 0] - scaled[..., 1]))
            return np.stack([1 - second, second], -1)
        powers = np.exp(scaled - scaled.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def mean_probabilities(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """What members say together: logits (members, poses, sources, classes) -> (sources, classes)."""
    return np.asarray(probabilities(logits, temperature).mean((0, 1)))


def best_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Of lowest negative log-likelihood of the mean over member and pose; between exp(-2) and exp(2), 1 where no other is better."""
    from scipy.optimize import minimize_scalar

    loss = lambda log_t: nll(labels, mean_probabilities(logits, float(np.exp(log_t))))
    lowest = minimize_scalar(loss, bounds=(-2, 2), method="bounded")
    return float(np.exp(lowest.x)) if lowest.fun < loss(0.0) else 1.0


class Poses(NamedTuple):
    """How many poses, and the likelihood and temperature of every number of poses that was asked."""

    number: int
    nll: dict[str, float]
    temperatures: dict[int, float]

    @property
    def temperature(self) -> float:
        """That of the number chosen."""
        return self.temperatures[self.number]


def choose_poses(logits: np.ndarray, labels: np.ndarray, choices: Sequence[int] = POSES) -> Poses:
    """The fewest poses whose likelihood is within `WORTH` of the best; only so many as ``logits`` holds are tried."""
    tried = {count: best_temperature(logits[:, :count], labels) for count in choices if count <= logits.shape[1]}
    curve = {count: nll(labels, mean_probabilities(logits[:, :count], tried[count])) for count in tried}
    count = next(count for count in tried if curve[count] <= min(curve.values()) + WORTH)
    return Poses(count, {str(each): round(value, 5) for each, value in curve.items()}, tried)


def abstention(labels: np.ndarray, p: np.ndarray, least: float = 0.0) -> float:
    """The lowest top probability, not under ``least``, above which at least 95 % are right; 1 where there is none."""
    unmasked("abstention", labels=labels, probabilities=p)
    top, right = top_probability(p), is_right(labels, p)
    good = (level for level in np.unique(np.maximum(top, least)) if (top >= level).any() and right[top >= level].mean() >= SELECTIVE)
    return float(next(good, 1.0))


def sure_from(labels: np.ndarray, quick: np.ndarray, team: np.ndarray, usual: np.ndarray, least: float = 0.0) -> float:
    """The lowest top probability, not under ``least``, from which a quick team's answer may stand for that of a better one.

    The likelihood stays within `WORTH`, the accuracy within `LOST` of the better team's, which answers for the others and where a source is
    not ``usual`` to the quick one. Probabilities as `evaluation.calibration` takes them.
    """
    top = top_probability(quick)
    highest_nll, lowest_accuracy = nll(labels, team) + WORTH, is_right(labels, team).mean() - LOST
    for level in np.unique(np.maximum(top[usual], least)):
        both = cascaded(quick, team, (top >= level) & usual)
        if nll(labels, both) <= highest_nll and is_right(labels, both).mean() >= lowest_accuracy:
            return float(level)
    return 1.0


def cascaded(quick: np.ndarray, team: np.ndarray, sure: np.ndarray) -> np.ndarray:
    """The quick team's probabilities where it is ``sure``, else the other's."""
    return np.where(sure if quick.ndim == 1 else sure[:, None], quick, team)


class Reach(NamedTuple):
    """Mean (members, features), inverse covariance (members, features, features), and the distance beyond which a source is unusual.

    ``usual`` (sources,) : which of those that it was chosen by lie within, each left out of the fit.
    """

    centre: np.ndarray
    precision: np.ndarray
    reach: float
    usual: np.ndarray


def feature_reach(features: np.ndarray) -> Reach:
    """Mean and precision of each member's features; the reach from distances of sources held out of the fit, 10 folds."""
    from sklearn.model_selection import KFold

    held = np.zeros(features.shape[:2])
    folds = min(FOLDS, features.shape[1])
    for seen, out in KFold(folds, shuffle=True, random_state=0).split(features[0]):
        for member, vectors in enumerate(features):
            held[member, out] = squared_distance(vectors[out], *mean_and_precision(vectors[seen]))
    shapes = [mean_and_precision(vectors) for vectors in features]
    distance = np.sqrt(held.mean(0))
    reach = float(np.percentile(distance, 100 - FLAGGED))
    return Reach(np.array([shape[0] for shape in shapes]), np.array([shape[1] for shape in shapes]), reach, distance <= reach)


def mean_and_precision(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and inverse covariance of features (sources, features), shrunk (Ledoit & Wolf 2004) after scaling each to unit variance.

    A feature that hardly varies counts as a hundredth of the median, or else the least activity elsewhere would be infinitely far away.
    """
    from sklearn.covariance import LedoitWolf

    spread = vectors.std(0)
    scale = np.maximum(spread, 0.01 * np.median(spread) + 1e-9)
    shrunk = LedoitWolf().fit((vectors - vectors.mean(0)) / scale)
    return vectors.mean(0), shrunk.precision_ / np.outer(scale, scale)


def squared_distance(features: np.ndarray, centre: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """Mahalanobis distance, squared, of features (count, features). Source: Lee et al. 2018, without class conditions."""
    away = features - centre
    return np.maximum(np.einsum("ni,ij,nj->n", away, precision, away), 0.0)


def team_distance(features: np.ndarray, centre: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """Root of the members' mean squared distance, (members, count, features) -> (count,)."""
    each = [squared_distance(*member) for member in zip(features, centre, precision, strict=True)]
    return np.sqrt(np.mean(each, axis=0))
