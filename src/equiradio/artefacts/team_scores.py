"""Scores that a team's card holds, by split and by part of it."""

from typing import Literal, NotRequired, TypedDict

PartName = Literal["all", "answered", "confident", "uncertain"]
ScoreName = Literal["accuracy", "auc"]


class ValidationScores(TypedDict, total=False):
    """On the split that everything was chosen on; empty where nothing was. Shares 0..1, likelihoods in nats."""

    sources: int
    nll_before: float
    nll_after: float
    ece_after: float
    accuracy: float
    selective_accuracy: float | None
    coverage: float


class Measured(TypedDict):
    """A score 0..1 and its [low, high], 95 % over sources; None where it is not defined, or resamples say nothing of it."""

    value: float | None
    interval95: list[float] | None


class PartScores(TypedDict):
    """Of a part of the sources."""

    sources: int
    accuracy: Measured
    auc: Measured


class SplitScores(TypedDict, total=False):
    """On the split that was looked at once; empty where it was not. A part without sources is not there."""

    all: PartScores
    answered: PartScores
    confident: PartScores
    uncertain: PartScores
    coverage: float
    unusual: float
    nll_before: float
    nll_after: float
    brier: float
    ece: float


def measured(test: SplitScores, part: PartName, score: ScoreName) -> Measured | None:
    """A test score of a part; None where it was not measured."""
    of_part = test.get(part)
    return None if of_part is None else of_part[score]


class CascadeScores(TypedDict):
    """Of a cascade on a split: share of sources that the larger team was asked about; both are scored on all of them.

    ``answered`` : share that neither abstains from, ``selective_accuracy`` of these. Older cards have neither.
    """

    sources: int
    asked: float
    answered: NotRequired[float]
    selective_accuracy: NotRequired[float | None]
    accuracy: float
    nll: float
    team_accuracy: float
    team_nll: float
