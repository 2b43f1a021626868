"""Is attention on the source? Islands of lit pixels, pointing game, energy, average precision and ranks against truth."""

import numpy as np

from equiradio.sky.edges import BEAM_PIXELS
from equiradio.sky.segments import segments

TOLERANCE = 3  # pixels by which the pointing game may miss: one beam


def source_islands(image: np.ndarray, threshold: float = 0.0, pixels: int = BEAM_PIXELS) -> np.ndarray:
    """Connected groups of at least ``pixels`` pixels above ``threshold``: bool (height, width).

    MiraBest is raw zero below 3 sigma, so that on its images everything above 0 is above 3 sigma.
    """
    return segments(image, threshold, pixels) > 0


def near(mask: np.ndarray, pixels: int = TOLERANCE) -> np.ndarray:
    """The mask grown by ``pixels`` in every direction."""
    from scipy.ndimage import distance_transform_edt

    return distance_transform_edt(~mask) <= pixels if mask.any() else mask


def points_at(plane: np.ndarray, mask: np.ndarray, tolerance: int = TOLERANCE) -> float:
    """Pointing game: share of the map's highest pixels (one, unless they tie) that lie on the mask or within ``tolerance`` of it, 0..1.

    Source: Zhang et al. 2018, "Top-down neural attention by excitation backprop".
    """
    return float(near(mask, tolerance)[plane == plane.max()].mean())


def energy_inside(plane: np.ndarray, mask: np.ndarray) -> float:
    """Share of the map's sum (its negative part left out) that lies on the mask, 0..1; a flat map has the mask's area."""
    positive = np.maximum(plane, 0.0)
    total = positive.sum()
    return float(positive[mask].sum() / total) if total > 0 else float(mask.mean())


def precision_of(plane: np.ndarray, mask: np.ndarray) -> float:
    """Average precision of the map as a score of pixels against the mask: 1 for the mask itself, the mask's area for noise."""
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(mask.ravel(), plane.ravel())) if mask.any() else float("nan")


def rank_of(plane: np.ndarray, mask: np.ndarray, within: np.ndarray | None = None) -> float:
    """Mean percentile rank (0..1) of the map on the mask among the pixels ``within`` (all): 0.5 for noise; nan for an empty mask."""
    from scipy.stats import rankdata

    pool = np.ones(plane.shape, bool) if within is None else within
    inside = mask & pool
    if not inside.any():
        return float("nan")
    ranks = np.zeros(plane.shape)
    count = int(pool.sum())
    ranks[pool] = (rankdata(plane[pool]) - 0.5) / count
    return float(ranks[inside].mean())
