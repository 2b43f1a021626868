"""LeNet, plain and group-equivariant: the comparisons that the paper takes from Scaife & Porter 2021."""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equiradio.layers.convolution import LiftingConvolution, SteerableConvolution
from equiradio.layers.pooling import AntialiasedPool, group_pool, max_pool
from equiradio.models.gated import Output, exported
from equiradio.symmetry.groups import Group

SIDE = 150  # pixels; the dense layers take images of this side only


def _dense(features: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(nn.Linear(features, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Dropout(dropout), nn.Linear(84, 2))


class LeNet(nn.Module):
    """Two 5x5 convolutions with 2x2 max pooling, then dense layers of 120, 84 and 2: 2,641,506 weights.

    forward(images (batch, 1, 150, 150), normalised) -> `Output` without attention. Source: Bowles et al. 2021, section 2.
    """

    def __init__(self, dropout: float = 0.5, size: int = 5) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 6, size, padding=size // 2), nn.Conv2d(6, 16, size, padding=size // 2)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.dense = _dense(16 * (SIDE // 4) ** 2, dropout)

    def forward(self, images: Tensor) -> Output:
        features = F.relu(max_pool(self.first(images)))  # the same as pooling behind the ReLU, on a quarter of the pixels
        features = F.relu(max_pool(self.second(features)))
        return Output(self.dense(features.flatten(1)), [], [])

    def export(self) -> "LeNet":
        """The network itself: its convolutions are ordinary already."""
        return self


class EquivariantLeNet(nn.Module):
    """LeNet on regular fields with antialiased pooling; the group is pooled away before the dense layers.

    The feature maps turn with the sky, but the dense layers read them pixel by pixel: equivariant up to there, **not** invariant.
    forward(images (batch, 1, 150, 150), normalised) -> `Output` without attention. Source: Scaife & Porter 2021.
    """

    def __init__(self, group: Group, dropout: float = 0.5, size: int = 5) -> None:
        super().__init__()
        self.group = group
        self.first: nn.Module = LiftingConvolution(1, 6, group, size)
        self.second: nn.Module = SteerableConvolution(6, 16, group, size)
        self.pool = AntialiasedPool()
        side = self.pool.pooled_side(self.pool.pooled_side(SIDE))
        self.dense = _dense(16 * side**2, dropout)

    def features(self, images: Tensor) -> Tensor:
        """The last map that turns with the sky: (batch, 16, 38, 38)."""
        fields = self.pool(F.relu(self.first(images)))
        return group_pool(self.pool(F.relu(self.second(fields))))

    def forward(self, images: Tensor) -> Output:
        features = self.features(images).contiguous(memory_format=torch.contiguous_format)
        return Output(self.dense(features.flatten(1)), [], [])

    def export(self) -> "EquivariantLeNet":
        """The same network with ordinary convolutions: the same numbers, no filter left to be made."""
        plain = copy.deepcopy(self)
        plain.first, plain.second = exported(plain.first), exported(plain.second)
        return plain
