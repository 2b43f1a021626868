"""What answers are worth under one condition: accuracy, calibration, how many are answered and how right these are, with intervals."""

from itertools import pairwise
from typing import TypedDict, cast

import numpy as np

from equiradio.evaluation.bootstrap import draw, interval_of
from equiradio.evaluation.calibration import most_probable
from equiradio.evaluation.shares import share_interval

STRATA = (0.0, 5.0, 10.0, 20.0, np.inf)  # beams across
RESAMPLES, BINS = 2000, 10


class Score(TypedDict):
    """A score 0..1 and its [low, high], 95 % over sources; None where it is not defined, or resamples say nothing of it."""

    value: float | None
    interval95: list[float] | None


class Part(TypedDict):
    """Of some sources: how many, scores of all their answers, the share answered, and the share right of these; shares of flags by name.

    Calibration error is the expected one of 10 bins (Guo et al. 2017). Its interval and that of balanced accuracy are of a bootstrap;
    those of shares of sources are exact, since strata are small and shares near 0 and 1.
    """

    sources: int
    accuracy: Score
    balanced_accuracy: Score
    calibration_error: Score
    answered: Score
    right_of_answered: Score
    flags: dict[str, float]


class Stratum(TypedDict):
    """Sources of ``low`` (inclusive) to ``high`` beams across (None: without end)."""

    low: float
    high: float | None
    part: Part


class ConditionScores(TypedDict):
    """Under one condition: ``blank`` sources of which nothing stands out, which have no answer and count nowhere else."""

    condition: str
    blank: int
    all: Part | None
    strata: list[Stratum]


class Answered(TypedDict):
    """Columns of answers about sources of known class, all (count,) but ``p`` (count, classes); ``beams`` nan where unknown."""

    labels: np.ndarray
    p: np.ndarray
    answered: np.ndarray
    beams: np.ndarray
    flags: list[set[str]]


def scored(condition: str, answers: Answered, blank: int, seed: int = 0) -> ConditionScores:
    """Scores under a condition, of all sources and by beams across."""
    count, beams = len(answers["labels"]), answers["beams"]
    strata: list[Stratum] = []
    for low, high in pairwise(STRATA):
        inside = (beams >= low) & (beams < high)
        if inside.any():
            strata.append({"low": low, "high": None if np.isinf(high) else high, "part": part_of(answers, inside, seed)})
    whole = part_of(answers, np.ones(count, bool), seed) if count else None
    return {"condition": condition, "blank": blank, "all": whole, "strata": strata}


def part_of(answers: Answered, inside: np.ndarray, seed: int = 0, drawn: np.ndarray | None = None) -> Part:
    """Scores of the sources ``inside`` (count,), at least one; ``drawn`` as `bootstrap.draw` gives it of them, by ``seed`` if left out."""
    labels, p, answered = answers["labels"][inside], answers["p"][inside], answers["answered"][inside]
    right, top = most_probable(p) == labels, p.max(1)
    flags = [names for names, there in zip(answers["flags"], inside, strict=True) if there]
    drawn = draw(len(labels), RESAMPLES, seed) if drawn is None else drawn
    points, resampled = (_statistics(counts, labels, right, top) for counts in (np.ones((1, len(labels))), drawn))
    both = {name: _score(float(points[name][0]), interval_of(resampled[name])) for name in points}
    both |= {"accuracy": _share(right), "answered": _share(answered), "right_of_answered": _share(right[answered])}
    shares = {name: float(np.mean([name in each for each in flags])) for name in sorted(set().union(*flags))}
    return cast(Part, {"sources": len(labels), **both, "flags": shares})


def _share(hits: np.ndarray) -> Score:
    """Of sources (count,) that are hits or not; not defined without any."""
    return _score(float(hits.mean()), share_interval(hits.sum(), len(hits))) if len(hits) else _score(np.nan, None)


def _score(value: float, edges: list[float] | None) -> Score:
    return {"value": None if np.isnan(value) else value, "interval95": edges}


def _statistics(counts: np.ndarray, labels: np.ndarray, right: np.ndarray, top: np.ndarray) -> dict[str, np.ndarray]:
    """Scores that are no plain shares, for counts (resamples, sources) of how often each is drawn: (resamples,), nan where not defined."""
    present = [labels == place for place in np.unique(labels)]
    drawn = np.array([counts @ rows for rows in present])
    recalls = np.array([counts @ (right & rows) for rows in present]) / np.where(drawn > 0, drawn, np.nan)
    bins = np.clip(np.ceil(top * BINS).astype(int) - 1, 0, BINS - 1)
    gaps = np.zeros((len(labels), BINS))
    gaps[np.arange(len(labels)), bins] = right - top
    return {
        "balanced_accuracy": recalls.mean(0) if len(recalls) > 1 else np.full(len(counts), np.nan),
        "calibration_error": np.abs(counts @ gaps).sum(1) / counts.sum(1),
    }
