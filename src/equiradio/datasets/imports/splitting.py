"""Splits of imported sources: those of a column, or made so that every class is in each and neighbours stay on one side."""

import hashlib
from collections.abc import Sequence

import numpy as np

from equiradio.errors import DataRefusal
from equiradio.labels import Labels

HELD_BACK = 6  # one source of so many goes to validation, and another to test
LEAST = 3  # sources of a class: one for each split
WORDS = {"train": "train", "training": "train", "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation"}
WORDS |= {"test": "test", "testing": "test"}


def stated_split(words: Sequence[str], names: Sequence[str], labels: np.ndarray, classes: Labels, where: str) -> np.ndarray:
    """The splits that a column holds of sources, by their usual words.

    Raises
    ------
    DataRefusal : another word, or a class without a training or a validation source.
    """
    odd = [(word, name) for word, name in zip(words, names, strict=True) if word.lower() not in WORDS]
    if odd:
        found = f"split is '{odd[0][0]}' of source {odd[0][1]} ({len(odd):,} of {len(words):,} sources)"
        raise DataRefusal(where, found, "train, validation or test", "Correct the column, or name another by --split.")
    split = np.array([WORDS[word.lower()] for word in words])
    for name in ("train", "validation"):
        for place, label in enumerate(classes):
            if not ((split == name) & (labels == place)).any():
                counts = ", ".join(f"{each} {int((split == each).sum()):,}" for each in ("train", "validation", "test"))
                found = f"no {label} among the {name} sources ({counts})"
                raise DataRefusal(where, found, "some of every class", "Correct the column, or rename it to have splits made.")
    return split


def made_split(labels: np.ndarray, groups: np.ndarray, names: Sequence[str], classes: Labels, seed: int, where: str) -> np.ndarray:
    """About two thirds to train, a sixth each to validation and test, of every class at least half as many, no group on two sides.

    A hash of ``seed`` and of a group's first name is a number from 0 to 1: below a sixth the group goes to test, below a third to
    validation, else to train. So neither the order of sources nor others that are added move it. Two things do: a group of more than a
    sixth of a class trains, and where a class has too few in a split, groups of the nearest numbers go there.

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
    numbers, fits = _numbers(groups, names, seed), (members <= room).all(1)
    of_group = np.where(fits & (numbers < 2 / HELD_BACK), np.where(numbers < 1 / HELD_BACK, "test", "validation"), "train")
    least = {name: np.maximum(share // 2, 1) for name, share in (("test", room), ("validation", room), ("train", counts - 2 * room))}
    _fill_up(of_group, numbers, members, fits, least)
    split = of_group[groups]
    for name in ("train", "validation", "test"):
        for place, label in enumerate(classes):
            if not ((split == name) & (labels == place)).any():
                largest = int(np.bincount(groups).max())
                found = f"no {label} left for {name}: neighbours make groups of up to {largest:,} of {len(labels):,} sources"
                raise DataRefusal(where, found, "groups that fit into every split", "Lower --neighbours, or give a column of splits.")
    return split


def _numbers(groups: np.ndarray, names: Sequence[str], seed: int) -> np.ndarray:
    """Of every group a number from 0 to 1: a hash of ``seed`` and the first of its names."""
    first: dict[int, str] = {}
    for group, name in zip(groups.tolist(), names, strict=True):
        first[group] = min(name, first.get(group, name))
    digests = [hashlib.sha256(f"{seed} {first[group]}".encode()).digest() for group in range(len(first))]
    return np.array([int.from_bytes(digest[:8]) / 2**64 for digest in digests])


def _fill_up(of_group: np.ndarray, numbers: np.ndarray, members: np.ndarray, fits: np.ndarray, least: dict[str, np.ndarray]) -> None:
    """Move groups, those of the nearest numbers, to splits where a class has fewer than ``least``, without such a lack elsewhere.

    Validation alone may lack after it gave to test: it is filled next, so that sources go between test and train only where they must.
    """
    edges = {"test": (0, 1 / HELD_BACK), "validation": (1 / HELD_BACK, 2 / HELD_BACK), "train": (2 / HELD_BACK, 1)}
    for name, (low, high) in edges.items():
        nearest = np.argsort(np.maximum(low - numbers, numbers - high), kind="stable")
        for label in range(members.shape[1]):
            for group in nearest[members[nearest, label] > 0]:
                if members[of_group == name, label].sum() >= least[name][label]:
                    break
                giver = of_group[group]
                left = members[of_group == giver].sum(0) - members[group]
                spare = (name, giver) == ("test", "validation") or (left >= least[giver])[members[group] > 0].all()
                if giver != name and spare and (fits[group] or name == "train"):
                    of_group[group] = name
