"""Which images have the same pixels of the sky, and which by their names are other maps than an image of it."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from equiradio.sky.frames import unit_vectors
from equiradio.sky.positions import nominal_scale, on_sky

NEAR = 0.5  # pixels between the corners of two images, below which these are taken for the same
OTHER = re.compile(  # words in the names that CASA, WSClean, ASKAPsoft, PyBDSF, Aegean and surveys give to what lies beside an image
    r"(?<![a-z])(resid(?:ual)?s?|models?|component|noise|rms|weights?|wt|sumwt|mean|bkg|background|psf|dirty|mask|alpha|beta|spindex"
    r"|err(?:or)?s?|uncertainty|snr|sens(?:itivity)?|(?:tt|taylor)[^a-z0-9]?[1-9])(?![a-z0-9])"
)


def corners_of(wcs: Any, shape: Sequence[int]) -> np.ndarray:
    """Where the four corners of an image (height, width) lie: unit vectors side by side, float64 (12,), in pixels of the image."""
    height, width = shape
    with np.errstate(invalid="ignore"):
        places = unit_vectors(*on_sky(wcs, np.array([0, width - 1, 0, width - 1]), np.array([0, 0, height - 1, height - 1])))
    return places.ravel() / np.radians(nominal_scale(wcs) / 3600)


def same_pixels(corners: Mapping[int, np.ndarray]) -> list[list[int]]:
    """Groups of two images or more that have the same pixels, by their numbers."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    numbers = [number for number, places in corners.items() if np.isfinite(places).all()]
    if len(numbers) < 2:
        return []
    pairs = cKDTree([corners[number] for number in numbers]).query_pairs(NEAR, output_type="ndarray")
    links = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(len(numbers),) * 2)
    _, group = connected_components(links, directed=False)
    groups: dict[int, list[int]] = {}
    for number, which in zip(numbers, group.tolist(), strict=True):
        groups.setdefault(which, []).append(number)
    return [each for each in groups.values() if len(each) > 1]


def other_words(file: Path) -> list[str]:
    """The words in a file's name that say that it is another map than an image of the sky, such as residual, rms or alpha."""
    return sorted(set(OTHER.findall(re.sub("(?<=[a-z])(?=[A-Z])", ".", file.name).lower())))
