"""Scores of each catalogue that a data set is made of: a mean over all can hide that a network has learned one catalogue's ways."""

from typing import cast

import numpy as np

from equiradio.evaluation.scores import Block, metrics
from equiradio.labels import UNKNOWN, Labels


def by_catalogue(predictions: dict[str, np.ndarray], catalogues: np.ndarray, seed: int, labels: Labels) -> dict[str, Block]:
    """Per source scores of every catalogue, as `equiradio.evaluation.scores.metrics` gives them; empty where there is one catalogue alone.

    Parameters
    ----------
    predictions : columns of a predictions table, pass by pass.
    catalogues : str (sources,), in the order of the sources in a pass.
    seed : of the bootstrap.
    """
    names = np.unique(catalogues).tolist()
    if len(names) < 2:
        return {}
    of_rows, blocks = np.tile(catalogues, len(predictions["label"]) // len(catalogues)), {}
    for name in names:
        rows = (of_rows == name) & (predictions["label"] != UNKNOWN)
        if rows.any():
            part = {column: values[rows] for column, values in predictions.items()}
            scored = metrics(part, data=name, split="", seed=seed, labels=labels)
            once = part["label"][part["pass"] == part["pass"].min()]
            of_class = {each: int((once == place).sum()) for place, each in enumerate(labels)}
            blocks[name] = cast(Block, {"sources": scored["sources"], "of_class": of_class, **(scored["per_source"] or {})})
    return blocks
