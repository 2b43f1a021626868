"""What a team's card promises of its answers: sets of classes, and how right answers like one were where they were measured."""

import math
from typing import TypedDict


class Coverage(TypedDict, total=False):
    """How often a set held the true class (0..1), its exact 95 % interval, how many classes a set has, and shares of sources by that."""

    sources: int
    coverage: float | None
    interval95: list[float] | None
    mean_size: float
    empty: float
    single: float
    several: float
    single_accuracy: float | None


class ClassSets(TypedDict, total=False):
    """Sets of classes that hold the true one as often as ``level``, in each class; empty where they were not chosen.

    ``limits`` by class, on validation: it is in the set where its probability is 1 - limit or more. ``sources`` it was chosen by.
    ``test`` by class, and of all of them together as ``all``.
    """

    level: float
    limits: dict[str, float]
    sources: dict[str, int]
    test: dict[str, Coverage]


class AccuracyRow(TypedDict):
    """How right answers were about validation sources of one kind, and the low end of the 95 % interval.

    ``beam_arcsec`` that they were seen through, ``low`` (inclusive) to ``high`` beams across (None: without end), and whether they were
    answered or abstained from. ``low`` and ``high`` both None: of any size; ``answered`` None: both.
    """

    beam_arcsec: float
    low: float | None
    high: float | None
    answered: bool | None
    sources: int
    accuracy: float
    low95: float


class Expected(TypedDict, total=False):
    """Kinds of sources of which at least ``least_sources`` were measured; empty where none were."""

    least_sources: int
    rows: list[AccuracyRow]


def check_promises(sets: ClassSets, expected: Expected, names: tuple[str, ...]) -> None:
    """Raise ValueError for promises that no calibration makes; ``names`` of the classes."""
    limits = sets.get("limits", {})
    if limits and (set(limits) != set(names) or not all(0 <= limit <= 1 for limit in limits.values())):
        raise ValueError(f"limits of sets are {limits}, not 0 to 1 of each of {', '.join(names)}")
    for row in expected.get("rows", []):
        if not 0 <= row["low95"] <= row["accuracy"] <= 1 or not 0 < row["beam_arcsec"] < math.inf:
            raise ValueError(f"accuracy {row['accuracy']} with a low end of {row['low95']} through {row['beam_arcsec']} arcsec")
