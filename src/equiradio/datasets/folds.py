"""Folds: ``mirabest@2of5`` is MiraBest with the second of five folds of its training and validation sources as validation.

So that every label can be judged by a network that did not learn from it, and settings be chosen by more than one validation split.
"""

import re
import warnings
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from equiradio.datasets.imports.copies import near_copies
from equiradio.datasets.sources import Sources
from equiradio.datasets.splits import LINKING_ARCSEC, linked, neighbours
from equiradio.datasets.union import balanced, column_of
from equiradio.errors import DataRefusal

NAMED = re.compile(r"(?P<data>.+)@(?P<number>\d{1,6})of(?P<folds>\d{1,6})")
LEAST = 2  # folds
LEARNT = ("train", "validation")  # splits that are dealt into folds


class Fold(NamedTuple):
    """One of several: ``number`` from 1 to ``folds``."""

    number: int
    folds: int

    def __str__(self) -> str:
        return f"@{self.number}of{self.folds}"


def fold_of(name: str) -> tuple[str, Fold | None]:
    """A data set's name and the fold that it ends with; None where it ends with none, or something of the whole name is there.

    Raises
    ------
    DataRefusal : a fold that there is not.
    """
    named = None if Path(name).exists() else NAMED.fullmatch(name)
    if named is None:
        return name, None
    fold = Fold(int(named["number"]), int(named["folds"]))
    if fold.folds < LEAST or not 1 <= fold.number <= fold.folds:
        do = f"For example {named['data']}@1of5."
        raise DataRefusal("data", f"'{name}' names fold {fold.number} of {fold.folds}", f"@1ofN to @NofN, N of {LEAST} or more", do)
    return named["data"], fold


def in_fold(sources: Sources, fold: Fold) -> Sources:
    """Sources whose training and validation sources are dealt anew: those of one fold validate, all others train; test ones stay.

    Folds are alike in classes and confidence as far as groups of neighbours (`LINKING_ARCSEC`, or a field's size where that is more) let
    them, which stay in one fold. Neither the order of the sources nor the seed of a training moves any.

    Raises
    ------
    DataRefusal : a class with fewer groups of sources than there are folds.
    """
    rows = np.flatnonzero(np.isin(sources.split, LEARNT))
    rows = rows[np.argsort(sources.source_ids[rows], kind="stable")]
    learnt = sources.choose(rows)
    groups = _groups(learnt)
    _refuse_rare(learnt, groups, fold)
    split = sources.split.astype("<U10")
    split[rows] = np.where(_dealt(learnt, groups, fold.folds) == fold.number - 1, "validation", "train")
    weights = None if sources.weights is None else balanced(sources.labels, sources.catalogues, split == "train")
    return replace(sources, name=f"{sources.name}{fold}", split=split, weights=weights)


def _groups(sources: Sources) -> np.ndarray:
    """Number of every source's group, which neighbours share, and images that are nearly the same where some have no position."""
    ra_deg, dec_deg = (column_of([sources], name) for name in ("ra_deg", "dec_deg"))
    groups = neighbours(ra_deg, dec_deg, max(LINKING_ARCSEC, sources.recipe.size_arcsec or 0))
    return groups if np.isfinite(ra_deg + dec_deg).all() else linked(groups, near_copies(sources.images))


def _refuse_rare(sources: Sources, groups: np.ndarray, fold: Fold) -> None:
    """Refuse a class that could not be in every fold."""
    counts = {name: len(set(groups[sources.labels == place].tolist())) for place, name in enumerate(sources.classes)}
    if few := [f"{name} {count}" for name, count in counts.items() if count < fold.folds]:
        found = f"too few sources, or groups of neighbours, to train and validate: {', '.join(few)}"
        do = "Choose fewer folds, or other classes." if min(counts.values()) >= LEAST else "Choose other classes."
        raise DataRefusal(sources.where, found, f"{fold.folds} of each class for {fold.folds} folds", do)


def _dealt(sources: Sources, groups: np.ndarray, folds: int) -> np.ndarray:
    """The fold of every source, from 0: int (count,)."""
    from sklearn.model_selection import StratifiedGroupKFold

    strata = [f"{label} {sure}" for label, sure in zip(sources.labels.tolist(), sources.confidence.tolist(), strict=True)]
    fold = np.zeros(len(sources), int)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class")  # a rare kind of confidence is missing in some folds
        dealer = StratifiedGroupKFold(folds, shuffle=True, random_state=0)
        for number, (_, held) in enumerate(dealer.split(strata, strata, groups)):
            fold[held] = number
    return fold
