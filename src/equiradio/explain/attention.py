"""Attention maps at the scale of the image."""

from collections.abc import Callable

import numpy as np
import torch

from equiradio.data.augment import show, turned
from equiradio.data.preprocess import SIDE
from equiradio.inference.classifier import Classifier, chunks
from equiradio.inference.gates import combined_map, gate_maps

__all__ = ["ANGLES", "QUARTERS", "combined_map", "exact_quarter_turns", "gate_maps", "maps", "rotation_means"]

ANGLES = 36  # rotations over which class means are taken
QUARTERS = 4


def maps(classifier: Classifier, images: np.ndarray, *, raw: bool = False, batch: int = 32) -> np.ndarray:
    """Combined map of every image as it is: float32 (count, 150, 150)."""
    parts = [
        combined_map(classifier.look(images[slice(*rows)], raw=raw).attention).float().cpu().numpy() for rows in chunks(len(images), batch)
    ]
    return np.concatenate(parts)


def exact_quarter_turns(classifier: Classifier) -> bool:
    """Does the network commute with quarter turns to rounding? Then 4 rotations cost one pass."""
    group = classifier.group
    settings = getattr(classifier.network, "settings", None)
    return group is not None and group.rotations % QUARTERS == 0 and settings is not None and settings.side % 8 == 0


def rotation_means(
    classifier: Classifier,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    raw: bool = False,
    batch: int = 32,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> tuple[np.ndarray, np.ndarray]:
    """Mean map and mean image of each class over `ANGLES` uniform rotations of every source.

    Returns
    -------
    maps, images : float32 (2, 150, 150) each, for FRI and FRII; images in raw pixels.
    """
    exact = exact_quarter_turns(classifier)
    angles = np.arange(ANGLES // QUARTERS if exact else ANGLES) * 360.0 / ANGLES
    sums = torch.zeros(2, 2, SIDE, SIDE, dtype=torch.float64)
    done, total = 0, len(angles) * len(images)
    for label in (0, 1):
        for rows in chunks(int((labels == label).sum()), batch):
            some = images[labels == label][slice(*rows)]
            for angle in angles:
                pose = turned([angle] * len(some))
                output = classifier.look(some, pose, raw=raw)
                sums[0, label] += combined_map(output.attention).double().sum(0).cpu()
                sums[1, label] += show(torch.from_numpy(some), pose.matrices())[:, 0].double().sum(0)
                done += len(some)
                progress(done, total)
    if exact:
        sums = sum((torch.rot90(sums, turns, (-2, -1)) for turns in range(QUARTERS)), torch.zeros_like(sums)) / QUARTERS
    counts = torch.tensor([max(int((labels == label).sum()), 1) for label in (0, 1)])[None, :, None, None]
    means = (sums / (counts * len(angles))).float().numpy()
    return means[0], means[1]
