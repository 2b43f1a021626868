"""Segments: connected pixels above a threshold."""

import numpy as np


def segments(light: np.ndarray, threshold: float, pixels: int) -> np.ndarray:
    """Groups of at least ``pixels`` pixels above ``threshold`` that touch by edge or corner: int (height, width), 0 outside, else 1, 2 ...

    nan is above nothing. They are those of photutils' `detect_sources`, whose import takes as long as a whole network's answers.
    """
    from scipy.ndimage import label

    labels, _ = label(np.nan_to_num(light, nan=-np.inf) > threshold, np.ones((3, 3)))
    sizes = np.bincount(labels.ravel())
    stays = sizes >= pixels
    stays[0] = False
    return (np.cumsum(stays) * stays)[labels]
