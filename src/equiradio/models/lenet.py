"""LeNet, plain and group-equivariant: the comparisons that the paper takes from Scaife & Porter 2021."""

import copy
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equiradio.errors import SettingRefusal
from equiradio.layers.convolution import LiftingConvolution, SteerableConvolution
from equiradio.layers.head import HeadLinear
from equiradio.layers.pooling import AntialiasedPool, group_pool, max_pool
from equiradio.models.gated import exported
from equiradio.models.network import Output, Readings
from equiradio.sky.recipe import MIRABEST
from equiradio.symmetry.groups import Group


def _dense(features: int, dropout: float, classes: int) -> nn.Sequential:
    hidden = [nn.Linear(features, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Dropout(dropout)]
    return nn.Sequential(*hidden, HeadLinear(84, classes))


class _Ungated(nn.Module):
    """What LeNets share as a `Network`: dense layers, no gates, logits that are no sum over pixels."""

    gate_count, anchored = 0, False
    side: int
    image_side: int
    group: Group | None
    dense: nn.Sequential

    def _answer(self, features: Tensor) -> Output:
        hidden = self.dense[:-1](features.flatten(1))
        return Output(self.dense[-1](hidden), [], [], [hidden], [])

    def decide(self, vectors: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """See `Network`."""
        return self.dense[-1](vectors[0]), []

    def readings(self) -> Readings:
        """See `Network`."""
        raise SettingRefusal("model.gates", "0", "1 to 3 gates", "Take a model with attention, or train with --set gates=3.")

    def read_by(self, weight: Tensor, constant: Tensor) -> None:
        """See `Network`."""
        top = self.dense[-1]
        assert isinstance(top, nn.Linear)
        with torch.no_grad():
            top.weight.copy_(weight)
            top.bias.copy_(constant)

    def pixel_weight(self, pixels: int) -> float:
        """See `Network`."""
        return 1.0

    def layer(self, name: str) -> nn.Module:
        """See `Network`."""
        return self.get_submodule(name)

    @property
    def parts(self) -> Sequence[str]:
        """See `Network`."""
        return [*self.body, "dense"]

    @property
    def body(self) -> Sequence[str]:
        """See `Network`."""
        return ["first", "second"]

    @property
    def last(self) -> str:
        """See `Network`."""
        return f"dense.{len(self.dense) - 1}"


class LeNet(_Ungated):
    """Two 5x5 convolutions with 2x2 max pooling, then dense layers of 120, 84 and 2: 2,641,506 weights.

    forward(images (batch, 1, 150, 150), normalised) -> `Output` without attention. Source: Bowles et al. 2021, section 2.
    """

    def __init__(self, dropout: float = 0.5, size: int = 5, classes: int = 2, side: int = MIRABEST.side) -> None:
        super().__init__()
        self.group = None
        self.image_side = self.side = side
        self.first, self.second = nn.Conv2d(1, 6, size, padding=size // 2), nn.Conv2d(6, 16, size, padding=size // 2)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.dense = _dense(16 * (side // 4) ** 2, dropout, classes)

    def forward(self, images: Tensor) -> Output:
        return self._answer(self.stages(images)["second"])

    def stages(self, images: Tensor) -> dict[str, Tensor]:
        """See `Network`."""
        first = F.relu(max_pool(self.first(images)))  # the same as pooling behind the ReLU, on a quarter of the pixels
        return {"first": first, "second": F.relu(max_pool(self.second(first)))}

    def export(self) -> "LeNet":
        """The network itself: its convolutions are ordinary already."""
        return self


class EquivariantLeNet(_Ungated):
    """LeNet on regular fields with antialiased pooling; the group is pooled away before the dense layers.

    The feature maps turn with the sky, but the dense layers read them pixel by pixel: equivariant up to there, **not** invariant.
    forward(images (batch, 1, 150, 150), normalised) -> `Output` without attention. Source: Scaife & Porter 2021.
    """

    def __init__(self, group: Group, dropout: float = 0.5, size: int = 5, classes: int = 2, side: int = MIRABEST.side) -> None:
        super().__init__()
        self.group = group
        self.image_side = self.side = side
        self.first: nn.Module = LiftingConvolution(1, 6, group, size)
        self.second: nn.Module = SteerableConvolution(6, 16, group, size)
        self.pool = AntialiasedPool()
        last = self.pool.pooled_side(self.pool.pooled_side(side))
        self.dense = _dense(16 * last**2, dropout, classes)

    def stages(self, images: Tensor) -> dict[str, Tensor]:
        """See `Network`; the last map that turns with the sky is ``second`` (batch, 16, 38, 38)."""
        fields = self.pool(F.relu(self.first(images)))
        return {"first": group_pool(fields), "second": group_pool(self.pool(F.relu(self.second(fields))))}

    def forward(self, images: Tensor) -> Output:
        last = group_pool(self.pool(F.relu(self.second(self.pool(F.relu(self.first(images)))))))
        return self._answer(last.contiguous(memory_format=torch.contiguous_format))

    def export(self) -> "EquivariantLeNet":
        """The same network with ordinary convolutions: the same numbers, no filter left to be made."""
        plain = copy.deepcopy(self)
        plain.first, plain.second = exported(plain.first), exported(plain.second)
        return plain
