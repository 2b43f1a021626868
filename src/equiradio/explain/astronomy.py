"""As astronomers do: peaks on both sides of the core, the inner half, and the ratio of Fanaroff & Riley (1974).

Lengths in pixels; the core is the image's centre, where MiraBest has the host galaxy.
"""

from typing import NamedTuple, TypedDict

import numpy as np

from equiradio.explain.islands import rank_of

BEAM_RADIUS = 1.5  # pixels: half of FIRST's beam
BOUNDARY = 0.5  # peak separation over extent: below is FRI, at or above FRII. Source: Fanaroff & Riley 1974
REACH = 1.3  # islands farther out than this times half the catalogued size belong to other sources


class Shape(NamedTuple):
    """Distance between the brightest pixels of the two sides, widest extent, their ratio, and each side's distance from the core."""

    separation: float
    extent: float
    ratio: float
    distances: tuple[float, float]


class Correlation(TypedDict):
    """Spearman's rho and its p-value; None with fewer than 4 pairs or a constant list."""

    rho: float | None
    p_value: float | None
    sources: int


class Agreement(TypedDict):
    """Share of equal answers, Cohen's kappa, Fisher's exact p-value that two classifications are independent, their 2 x 2 table."""

    share: float
    kappa: float | None
    p_value: float
    table: list[list[int]]
    sources: int


def own_pixels(islands: np.ndarray, size_arcsec: float, scale_arcsec: float) -> np.ndarray:
    """The islands' pixels within reach of the catalogued size; all where size or scale (0) is unknown or nothing would be left."""
    offset = np.arange(islands.shape[-1]) - (islands.shape[-1] - 1) / 2
    if not (np.isfinite(size_arcsec) and scale_arcsec):
        return islands
    reach = max(REACH * size_arcsec / scale_arcsec / 2, 5.0)
    own = islands & (np.hypot(offset[:, None], offset) <= reach)
    return own if own.sum() >= 2 else islands


def shape(plane: np.ndarray, pixels: np.ndarray) -> Shape | None:
    """Peaks of a plane on both sides of the core, along the main axis of ``pixels``; None with fewer than 3 pixels.

    The side's peak is the brightest pixel whose projection on the main axis (through the core) is at or beyond half a pixel on that side.
    A source with light on one side only has separation 0.
    """
    if pixels.sum() < 3:
        return None
    places = _places(pixels)
    extent = max(_widest(places), 1.0)
    peaks = side_peaks(plane, pixels)
    if len(peaks) < 2:
        return Shape(0.0, extent, 0.0, (0.0, 0.0))
    separation = float(np.linalg.norm(peaks[0] - peaks[1]))
    distances = tuple(float(np.linalg.norm(peak)) for peak in peaks)
    return Shape(separation, extent, separation / extent, (distances[0], distances[1]))


def _places(pixels: np.ndarray) -> np.ndarray:
    """Rows and columns of pixels from the image's centre, (count, 2)."""
    return np.argwhere(pixels) - (np.array(pixels.shape) - 1) / 2


def side_peaks(plane: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Places (2, 2) from the centre of a plane's highest pixels on both sides of the core; empty where one side has no pixel."""
    places, values = _places(pixels), plane[pixels]
    axis = np.linalg.eigh(places.T @ places)[1][:, 1]
    sides = [np.flatnonzero(hand * (places @ axis) >= 0.5) for hand in (1, -1)]
    if not all(len(side) for side in sides):
        return np.empty((0, 2))
    return np.array([places[side[values[side].argmax()]] for side in sides])


def marked(plane: np.ndarray, image: np.ndarray, pixels: np.ndarray) -> tuple[float, float]:
    """Mean percentile rank (0..1) of a map, among a source's pixels, on its core and on the image's peaks of both sides; 0.5 for noise.

    The core is within a beam's radius of the centre, a peak within as much of the image's highest pixel of its side; nan without any.
    """
    rows, columns = (np.arange(side) - (side - 1) / 2 for side in pixels.shape)
    near = lambda place: np.hypot(rows[:, None] - place[0], columns - place[1]) <= BEAM_RADIUS
    peaks = side_peaks(image, pixels) if pixels.sum() >= 3 else np.empty((0, 2))
    hot = np.any([near(place) for place in peaks], 0) if len(peaks) else np.zeros(pixels.shape, bool)
    return rank_of(plane, near((0, 0)), pixels), rank_of(plane, hot, pixels)


def holm(p_values: np.ndarray) -> np.ndarray:
    """P-values corrected for their number by Holm 1979; nan stays and does not count."""
    there = np.flatnonzero(np.isfinite(p_values))
    order = there[np.argsort(p_values[there], kind="stable")]
    corrected = p_values.astype(float).copy()
    corrected[order] = np.minimum(np.maximum.accumulate(p_values[order] * np.arange(len(order), 0, -1)), 1)
    return corrected


def _widest(places: np.ndarray) -> float:
    """Widest extent over 18 directions, pixels."""
    angle = np.deg2rad(np.arange(0, 180, 10))
    return float(np.ptp(places @ np.stack([np.sin(angle), np.cos(angle)]), axis=0).max()) + 1


def inner_share(plane: np.ndarray, pixels: np.ndarray, extent: float) -> float:
    """Share of the plane's sum over ``pixels`` that lies in its inner half, within extent / 4 of the core; nan without any."""
    offset = np.arange(plane.shape[-1]) - (plane.shape[-1] - 1) / 2
    inside = pixels & (np.hypot(offset[:, None], offset) <= extent / 4)
    total = plane[pixels].sum()
    return float(plane[inside].sum() / total) if total > 0 else float("nan")


def correlation(one: np.ndarray, other: np.ndarray) -> Correlation:
    """Of the pairs of two lists where both are finite."""
    from scipy.stats import spearmanr

    both = np.isfinite(one) & np.isfinite(other)
    if both.sum() < 4 or np.ptp(one[both]) == 0 or np.ptp(other[both]) == 0:
        return {"rho": None, "p_value": None, "sources": int(both.sum())}
    test = spearmanr(one[both], other[both])
    return {"rho": float(test.statistic), "p_value": float(test.pvalue), "sources": int(both.sum())}


def agreement(one: np.ndarray, other: np.ndarray) -> Agreement:
    """How often two classifications (0 or 1) agree."""
    from scipy.stats import fisher_exact

    table = [[int(((one == a) & (other == b)).sum()) for b in (0, 1)] for a in (0, 1)]
    count = len(one)
    same = float((one == other).mean()) if count else float("nan")
    chance = sum(float((one == label).mean() * (other == label).mean()) for label in (0, 1)) if count else 0.0
    kappa = (same - chance) / (1 - chance) if chance < 1 and count else None
    return {"share": same, "kappa": kappa, "p_value": float(fisher_exact(table).pvalue), "table": table, "sources": count}
