"""Pixels of an image on another grid: averaged over the area of each new pixel where the old are finer, bilinear where they are coarser.

Upright and of the same scale the two are the same, so nothing jumps where one takes over from the other. Pixels that are not
finite count as absent: a new pixel is the mean of the rest, and absent where less than half of it is covered.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np

from equiradio.sky import compiled

ROWS, OF_FINE = 60, 20  # of the new grid at once, so that memory stays small; fewer where a new pixel is wider than two old ones
COVERED = 0.5
NODES, CLOSE = 25, 1e-7  # places asked along each side of a grid, and pixels by which splines between them may be off

Places = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def on_grid(places: Places, columns: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``places`` of every pair of evenly spaced columns and rows: two arrays (rows, columns).

    Projections of the sky are smooth over a field, so they are asked at some places and splines go through these; where that is off
    between them (a seam of the map, distortions, a place that has no position), every one is asked.
    """
    nodes = [np.linspace(side[0], side[-1], NODES) for side in (columns, rows)]
    between = [(some[1:] + some[:-1]) / 2 for some in nodes]
    asked = [np.meshgrid(*some) for some in (nodes, between)]
    at = np.stack(places(*(np.append(some, more) for some, more in zip(*asked, strict=True))))
    if np.isfinite(at).all():
        values, exact = at[:, : NODES**2].reshape(2, NODES, NODES), at[:, NODES**2 :].reshape(2, NODES - 1, NODES - 1)
        if np.abs(_through(values, nodes, between) - exact).max() <= CLOSE:
            across, up = _through(values, nodes, [columns, rows])
            return across, up
    return places(*np.meshgrid(columns, rows))


def _through(values: np.ndarray, nodes: Sequence[np.ndarray], wanted: Sequence[np.ndarray]) -> np.ndarray:
    """Cubic splines through values (count, rows, columns), given at every pair of (columns, rows) ``nodes``, at every one of ``wanted``."""
    from scipy.interpolate import BSpline, make_interp_spline

    across = make_interp_spline(nodes[0], values, axis=2)
    coefficients = make_interp_spline(nodes[1], across.c, axis=2)(wanted[1])  # (columns' coefficients, count, rows)
    return np.asarray(BSpline(across.t, coefficients, across.k)(wanted[0]).transpose(1, 2, 0))


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
    wide = math.hypot(columns[0, 1] - columns[0, 0], rows[0, 1] - rows[0, 0])
    step = ROWS if wide <= 2 else OF_FINE
    parts = [_band(pixels, columns[at : at + step + 1], rows[at : at + step + 1]) for at in range(0, len(rows) - 1, step)]
    return np.concatenate(parts)


def bilinear(pixels: np.ndarray, columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Between the four nearest pixels, of those that are finite; nan where the nearest is not, or lies outside.

    Parameters
    ----------
    columns, rows : where the centres of the new pixels lie; 0 is the centre of the first pixel.
    """
    made = compiled.bilinear(pixels, columns, rows)
    return between(pixels, columns, rows) if made is None else made


def between(pixels: np.ndarray, columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """`bilinear` by numpy."""
    height, width = pixels.shape
    placed = (columns > -1) & (columns < width) & (rows > -1) & (rows < height)
    columns, rows = np.where(placed, columns, -1.0), np.where(placed, rows, -1.0)
    column, row = np.floor(columns).astype(int), np.floor(rows).astype(int)
    across = [(np.clip(column + right, 0, width - 1), np.abs(1 - right - columns + column)) for right in (0, 1)]
    along = [(np.clip(row + up, 0, height - 1) * width, np.abs(1 - up - rows + row)) for up in (0, 1)]
    flat, whole = np.ascontiguousarray(pixels).ravel(), bool(np.isfinite(pixels).all())
    total, weights = np.zeros(columns.shape), np.zeros(columns.shape)
    for column_at, across_weight in across:
        for row_at, along_weight in along:
            value, weight = flat.take(row_at + column_at), across_weight * along_weight
            if not whole:
                weight = np.where(np.isfinite(value), weight, 0.0)
                value = np.where(weight > 0, value, 0)
            total += weight * value
            weights += weight
    near_column, near_row = np.floor(columns + 0.5).astype(int), np.floor(rows + 0.5).astype(int)
    inside = (near_column >= 0) & (near_column < width) & (near_row >= 0) & (near_row < height)
    if not whole:
        inside &= np.isfinite(flat.take(np.clip(near_row, 0, height - 1) * width + np.clip(near_column, 0, width - 1)))
    return np.where(inside, total / np.where(weights > 0, weights, 1), np.nan)


def _band(pixels: np.ndarray, columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """`area_mean` of some rows: integrals over quadrilaterals as sums along their edges (Green's theorem)."""
    empty = np.full((len(rows) - 1, rows.shape[1] - 1), np.nan)
    placed = np.isfinite(columns) & np.isfinite(rows)
    if not placed.any():
        return empty
    low = [max(0, int(np.floor(place[placed].min())) - 1) for place in (rows, columns)]
    high = [int(np.ceil(place[placed].max())) + 2 for place in (rows, columns)]
    part = pixels[low[0] : max(high[0], 0), low[1] : max(high[1], 0)]
    if 0 in part.shape:
        return empty
    u, v = np.where(placed, columns + 0.5 - low[1], 0.0), np.where(placed, rows + 0.5 - low[0], 0.0)
    finite = np.isfinite(part)
    images = np.stack([np.where(finite, part, 0), finite]).astype(float)
    made = compiled.integrals(images, u, v)
    brightness, there = integrals(images, u, v) if made is None else made
    area = 0.5 * ((u[1:, 1:] - u[:-1, :-1]) * (v[1:, :-1] - v[:-1, 1:]) - (u[1:, :-1] - u[:-1, 1:]) * (v[1:, 1:] - v[:-1, :-1]))
    whole = placed[1:, 1:] & placed[:-1, :-1] & placed[1:, :-1] & placed[:-1, 1:]
    covered = whole & (there / np.where(area == 0, np.inf, area) >= COVERED - 1e-9)
    return np.where(covered, brightness / np.where(covered, there, 1), np.nan)


def integrals(images: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Integrals of images (count, height, width), constant within a pixel and 0 outside, over each cell of a grid of corners.

    (count, ...), signed as the cells' area.
    """
    sums = np.concatenate([np.zeros((*images.shape[:2], 1)), images.cumsum(2)], 2)  # from the left edge to the left of each pixel
    along = _edges(sums, images, u[:, :-1], v[:, :-1], u[:, 1:], v[:, 1:])
    across = _edges(sums, images, u[:-1], v[:-1], u[1:], v[1:])
    return along[:, :-1] + across[:, :, 1:] - along[:, 1:] - across[:, :, :-1]


def _edges(sums: np.ndarray, images: np.ndarray, u0: np.ndarray, v0: np.ndarray, u1: np.ndarray, v1: np.ndarray) -> np.ndarray:
    """Sums over each edge, cut where it meets pixel borders, of (integral from the left up to the edge) dv: exact, since linear between."""
    height, width = images.shape[1:]
    cuts = [np.zeros((1, *u0.shape)), _crossings(u0, u1), _crossings(v0, v1), np.ones((1, *u0.shape))]
    at = np.sort(np.concatenate(cuts), 0)
    middle, step = 0.5 * (at[1:] + at[:-1]), np.diff(at, axis=0) * (v1 - v0)
    u, v = u0 + middle * (u1 - u0), np.floor(v0 + middle * (v1 - v0)).astype(int)
    u = np.clip(u, 0, width)
    column = np.minimum(u.astype(int), width - 1)
    row = np.clip(v, 0, height - 1)
    step = np.where(row == v, step, 0.0)
    part = u - column
    return np.stack([((left[row, column] + part * image[row, column]) * step).sum(0) for left, image in zip(sums, images, strict=True)])


def _crossings(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Where, from 0 to 1, an edge meets whole numbers; 0 or 1 for those it does not meet."""
    first = np.ceil(np.minimum(start, end))
    most = max(int((np.floor(np.maximum(start, end)) - first).max()) + 1, 0)
    step = end - start
    away = first + np.arange(most).reshape(-1, *[1] * start.ndim) - start
    return np.clip(away / np.where(step == 0, np.inf, step), 0.0, 1.0)
