"""What a data set holds, in numbers: sources by split, class and catalogue, and what was left out."""

from typing import Any

import numpy as np

from equiradio.datasets.sources import SPLITS, Sources
from equiradio.datasets.union import guessed_by_catalogue
from equiradio.labels import UNKNOWN


def overview(sources: Sources) -> dict[str, Any]:
    """Counts of a data set, ready for JSON.

    Returns
    -------
    ``name``, ``sources``, ``md5``, ``side`` (pixels), ``splits`` and ``catalogues`` (each name -> class -> count), ``left_out`` (lines),
    and of a union ``guessed_by_catalogue``: balanced accuracy in training of a guess by the catalogue alone, of all sources ``alike`` and
    as they are ``drawn``.
    """
    about: dict[str, Any] = {
        "name": sources.name,
        "sources": len(sources),
        "md5": sources.md5,
        "side": int(sources.images.shape[-1]),
        "splits": {split: _by_class(sources, sources.split == split) for split in SPLITS if (sources.split == split).any()},
        "catalogues": {name: _by_class(sources, sources.catalogues == name) for name in np.unique(sources.catalogues).tolist()},
        "left_out": list(sources.left_out),
    }
    train = sources.of_split("train")
    if train.weights is not None and len(train):
        guess = lambda weights: round(guessed_by_catalogue(train.labels, train.catalogues, weights), 3)
        about["guessed_by_catalogue"] = {"alike": guess(np.ones(len(train))), "drawn": guess(train.weights)}
    return about


def _by_class(sources: Sources, rows: np.ndarray) -> dict[str, int]:
    """How many of these rows are of each class, and of none where there are such."""
    labels = sources.labels[rows]
    counts = {name: int((labels == place).sum()) for place, name in enumerate(sources.classes)}
    return counts | ({sources.classes.name_of(UNKNOWN): int((labels == UNKNOWN).sum())} if (labels == UNKNOWN).any() else {})
