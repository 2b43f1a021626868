"""Where symmetry is lost: the error of every layer under an infinitesimal turn.

A function f turns with the sky if J_f [L x] = L f(x), where L x = (u d/dv - v d/du) x generates rotations. The error of a layer is
|J_f [L x] - L f(x)| / |L f(x)| for f = everything up to that layer. Source: Gruver et al. 2022, "The Lie derivative for measuring
learned equivariance", eq. 5; there the turn is bilinear, here L is central differences and J_f [.] a symmetric difference of the
network, so that the identity has error 0 and nothing is interpolated.
"""

from collections.abc import Callable

import torch
from torch import Tensor

STEP = 1e-3  # of the step along L x, as a share of the image's own size: small against ReLU kinks, large against float32 rounding


def generator(planes: Tensor) -> Tensor:
    """L x for planes (..., height, width): the change per radian of a turn in the sense of torch.rot90; central differences."""
    height, width = planes.shape[-2:]
    up = ((height - 1) / 2 - torch.arange(height, dtype=planes.dtype, device=planes.device))[:, None]
    right = torch.arange(width, dtype=planes.dtype, device=planes.device) - (width - 1) / 2
    d_row, d_column = torch.zeros_like(planes), torch.zeros_like(planes)
    d_row[..., 1:-1, :] = (planes[..., 2:, :] - planes[..., :-2, :]) / 2
    d_column[..., 1:-1] = (planes[..., 2:] - planes[..., :-2]) / 2
    return up * d_column + right * d_row


def lie_errors(stages: Callable[[Tensor], dict[str, Tensor]], images: Tensor, step: float = STEP) -> dict[str, Tensor]:
    """Relative Lie-derivative error of each stage and image.

    Parameters
    ----------
    stages : images (batch, 1, h, w) -> for each layer its output as scalar maps (batch, channels, h', w') (pooled over the group).
    images : what the network sees.

    Returns
    -------
    By stage: float (batch,), 0 for an equivariant layer; 1 for one whose output stays put, more for one that moves otherwise.
    """
    along = generator(images)
    size = step * images.flatten(1).norm(dim=1) / along.flatten(1).norm(dim=1).clamp_min(1e-12)
    size = size.view(-1, 1, 1, 1)
    here, ahead, behind = stages(images), stages(images + size * along), stages(images - size * along)
    errors = {}
    for name, value in here.items():
        expected = generator(value)
        change = (ahead[name] - behind[name]) / (2 * size)
        errors[name] = (change - expected).flatten(1).norm(dim=1) / expected.flatten(1).norm(dim=1).clamp_min(1e-12)
    return errors
