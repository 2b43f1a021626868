"""Sources: labelled images in memory, the one form that every data set takes."""

from dataclasses import dataclass, field, replace

import numpy as np

from equiradio.labels import FANAROFF_RILEY, Labels

SPLITS = ("train", "validation", "test")


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
    """

    name: str
    images: np.ndarray
    labels: np.ndarray
    source_ids: np.ndarray
    confidence: np.ndarray
    split: np.ndarray
    size_arcsec: np.ndarray
    md5: str
    classes: Labels = field(default=FANAROFF_RILEY)

    def __len__(self) -> int:
        return len(self.labels)

    def choose(self, rows: np.ndarray) -> "Sources":
        """The sources at these rows (indices or a mask), in that order."""
        columns = ("images", "labels", "source_ids", "confidence", "split", "size_arcsec")
        return replace(self, **{column: getattr(self, column)[rows] for column in columns})

    def of_split(self, split: str) -> "Sources":
        """The sources of one split."""
        return self.choose(self.split == split)
