"""The residue: what is left of a map where symmetry should leave nothing, by harmonics around the source."""

from typing import TypedDict

import numpy as np
from scipy.ndimage import map_coordinates
from scipy.stats import wilcoxon

HARMONICS = 32
STEPS = 128  # directions around the source: four for each of the highest harmonic
WIDTHS = (3.0, 10.0, 30.0)  # pixels, full width at half maximum of the round sources


class PeakTest(TypedDict):
    """Median of an excess or of its differences, a one-sided p-value (None where all are 0), and how many sources."""

    median: float
    p_value: float | None
    sources: int


def polar(planes: np.ndarray, radii: np.ndarray, steps: int = STEPS) -> np.ndarray:
    """Planes (..., side, side) along circles about their centre: (..., radii, steps), counter-clockwise from the columns; cubic splines."""
    side = planes.shape[-1]
    angle = np.arange(steps) * 2 * np.pi / steps
    middle = (side - 1) / 2
    where = np.stack([middle - radii[:, None] * np.sin(angle), middle + radii[:, None] * np.cos(angle)])
    flat = planes.reshape(-1, side, side).astype(np.float64)
    return np.stack([map_coordinates(plane, where, order=3, mode="nearest") for plane in flat]).reshape(
        *planes.shape[:-2], len(radii), steps
    )


def angular_power(planes: np.ndarray, harmonics: int = HARMONICS) -> np.ndarray:
    """Power of each angular harmonic m = 0..32 around the centre: (..., side, side) -> (..., 33).

    c_m(r) = mean over phi of f(r, phi) exp(-i m phi); power of m > 0 counts m and -m; circles are weighted by their length. They go from
    3 pixels (inside, the grid has too few pixels for an angle) to the inscribed circle less 2.
    """
    side = planes.shape[-1]
    radii = np.arange(3.0, side / 2 - 2)
    waves = np.fft.rfft(polar(planes, radii), axis=-1)[..., : harmonics + 1] / STEPS
    power = (np.abs(waves) ** 2 * radii[:, None]).sum(-2) / radii.sum()
    power[..., 1:] *= 2
    return power


def shares(power: np.ndarray) -> np.ndarray:
    """Power of m = 1.. as shares of their sum: (..., harmonics + 1) -> (..., harmonics); zeros where there is no power."""
    total = power[..., 1:].sum(-1, keepdims=True)
    return power[..., 1:] / np.where(total > 0, total, 1)


def order_excess(power: np.ndarray, order: int) -> np.ndarray:
    """How far harmonics at multiples of ``order`` stand above their neighbours: (..., 33) -> (...,), mean of ln(P_m / sqrt(P_m-1 P_m+1)).

    0 for a spectrum that is smooth on a logarithmic scale, whatever its slope; above 0 for peaks at the group's order. From m = 2 on, so
    that neighbours have m >= 1.
    """
    top = power.shape[-1] - 2
    peaks = np.arange(order, top + 1, order) if order > 1 else np.arange(2, top + 1)
    logarithm = np.log(np.maximum(power, 1e-30))
    return (logarithm[..., peaks] - (logarithm[..., peaks - 1] + logarithm[..., peaks + 1]) / 2).mean(-1)


def peak_test(excess: np.ndarray, against: np.ndarray | None = None) -> PeakTest:
    """One-sided Wilcoxon signed-rank test, source by source, that the excess is above 0, or above that of another network."""
    difference = excess if against is None else excess - against
    p_value = float(wilcoxon(difference, alternative="greater").pvalue) if np.any(difference) else None
    return {"median": float(np.median(difference)), "p_value": p_value, "sources": len(difference)}


def round_sources(side: int, widths: tuple[float, ...] = WIDTHS, peak: float = 255.0) -> np.ndarray:
    """Gaussians at the centre, cut at 1/100 of their peak as MiraBest is at 3 sigma: float32 (widths, side, side).

    They look the same from every side, so a map of them that does not is residue and nothing else.
    """
    offset = np.arange(side) - (side - 1) / 2
    radius = np.hypot(offset[:, None], offset)
    planes = np.stack([np.exp(-4 * np.log(2) * (radius / width) ** 2) for width in widths])
    return (peak * np.where(planes >= 0.01, planes, 0)).astype(np.float32)
