"""Sources: labelled images in memory, as every data set gives them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from equiradio.errors import DataRefusal, SettingRefusal, nearest
from equiradio.labels import FANAROFF_RILEY, UNKNOWN, Labels, labels_of
from equiradio.sky.recipe import MIRABEST, Recipe

__all__ = ["Sources"]

SPLITS = ("train", "validation", "test")
COLUMNS = ("images", "labels", "source_ids", "confidence", "split", "size_arcsec")
OPTIONAL = ("ra_deg", "dec_deg", "masks", "catalogue", "weights", "soft")


SUM_TO_ONE = 1e-3  # how far soft labels may be from it


def pixel_hash(image: np.ndarray) -> str:
    """MD5 of an image's pixels: what is the same in two data sets, or twice in one."""
    return hashlib.md5(image.tobytes(), usedforsecurity=False).hexdigest()


def turned(images: np.ndarray, pose: int) -> np.ndarray:
    """Images (..., side, side) in one of eight poses: turned by quarters, from the fifth on mirrored."""
    return np.rot90(images[..., ::-1] if pose >= 4 else images, pose % 4, (-2, -1))


def turned_hash(image: np.ndarray) -> str:
    """The smallest `pixel_hash` of the eight poses: what is the same source, turned by quarters and mirrored too."""
    return min(pixel_hash(turned(image, pose)) for pose in range(8))


def check_soft(where: object, soft: np.ndarray, labels: np.ndarray | None, do: str) -> None:
    """Refuse soft labels (count, classes) that are no probabilities, do not add up to 1, or whose largest is not the label.

    Raises
    ------
    DataRefusal : with numbers.
    """
    outside = ~((soft >= 0) & (soft <= 1)).all(1)  # true for nan as well
    apart = np.abs(soft.sum(1) - 1) > SUM_TO_ONE
    for wrong, what, expected in (
        (outside, "soft labels outside 0 to 1", "probabilities"),
        (apart, f"soft labels that add up to {soft.sum(1)[apart][:1].round(4).tolist()}", "a sum of 1"),
    ):
        if wrong.any():
            words = f"{what} in row {int(np.flatnonzero(wrong)[0]) + 1} ({int(wrong.sum()):,} of {len(soft):,} rows)"
            raise DataRefusal(where, words, expected, do)
    if labels is not None and (other := soft[np.arange(len(soft)), labels] < soft.max(1)).any():
        words = f"the label is not the most probable class in row {int(np.flatnonzero(other)[0]) + 1} ({int(other.sum()):,} rows)"
        raise DataRefusal(where, words, "the largest of the soft labels", do)


class Check(NamedTuple):
    """The md5 that a file should have and what was there: its md5, or "missing", or that it is too large."""

    file: str
    expected: str
    actual: str


@dataclass(frozen=True)
class Sources:
    """Labelled radio sources.

    Attributes
    ----------
    name : data set, as on the command line.
    images : uint8 (count, height, width), raw pixels 0..255.
    labels : int64 (count,), place in ``classes``, -1 for a source that is none of them.
    source_ids : str (count,), unique.
    confidence : str (count,), "confident" or "uncertain".
    split : str (count,), "train", "validation" or "test".
    size_arcsec : float64 (count,), angular size; not a number where unknown.
    md5 : checksum that identifies the data set.
    classes : what the labels stand for.
    ra_deg, dec_deg : float64 (count,), position of the centre (ICRS); not a number where unknown, None where it is of no source.
    masks : uint8 (count, height, width), bits of the part that a pixel belongs to; None where unknown.
    catalogue : str (count,), who classified the source; None where it is the data set's own name for all.
    weights : float64 (count,), how often each is drawn in training, 1 as often as on average; None where all are alike.
    soft : float64 (count, classes), how probable each class is, adding up to 1; None where labels are certain. ``labels`` are the largest.
    folder : that they were read from, as it was named; empty where there is none.
    left_out : in a line each, what the data set holds and these are not, how many and why; and what else its import noted.
    recipe : by which the images were made.
    elsewhere : where the sources of a split are that is not here, and what to do; empty where there are none.
    """

    name: str
    images: np.ndarray
    labels: np.ndarray
    source_ids: np.ndarray
    confidence: np.ndarray
    split: np.ndarray
    size_arcsec: np.ndarray
    md5: str
    classes: Labels = FANAROFF_RILEY
    ra_deg: np.ndarray | None = None
    dec_deg: np.ndarray | None = None
    masks: np.ndarray | None = None
    catalogue: np.ndarray | None = None
    weights: np.ndarray | None = None
    soft: np.ndarray | None = None
    folder: str = ""
    left_out: tuple[str, ...] = ()
    elsewhere: str = ""
    recipe: Recipe = MIRABEST

    @property
    def catalogues(self) -> np.ndarray:
        """Who classified each source (count,): the data set's own name where nothing else is stated."""
        return np.full(len(self), self.name) if self.catalogue is None else self.catalogue

    @property
    def made_up(self) -> np.ndarray:
        """Which sources are of no sky, bool (count,): those of `simulated`, whose images nobody has copies of under another name."""
        return np.char.startswith(self.catalogues.astype(str), "simulated")

    @property
    def shares(self) -> np.ndarray:
        """How probable each class is, float64 (count, classes): the soft labels, or 1 for the label; 0 for a source of no class."""
        return np.eye(len(self.classes) + 1)[self.labels, :-1] if self.soft is None else self.soft

    @property
    def where(self) -> str:
        """What the user calls it: the folder, or the data set."""
        return self.folder or self.name

    def __len__(self) -> int:
        return len(self.labels)

    def choose(self, rows: np.ndarray) -> "Sources":
        """The sources at these rows (indices or a mask), in that order."""
        there = [*COLUMNS, *(name for name in OPTIONAL if getattr(self, name) is not None)]
        return replace(self, **{column: getattr(self, column)[rows] for column in there})

    def of_split(self, split: str) -> "Sources":
        """The sources of one split."""
        return self.choose(self.split == split)

    def only(self, names: Sequence[str]) -> "Sources":
        """The sources of these classes alone, labelled by their place among ``names``; all as they are where no name is given.

        Raises
        ------
        SettingRefusal : a name that is no class here, or fewer than two. DataRefusal : no source is of these classes.
        """
        if not names:
            return self
        for name in names:
            if name not in self.classes.names:
                found = f"'{name}' is no class of {self.where}"
                raise SettingRefusal("data.classes", found, str(self.classes), nearest(name, list(self.classes)))
        classes = labels_of(names, self.classes.unknown)
        place = np.full(len(self.classes) + 1, UNKNOWN)  # its last one is that of sources of no class
        place[[self.classes.names.index(name) for name in names]] = np.arange(len(names))
        labels = place[self.labels]
        soft = None if self.soft is None else self.soft[:, [self.classes.names.index(name) for name in names]]
        if soft is not None:
            soft = soft / np.maximum(soft.sum(1, keepdims=True), np.finfo(float).tiny)
        if not (labels != UNKNOWN).any():
            raise DataRefusal(self.where, f"none of {len(self):,} sources is {' or '.join(names)}", "at least one", "Choose other classes.")
        return replace(self, labels=labels, classes=classes, soft=soft).choose(labels != UNKNOWN)
