"""Gates' maps at the scale of the image, and how far the maps of several networks agree."""

import math
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from equiradio.compute.preprocess import circle
from equiradio.sky.recipe import MIRABEST


def gate_maps(attention: list[Tensor], side: int = MIRABEST.side) -> Tensor:
    """Gate maps brought to image scale: (batch, gates, side, side), shallow to deep.

    Each is enlarged to the padded sky (bilinear) and the padding is cut off, so that the maps lie on the input's pixels.
    Source: Bowles et al. 2021, figure 2.
    """
    own = attention[0].shape[-1]  # the first attended block is the largest; with 3 gates it has the sky's own scale
    sky = own if own >= side else 2 * own if 2 * own >= side else max(4 * own, side)
    edge = (sky - side) // 2
    planes = [F.interpolate(gate, size=(sky, sky), mode="bilinear", align_corners=False) for gate in attention]
    return torch.cat(planes, 1)[..., edge : edge + side, edge : edge + side]


def combined_map(gates: Tensor, anchored: bool) -> Tensor:
    """One map (..., side, side) of the maps of several gates (..., gates, side, side), from one to many.

    Their mean, as in the paper. Of gates that are anchored at the empty sky their geometric mean, which is 0 where one of them attends to
    nothing: on validation sources it lies on the source several times as much as the mean (docs/notebook/explanations.md). Source: Bowles
    et al. 2021, figure 2.
    """
    if not anchored:
        return gates.mean(-3)
    return gates.clamp(min=0).prod(-3) ** (1 / gates.shape[-3])


def one_map(gates: np.ndarray, anchored: bool) -> np.ndarray:
    """`combined_map` of arrays, float32; nan where there are no gates."""
    if not gates.shape[-3]:
        return np.full((*gates.shape[:-3], *gates.shape[-2:]), np.nan, np.float32)
    return combined_map(torch.from_numpy(gates), anchored).numpy()


def agreement(maps: np.ndarray) -> float:
    """Mean Pearson correlation of all pairs of members' maps (members, side, side), inside the inscribed circle.

    1 where all look at the same, 0 where they have nothing in common. nan for one member, and where a map is flat or missing.
    """
    inside = maps[:, inscribed(maps.shape[-1]).numpy()].astype(float)
    if len(inside) < 2 or not np.isfinite(inside).all() or not np.ptp(inside, 1).all():
        return math.nan
    return float(np.corrcoef(inside)[np.triu_indices(len(inside), 1)].mean())


@cache
def inscribed(side: int = MIRABEST.side) -> Tensor:
    """Pixels that stay in the image however it turns, bool (side, side)."""
    return circle(side, side / 2 - 1)
