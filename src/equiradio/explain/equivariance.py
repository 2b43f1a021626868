"""How far attention maps and answers are from turning with the sky: error against angle, the floor that interpolation sets, exact turns."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch

from equiradio.compute.poses import Poses, show

ANGLES = tuple(range(0, 95, 5))  # degrees; the rest of the circle follows from exact quarter turns
MARGIN = 1.0  # pixels at the rim of the inscribed circle that bilinear interpolation mixes with what lies outside

Answer = tuple[np.ndarray, np.ndarray]
Look = Callable[[np.ndarray], Answer]
"""Images (count, side, side) -> maps float (count, planes, side, side) and probabilities (count, classes)."""


class Turned(NamedTuple):
    """One angle: ``errors`` and ``floor`` (count, planes), ``shifts`` |p(Rx) - p(x)| (count,) and ``p`` (count, classes).

    ``residue`` (count, planes, side, side) is A(Rx) - R A(x) inside the circle and zero outside.
    """

    angle_deg: float
    errors: np.ndarray
    floor: np.ndarray
    shifts: np.ndarray
    p: np.ndarray
    residue: np.ndarray


def inscribed(side: int, margin: float = MARGIN) -> np.ndarray:
    """True inside the inscribed circle less ``margin`` pixels: bool (side, side)."""
    offset = np.arange(side) - (side - 1) / 2
    return np.hypot(offset[:, None], offset) <= side / 2 - margin


def turn(planes: np.ndarray, angle_deg: float) -> np.ndarray:
    """Planes (..., side, side) turned about their centre in the sense of `numpy.rot90`, float32, zero outside; quarter turns are exact."""
    quarters, rest = divmod(angle_deg, 90)
    if rest == 0:
        return np.rot90(planes, int(quarters), (-2, -1)).astype(np.float32)
    flat = torch.from_numpy(np.ascontiguousarray(planes, np.float32)).reshape(-1, *planes.shape[-2:])
    poses = Poses(np.full(len(flat), float(angle_deg)), np.zeros(len(flat), bool), np.ones(len(flat)))
    return show(flat, poses.matrices())[:, 0].numpy().reshape(planes.shape)


def shift(p: np.ndarray, other: np.ndarray) -> np.ndarray:
    """|p - other| of probabilities (..., classes): half the sum over classes, which of two classes is the shift of either."""
    return np.abs(p - other).sum(-1) / 2


def relative_error(planes: np.ndarray, expected: np.ndarray, scale: np.ndarray, where: np.ndarray) -> np.ndarray:
    """|planes - expected| / |scale| over the pixels ``where``: (..., side, side) -> (...,); 0/0 counts as 0."""
    size = np.linalg.norm(scale[..., where], axis=-1)
    return np.linalg.norm((planes - expected)[..., where], axis=-1) / np.where(size > 0, size, 1)


def errors_against_angle(look: Look, images: np.ndarray, angles: tuple[float, ...] = ANGLES) -> Iterator[Turned]:
    """E(theta) = |A(Rx) - R A(x)| / |A(x)| inside the inscribed circle, angle by angle.

    The images are first cut to the circle, since their corners leave the frame as they turn and would count as lost symmetry. ``floor`` is
    |R^-1 R A(x) - A(x)| / |A(x)|: what interpolation alone does to a map.
    """
    side = images.shape[-1]
    where, sky = inscribed(side), np.where(inscribed(side, 0), images, 0).astype(np.float32)
    maps, p = look(sky)
    for angle in angles:
        there, turned_p = look(turn(sky, angle)) if angle else (maps, p)
        expected = turn(maps, angle)
        yield Turned(
            angle,
            relative_error(there, expected, maps, where),
            relative_error(turn(expected, -angle), maps, maps, where),
            shift(turned_p, p),
            turned_p,
            np.where(where, there - expected, 0),
        )


def exact_turns(look: Look, images: np.ndarray, quarters: tuple[int, ...] = (1, 2, 3), mirror: bool = True) -> dict[str, np.ndarray]:
    """Largest |difference| of a map (0..1 scale) under quarter turns and a mirror of the columns, no interpolation, whole images.

    Returns
    -------
    ``quarter`` (quarters, count, planes), ``quarter_p`` (quarters, count) and, if asked, ``mirror`` (count, planes), ``mirror_p`` (count,).
    """
    maps, p = look(images)
    largest = lambda planes, expected: np.abs(planes - expected).max((-2, -1))
    turned = [look(np.ascontiguousarray(np.rot90(images, k, (-2, -1)))) for k in quarters]
    differences = {
        "quarter": np.stack([largest(there, np.rot90(maps, k, (-2, -1))) for k, (there, _) in zip(quarters, turned, strict=True)]),
        "quarter_p": np.stack([shift(there, p) for _, there in turned]),
    }
    if mirror:
        there, mirrored_p = look(np.ascontiguousarray(images[..., ::-1]))
        differences |= {"mirror": largest(there, maps[..., ::-1]), "mirror_p": shift(mirrored_p, p)}
    return differences
