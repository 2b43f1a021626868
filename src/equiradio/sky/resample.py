"""Pixels of an image on another grid: averaged over the area of each new pixel where the old are finer, bilinear where they are coarser.

Upright and of the same scale the two are the same, so nothing jumps where one takes over from the other. Pixels that are not
finite count as absent: a new pixel is the mean of the rest, and absent where less than half of it is covered.
"""

import numpy as np

ROWS = 20  # of the new grid at once, so that memory stays small for very fine pixels
COVERED = 0.5


def area_mean(pixels: np.ndarray, columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Mean over the area of each new pixel.

    Parameters
    ----------
    pixels : (height, width).
    columns, rows : float64 (new height + 1, new width + 1), where the corners of the new pixels lie; 0 is the centre of the first pixel.

    Returns
    -------
    float64 (new height, new width), nan where less than half is covered by finite pixels.
    """
    parts = [_band(pixels, columns[at : at + ROWS + 1], rows[at : at + ROWS + 1]) for at in range(0, len(rows) - 1, ROWS)]
    return np.concatenate(parts)


def bilinear(pixels: np.ndarray, columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Between the four nearest pixels, of those that are finite; nan where the nearest is not, or lies outside.

    Parameters
    ----------
    columns, rows : where the centres of the new pixels lie; 0 is the centre of the first pixel.
    """
    height, width = pixels.shape
    known = np.isfinite(columns) & np.isfinite(rows)
    columns, rows = np.where(known, columns, -9.0), np.where(known, rows, -9.0)
    column, row = np.floor(columns).astype(int), np.floor(rows).astype(int)
    total, weights = np.zeros(columns.shape), np.zeros(columns.shape)
    for right in (0, 1):
        for up in (0, 1):
            weight = np.abs(1 - right - columns + column) * np.abs(1 - up - rows + row)
            value = pixels[np.clip(row + up, 0, height - 1), np.clip(column + right, 0, width - 1)]
            weight = np.where(np.isfinite(value), weight, 0.0)
            total += weight * np.where(weight > 0, value, 0)
            weights += weight
    near_column, near_row = np.floor(columns + 0.5).astype(int), np.floor(rows + 0.5).astype(int)
    inside = (near_column >= 0) & (near_column < width) & (near_row >= 0) & (near_row < height)
    nearest = pixels[np.clip(near_row, 0, height - 1), np.clip(near_column, 0, width - 1)]
    return np.where(inside & np.isfinite(nearest), total / np.where(weights > 0, weights, 1), np.nan)


def _band(pixels: np.ndarray, columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """`area_mean` of some rows: integrals over quadrilaterals as sums along their edges (Green's theorem)."""
    empty = np.full((len(rows) - 1, rows.shape[1] - 1), np.nan)
    known = np.isfinite(columns) & np.isfinite(rows)
    if not known.any():
        return empty
    low = [max(0, int(np.floor(place[known].min())) - 1) for place in (rows, columns)]
    high = [int(np.ceil(place[known].max())) + 2 for place in (rows, columns)]
    part = pixels[low[0] : max(high[0], 0), low[1] : max(high[1], 0)]
    if 0 in part.shape:
        return empty
    u, v = np.where(known, columns + 0.5 - low[1], 0.0), np.where(known, rows + 0.5 - low[0], 0.0)
    finite = np.isfinite(part)
    integrals = [_integral(values, u, v) for values in (np.where(finite, part, 0).astype(float), finite.astype(float))]
    area = 0.5 * ((u[1:, 1:] - u[:-1, :-1]) * (v[1:, :-1] - v[:-1, 1:]) - (u[1:, :-1] - u[:-1, 1:]) * (v[1:, 1:] - v[:-1, :-1]))
    whole = known[1:, 1:] & known[:-1, :-1] & known[1:, :-1] & known[:-1, 1:]
    covered = whole & (integrals[1] / np.where(area == 0, np.inf, area) >= COVERED - 1e-9)
    return np.where(covered, integrals[0] / np.where(covered, integrals[1], 1), np.nan)


def _integral(values: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Integral of an image, constant within a pixel and 0 outside, over each cell of a grid of corners; signed as the cells' area."""
    sums = np.concatenate([np.zeros((len(values), 1)), values.cumsum(1)], 1)  # from the left edge to the left of each pixel
    along = _edges(sums, values, u[:, :-1], v[:, :-1], u[:, 1:], v[:, 1:])
    across = _edges(sums, values, u[:-1], v[:-1], u[1:], v[1:])
    return along[:-1] + across[:, 1:] - along[1:] - across[:, :-1]


def _edges(sums: np.ndarray, values: np.ndarray, u0: np.ndarray, v0: np.ndarray, u1: np.ndarray, v1: np.ndarray) -> np.ndarray:
    """Sum over each edge, cut where it meets pixel borders, of (integral from the left up to the edge) dv: exact, since linear between."""
    cuts = [np.zeros((1, *u0.shape)), _crossings(u0, u1), _crossings(v0, v1), np.ones((1, *u0.shape))]
    at = np.sort(np.concatenate(cuts), 0)
    middle, height = 0.5 * (at[1:] + at[:-1]), np.diff(at, axis=0) * (v1 - v0)
    u, v = u0 + middle * (u1 - u0), np.floor(v0 + middle * (v1 - v0)).astype(int)
    u = np.clip(u, 0, values.shape[1])
    column = np.minimum(u.astype(int), values.shape[1] - 1)
    row = np.clip(v, 0, len(values) - 1)
    left = sums[row, column] + (u - column) * values[row, column]
    return np.where(row == v, left * height, 0.0).sum(0)


def _crossings(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Where, from 0 to 1, an edge meets whole numbers; 0 or 1 for those it does not meet."""
    first = np.ceil(np.minimum(start, end))
    most = max(int((np.floor(np.maximum(start, end)) - first).max()) + 1, 0)
    step = end - start
    away = first + np.arange(most).reshape(-1, *[1] * start.ndim) - start
    return np.clip(away / np.where(step == 0, np.inf, step), 0.0, 1.0)
