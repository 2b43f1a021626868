"""Turn, mirror and scale images in batches on their device: one interpolation, straight from uint8.

What is drawn depends on nothing but (seed, purpose, source, pass), so that an interrupted run, another batch size or another machine sees
the same images.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

TRAINING, VALIDATION, TEST = 0, 1, 2  # purposes: streams of random numbers that never meet
SCALES = (0.9, 1.1)  # Bowles et al. 2021, section 2


@dataclass(frozen=True)
class Poses:
    """How images are shown.

    Attributes
    ----------
    rotation_deg : float64 (count,), in the sense of torch.rot90.
    mirrored : bool (count,), columns reversed before the rotation.
    scale : float64 (count,), above 1 the source grows.
    """

    rotation_deg: np.ndarray
    mirrored: np.ndarray
    scale: np.ndarray

    def matrices(self) -> Tensor:
        """From pixels of the result to those of the image, in the coordinates of `torch.nn.functional.affine_grid`, (count, 2, 3)."""
        angle = np.deg2rad(self.rotation_deg)
        cosine, sine, zero = np.cos(angle) / self.scale, np.sin(angle) / self.scale, np.zeros_like(angle)
        hand = np.where(self.mirrored, -1.0, 1.0)
        rows = np.stack([np.stack([hand * cosine, -hand * sine, zero], -1), np.stack([sine, cosine, zero], -1)], 1)
        return torch.from_numpy(rows).float()


def turned(rotation_deg: np.ndarray | list[float]) -> Poses:
    """Poses that turn and do nothing else."""
    rotation = np.asarray(rotation_deg, dtype=float)
    return Poses(rotation, np.zeros(len(rotation), bool), np.ones(len(rotation)))


def draw_poses(seed: int, purpose: int, sources: np.ndarray, passes: np.ndarray) -> Poses:
    """A uniform rotation, a mirror with probability 1/2 and a scale of 0.9-1.1 for every pair of source and pass."""
    pairs = np.broadcast(sources, passes)
    uniform = np.array([np.random.default_rng([seed, purpose, int(s), int(k)]).random(3) for s, k in pairs]).reshape(-1, 3)
    return Poses(360 * uniform[:, 0], uniform[:, 1] < 0.5, SCALES[0] + (SCALES[1] - SCALES[0]) * uniform[:, 2])


def show(images: Tensor, matrices: Tensor) -> Tensor:
    """Images in their poses: uint8 or float (batch, height, width), (batch, 2, 3) -> float32 (batch, 1, height, width), raw pixels.

    Bilinear, zero outside the image.
    """
    planes = images[:, None].float()
    return F.grid_sample(planes, _grid(matrices, *images.shape[1:]), mode="bilinear", padding_mode="zeros", align_corners=False)


def _grid(matrices: Tensor, height: int, width: int) -> Tensor:
    """`torch.nn.functional.affine_grid` without its product of large matrices: (batch, 2, 3) -> (batch, height, width, 2)."""
    down, across = ((2 * torch.arange(side, device=matrices.device, dtype=matrices.dtype) + 1) / side - 1 for side in (height, width))
    along_x, along_y, shift = matrices.unbind(-1)
    rows = (along_y[..., None] * down + shift[..., None]).transpose(1, 2)
    columns = (along_x[..., None] * across).transpose(1, 2)
    return rows[:, :, None] + columns[:, None]
