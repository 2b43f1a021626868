"""Shapes of simulated radio galaxies: what an FRI and an FRII are made of, as circular Gaussians, before any telescope looks.

A shape is drawn about its host at (0, 0) along the column axis; lengths are in FIRST pixels of 1.8 arcsec. Source: Fanaroff & Riley (1974):
an FRI is brightest in the inner half of its arms and fades outward, an FRII is brightest toward its outer ends. The ranges of the random
numbers are ours: chosen by eye and by `benchmarks/simulated_difficulty.py` so that the classes overlap in everything but this.
"""

from dataclasses import dataclass
from enum import IntFlag

import numpy as np

from equiradio.sky.recipe import MIRABEST

BEAM_SIGMA = (
    MIRABEST.beam_arcsec / MIRABEST.scale_arcsec / np.sqrt(8 * np.log(2))
)  # pixels; the FIRST beam is 5.4 arcsec wide at half maximum
STEP = 1.5  # pixels between the Gaussians of an arm: close enough to leave no ripple behind the beam


class Part(IntFlag):
    """Which component a pixel belongs to; the plumes of an FRI are LOBE, everything between its core and its plumes is JET."""

    CORE = 1
    JET = 2
    HOT_SPOT = 4
    LOBE = 8


@dataclass(frozen=True)
class Blobs:
    """Circular Gaussians: position (n, 2) (row, column) and width (n,) before the beam in pixels, flux and part (flags) (n,)."""

    position: np.ndarray
    width: np.ndarray
    flux: np.ndarray
    part: np.ndarray


def join(pieces: list[Blobs]) -> Blobs:
    """All pieces as one set of Gaussians."""
    return Blobs(*(np.concatenate([getattr(piece, name) for piece in pieces]) for name in ("position", "width", "flux", "part")))


def spot(row: float, column: float, width: float, peak: float, part: Part) -> Blobs:
    """One Gaussian whose brightness behind the beam peaks at `peak`."""
    return Blobs(np.array([[row, column]]), np.array([width]), np.array([peak * (width**2 + BEAM_SIGMA**2)]), np.array([part], np.uint8))


def ridge(position: np.ndarray, width: np.ndarray, brightness: np.ndarray, step: float, part: np.ndarray) -> Blobs:
    """Gaussians along a path, with a given brightness on its spine behind the beam.

    In the units of `spot`, where a Gaussian of flux F and width s peaks at F / s^2, a line of flux f per pixel is sqrt(2 pi) f / s bright.
    """
    return Blobs(position, width, brightness * np.sqrt(width**2 + BEAM_SIGMA**2) * step / np.sqrt(2 * np.pi), part)


def clumps(rng: np.random.Generator, count: int, strength: float) -> np.ndarray:
    """Positive factors (count,) with a median of about 1 that neighbours share: knots of a jet, patches of a lobe."""
    rough = rng.normal(size=count + 2)
    return np.exp(strength * (rough[:-2] + rough[1:-1] + rough[2:]) / np.sqrt(3))


def frayed(rng: np.random.Generator, path: np.ndarray, width: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A path (n, 2) and its widths (n,) with each Gaussian thinner and off its place, so that the edge of a plume or lobe is ragged."""
    return path + rng.normal(0, 0.55, path.shape) * width[:, None], width * rng.uniform(0.6, 1, len(width))


def fri(rng: np.random.Generator, length: float) -> Blobs:
    """An FRI about `length` pixels long: core, two bending jets that fade outward, plumes; straight, wide-angle or narrow-angle tails."""
    # radians by which both jets leave the axis to one side: hardly, as a wide-angle tail, as a narrow-angle tail
    bend = rng.choice([rng.normal(0, 0.12), rng.uniform(0.35, 0.8), rng.uniform(0.9, 1.35)], p=[0.6, 0.28, 0.12])
    decay, plume, spread = rng.uniform(0.15, 0.6), np.exp(rng.normal(-1.3, 0.6)), rng.uniform(0.4, 0.9)
    curl, start, dip = rng.normal(0, 0.45), rng.uniform(0, 0.46), rng.uniform(0, 0.9)
    arms = np.array([1, rng.uniform(0.55, 1)]) * length / 2
    gain = np.array([1, np.exp(-abs(rng.normal(0, 0.5)))])[rng.permutation(2)]
    core = rng.choice([rng.uniform(0, 0.3), rng.uniform(0.3, 1), rng.uniform(1, 2.5)], p=[0.45, 0.4, 0.15])
    pieces = [spot(0, 0, 0, core, Part.CORE)]
    for side, arm, weight in zip((1, -1), arms, gain, strict=True):
        count = max(8, int(np.ceil(arm / STEP)))
        along = (np.arange(count) + 0.5) / count
        turn = bend * np.sqrt(along) + side * curl * along + rng.normal(0, 0.35) * along**2
        path = np.stack([np.cumsum(np.sin(turn)), side * np.cumsum(np.cos(turn))], 1) * arm / count
        path, width = frayed(rng, path, 0.4 + spread * length**0.55 * along ** rng.uniform(0.7, 1.4))
        fade = np.exp(-np.maximum(along - start, 0) / decay) * (1 - dip * np.maximum(1 - along / start, 0))
        flare = plume * np.exp(-0.5 * ((along - 0.85) / 0.15) ** 2)
        bright = weight * (fade + flare) * clumps(rng, count, 0.35)
        knot = int(start * count)  # a compact flare point, so that compactness alone does not make an FRII
        if rng.random() < 0.6:
            pieces.append(
                spot(path[knot, 0], path[knot, 1], rng.uniform(0.1, 0.42) * length**0.5, weight * rng.uniform(0.2, 1.2), Part.JET)
            )
        pieces.append(ridge(path, width, bright, arm / count, np.where(flare > fade, Part.LOBE, Part.JET).astype(np.uint8)))
    return join(pieces)


def frii(rng: np.random.Generator, length: float) -> Blobs:
    """An FRII about `length` pixels long: hot spots at its ends, lobes that flow back toward the core, at times a core and a faint jet."""
    lobe, fat = np.exp(rng.normal(-0.8, 0.7)), rng.uniform(0.25, 0.6)
    arms = np.array([1, rng.uniform(0.5, 1)]) * length / 2
    gain = np.array([1, np.exp(-abs(rng.normal(0, 0.8)))])[rng.permutation(2)]
    bend, pieces = rng.normal(0, 0.15), []
    if rng.random() < 0.6:
        core = rng.choice([rng.uniform(0.02, 0.3), rng.uniform(0.3, 1.3)], p=[0.7, 0.3])
        pieces.append(spot(0, 0, 0, core, Part.CORE))
    for side, arm, weight in zip((1, -1), arms, gain, strict=True):
        tip, tilt, back = arm * rng.uniform(0.64, 1), bend + rng.normal(0, 0.1), rng.uniform(0.3, 1)
        hot = rng.uniform(0.1, 0.42) * length**0.5
        pieces.append(spot(tip * np.sin(tilt), side * tip * np.cos(tilt), hot, weight, Part.HOT_SPOT))
        count = max(6, int(np.ceil(2 * arm * back / STEP)))
        along = 1 - (np.arange(count) + 0.5) / count * back
        drift = rng.normal(0, 0.08) * (1 - along)
        path = arm * np.stack([along * np.sin(tilt) + drift, side * along * np.cos(tilt)], 1)
        path, width = frayed(rng, path, 0.4 + fat * length**0.65 * np.sqrt((1 - along) / back))
        bright = weight**0.5 * lobe * np.exp(-(1 - along) / rng.uniform(0.3, 1.2)) * clumps(rng, count, 0.35)
        pieces.append(ridge(path, width, bright, arm * back / count, np.full(count, Part.LOBE, np.uint8)))
    if rng.random() < 0.3:
        count = max(4, int(np.ceil(arms[0] / STEP)))
        along = np.linspace(0.05, 0.85, count)
        path = arms[0] * np.stack([along * np.sin(bend), along * np.cos(bend)], 1)
        bright = rng.uniform(0.05, 0.3) * clumps(rng, count, 0.4)
        pieces.append(ridge(path, np.full(count, 0.4), bright, arms[0] * 0.8 / count, np.full(count, Part.JET, np.uint8)))
    return join(pieces)


def turned(blobs: Blobs, angle: float, mirror: bool, row: float, column: float) -> Blobs:
    """The shape mirrored, turned by `angle` (radians, from columns toward rows) and put at (row, column)."""
    rows, columns = blobs.position[:, 0] * (-1 if mirror else 1), blobs.position[:, 1]
    turned_rows = row + np.cos(angle) * rows + np.sin(angle) * columns
    turned_columns = column - np.sin(angle) * rows + np.cos(angle) * columns
    return Blobs(np.stack([turned_rows, turned_columns], 1), blobs.width, blobs.flux, blobs.part)


def rendered(blobs: Blobs, side: int) -> np.ndarray:
    """Brightness behind the beam of each part: (4 parts, side, side), in the order of `Part`."""
    sigma = np.sqrt(blobs.width**2 + BEAM_SIGMA**2)[:, None]
    rows, columns = (np.exp(-0.5 * ((np.arange(side) - blobs.position[:, axis, None]) / sigma) ** 2) for axis in (0, 1))
    rows *= blobs.flux[:, None] / sigma**2
    picture = np.zeros((len(Part), side, side))
    for layer, part in zip(picture, Part, strict=True):
        chosen = blobs.part == part
        # einsum without `optimize` adds in a fixed order and calls no BLAS, so that threads cannot change a pixel
        np.einsum("kr,kc->rc", rows[chosen], columns[chosen], out=layer)
    return picture
