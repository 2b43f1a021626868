"""Attention maps at the scale of the image."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from equiradio.compute.poses import Poses, show, turned
from equiradio.inference.gate_maps import combined_map, gate_maps
from equiradio.inference.member import Member, chunks

ANGLES = 36  # rotations over which class means are taken
QUARTERS = 4
SQUARE = 3  # pixels of an image to a side of a pixel in the means of single sources; turns and mirrors move squares onto squares


def maps(member: Member, images: np.ndarray, *, raw: bool = False, batch: int = 32) -> np.ndarray:
    """Combined map of every image as it is: float32 (count, side, side)."""
    return np.concatenate([_one_map(member, images[slice(*rows)], raw=raw).float().cpu().numpy() for rows in chunks(len(images), batch)])


def _one_map(member: Member, images: np.ndarray, poses: Poses | None = None, *, raw: bool = False) -> Tensor:
    gates = gate_maps(member.look(images, poses, raw=raw).attention, images.shape[-1])
    return combined_map(gates, member.network.anchored)


def exact_quarter_turns(member: Member) -> bool:
    """Does the network commute with quarter turns to rounding? Then 4 rotations cost one pass."""
    group, network = member.group, member.network
    return group is not None and group.rotations % QUARTERS == 0 and network.gate_count > 0 and network.side % 8 == 0


class RotationMeans(NamedTuple):
    """Means over `ANGLES` uniform rotations.

    maps, images : float32 (classes, side, side) each, mean map and mean image of every class; images in raw pixels.
    of_sources : float32 (count, 50, 50), mean map of every source, averaged over squares of `SQUARE` pixels; see `squares`.
    """

    maps: np.ndarray
    images: np.ndarray
    of_sources: np.ndarray


def rotation_means(
    member: Member,
    images: np.ndarray,
    labels: np.ndarray,
    classes: int = 2,
    *,
    raw: bool = False,
    batch: int = 32,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> RotationMeans:
    """Mean map and mean image of each class, and mean map of each source, over `ANGLES` uniform rotations.

    Source by source a difference between classes can be tested: its null moves whole sources from class to class. A network that
    commutes with quarter turns is asked for a quarter of the angles. Source: Bowles et al. 2021, figure 3.
    """
    exact = exact_quarter_turns(member)
    angles = np.arange(ANGLES // QUARTERS if exact else ANGLES) * 360.0 / ANGLES
    side = images.shape[-1]
    count, edge = squares(side)
    sums = torch.zeros(2, classes, side, side, dtype=torch.float64)
    of_sources = torch.zeros(len(images), count, count, dtype=torch.float64)
    done, total = 0, len(angles) * len(images)
    for label in range(classes):
        own = np.flatnonzero(labels == label)
        for piece in chunks(len(own), batch):
            rows = own[slice(*piece)]
            for angle in angles:
                pose = turned([angle] * len(rows))
                planes = _one_map(member, images[rows], pose, raw=raw).double().cpu()
                sums[0, label] += planes.sum(0)
                sums[1, label] += show(torch.from_numpy(images[rows]), pose.matrices())[:, 0].double().sum(0)
                of_sources[torch.from_numpy(rows)] += F.avg_pool2d(planes[:, None, edge : side - edge, edge : side - edge], SQUARE)[:, 0]
                done += len(rows)
                progress(done, total)
    if exact:
        sums, of_sources = _over_quarters(sums), _over_quarters(of_sources)
    counts = torch.tensor([max(int((labels == label).sum()), 1) for label in range(classes)])[None, :, None, None]
    means = (sums / (counts * len(angles))).float().numpy()
    return RotationMeans(means[0], means[1], (of_sources / len(angles)).float().numpy())


def squares(side: int) -> tuple[int, int]:
    """How many squares lie along the middle of an even side, and how many pixels are left at each end: as many at both."""
    count = side // SQUARE
    count -= (side - SQUARE * count) % 2
    return count, (side - SQUARE * count) // 2


def _over_quarters(planes: Tensor) -> Tensor:
    """Mean over the four quarter turns of the last two axes."""
    return torch.stack([torch.rot90(planes, turns, (-2, -1)) for turns in range(QUARTERS)]).mean(0)
