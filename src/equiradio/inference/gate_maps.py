"""Gates' maps at the scale of the image."""

import torch
import torch.nn.functional as F
from torch import Tensor

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


def combined_map(attention: list[Tensor]) -> Tensor:
    """Mean of the gate maps at image scale (batch, 150, 150)."""
    return gate_maps(attention).mean(1)
