"""Does a map follow its source? Overlap of the brightest places of both, against controls that follow it not at all or exactly."""

from typing import TypedDict

import numpy as np

from equiradio.evaluation import bootstrap


class MeanOverlap(TypedDict):
    """Mean over sources, and its [low, high]."""

    mean: float
    interval95: list[float] | None


def overlap(maps: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Of each source: the share of its lit pixels among as many places of its map's highest values.

    It is 1 for the image itself and, on average, the lit share of the sky for a map that does not depend
    on the image. Scale and offset of a map do not matter. Ties at the edge are shared out.

    Parameters
    ----------
    maps : (sources, height, width), any scale.
    images : (sources, height, width), lit where above 0.

    Returns
    -------
    float64 (sources,), 0..1; nan for an empty image.
    """
    shares = np.full(len(images), np.nan)
    for row, (plane, image) in enumerate(zip(maps, images, strict=True)):
        lit = image.ravel() > 0
        count, values = int(lit.sum()), plane.ravel()
        if count:
            edge = np.partition(values, -count)[-count]
            above, level = values > edge, values == edge
            shares[row] = (lit & above).sum() + (lit & level).sum() * (count - above.sum()) / level.sum()
            shares[row] /= count
    return shares


def centred_gaussian(side: int) -> np.ndarray:
    """A round hill in the middle (side, side): only the order of its pixels counts, so its width does not."""
    rows, columns = np.indices((side, side)) - (side - 1) / 2
    return np.exp(-(rows**2 + columns**2) / (2 * (side / 6) ** 2))


def with_interval(values: np.ndarray, counts: np.ndarray) -> MeanOverlap:
    """Mean over sources and its 95 % bootstrap interval; sources without a value are left out, and without any there is neither."""
    defined = ~np.isnan(values)
    if not defined.any():
        return {"mean": np.nan, "interval95": None}
    means = counts[:, defined] @ values[defined] / np.maximum(counts[:, defined].sum(axis=1), 1)
    return {"mean": float(values[defined].mean()), "interval95": bootstrap.interval(means)}
