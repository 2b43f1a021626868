"""Splits of imported sources: those of a column, or made so that every class is in each and neighbours stay on one side."""

from collections.abc import Sequence

import numpy as np

from equiradio.datasets.splits import fitting_groups
from equiradio.errors import DataRefusal
from equiradio.labels import Labels

HELD_BACK = 6  # one source of so many goes to validation, and another to test
LEAST = 3  # sources of a class: one for each split
WORDS = {"train": "train", "training": "train", "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation"}
WORDS |= {"test": "test", "testing": "test"}


def stated_split(words: Sequence[str], labels: np.ndarray, classes: Labels, where: str) -> np.ndarray:
    """The splits that a column holds, by their usual words.

    Raises
    ------
    DataRefusal : another word, or a class without a training or a validation source.
    """
    odd = [place for place, word in enumerate(words, 1) if word.lower() not in WORDS]
    if odd:
        found = f"split is '{words[odd[0] - 1]}' in row {odd[0]} ({len(odd):,} of {len(words):,} rows)"
        raise DataRefusal(where, found, "train, validation or test", "Correct the column, or name another by --split.")
    split = np.array([WORDS[word.lower()] for word in words])
    for name in ("train", "validation"):
        for place, label in enumerate(classes):
            if not ((split == name) & (labels == place)).any():
                counts = ", ".join(f"{each} {int((split == each).sum()):,}" for each in ("train", "validation", "test"))
                found = f"no {label} among the {name} sources ({counts})"
                raise DataRefusal(where, found, "some of every class", "Correct the column, or rename it to have splits made.")
    return split


def made_split(labels: np.ndarray, groups: np.ndarray, classes: Labels, seed: int, where: str) -> np.ndarray:
    """Two thirds to train, a sixth each to validation and test, of every class at least one, no group on two sides.

    Groups are visited in an order by ``seed``, and go to test and then to validation while all their classes have room there.

    Raises
    ------
    DataRefusal : a class with fewer than three sources, or groups so large that a class is not in every split.
    """
    counts = np.bincount(labels, minlength=len(classes))
    if (counts < LEAST).any():
        few = ", ".join(f"{name} {count}" for name, count in zip(classes, counts, strict=True) if count < LEAST)
        raise DataRefusal(
            where, f"too few sources of {few}", f"{LEAST} of each class, one for each split", "Add some, or choose --classes."
        )
    members = np.zeros((groups.max(initial=-1) + 1, len(classes)), int)
    np.add.at(members, (groups, labels), 1)
    room = np.maximum(np.round(counts / HELD_BACK).astype(int), 1)
    of_group = np.full(len(members), "train", dtype="<U10")
    for number, name in enumerate(("test", "validation")):
        free = np.flatnonzero(of_group == "train")
        of_group[free[fitting_groups(members[free], room, [seed, number])]] = name
    split = of_group[groups]
    for name in ("train", "validation", "test"):
        for place, label in enumerate(classes):
            if not ((split == name) & (labels == place)).any():
                largest = int(np.bincount(groups).max())
                found = f"no {label} left for {name}: neighbours make groups of up to {largest:,} of {len(labels):,} sources"
                raise DataRefusal(where, found, "groups that fit into every split", "Lower --neighbours, or give a column of splits.")
    return split
