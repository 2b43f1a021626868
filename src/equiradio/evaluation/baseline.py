"""The baseline that looks at nothing but a source's angular size."""

from typing import TypedDict

import numpy as np

from equiradio.datasets.sources import Sources
from equiradio.errors import DataRefusal
from equiradio.labels import UNKNOWN


class SizeOnly(TypedDict):
    """See `size_only`; accuracies 0..1."""

    cut_arcsec: float
    larger_is: str
    training_accuracy: float
    accuracy: float
    training_sources: int
    sources: int


def size_only(training: Sources, test: Sources) -> SizeOnly:
    """A cut on angular size, chosen on the training sources by accuracy, scored on the test sources; hybrids are left out of both.

    FRII where the size is on the side of the cut where training sources are FRII more often; among equal cuts the lowest is taken.

    Returns
    -------
    ``cut_arcsec``, ``larger_is`` (FRI or FRII), ``training_accuracy``, ``accuracy``, ``training_sources``, ``sources``.
    """
    training, test = (part.choose(part.labels != UNKNOWN) for part in (training, test))
    for part in (training, test):
        if not np.isfinite(part.size_arcsec).all():
            raise DataRefusal(part.name, "sources without an angular size", "a size for every source", "Leave the size-only baseline out.")
    sizes = np.unique(training.size_arcsec)
    cuts = np.concatenate([[sizes[0] - 1], (sizes[1:] + sizes[:-1]) / 2, [sizes[-1] + 1]])
    larger_right = ((training.size_arcsec[None] > cuts[:, None]) == (training.labels == 1)).mean(axis=1)
    best = int(np.argmax(np.maximum(larger_right, 1 - larger_right)))
    larger_is_frii = bool(larger_right[best] >= 0.5)
    answers = (test.size_arcsec > cuts[best]) == larger_is_frii
    return {
        "cut_arcsec": float(cuts[best]),
        "larger_is": "FRII" if larger_is_frii else "FRI",
        "training_accuracy": float(max(larger_right[best], 1 - larger_right[best])),
        "accuracy": float((answers == (test.labels == 1)).mean()),
        "training_sources": len(training),
        "sources": len(test),
    }
