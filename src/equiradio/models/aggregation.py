"""From what the gates attend to to an answer: linear layers for each gate, joined."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equiradio.errors import SettingRefusal
from equiradio.layers.head import HeadLinear
from equiradio.models.network import Readings
from equiradio.settings import ModelSettings


class Aggregation(nn.Module):
    """From attended features, one vector per gate, to logits. Source: Bowles et al. 2021a, section 3; Schlemper et al. 2018.

    fine-tuned : a linear layer per gate (ReLU behind it where ``head_relu``), joined, and a linear layer on top. The paper's choice.
    mean : the gates' linear layers, averaged. deep-supervision : the same answer, but each gate's is trained too. concat : all features
    joined, one linear layer.
    """

    def __init__(self, widths: tuple[int, ...], settings: ModelSettings, classes: int = 2) -> None:
        super().__init__()
        self.settings, self.classes = settings, classes
        self.dropout = nn.Dropout(settings.dropout)
        alone = settings.gates == 0  # without gates there is one vector and nothing to aggregate
        self.joins = settings.aggregation == "concat" or alone
        self.linears = nn.ModuleList([] if self.joins else [HeadLinear(width, classes) for width in widths])
        joined = sum(widths) if self.joins else classes * len(widths)
        self.top = HeadLinear(joined, classes) if self.joins or settings.aggregation == "fine-tuned" else None

    def forward(self, features: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        if self.joins and self.top is not None:
            return self.top(self.dropout(torch.cat(features, 1))), []
        heads = [linear(self.dropout(feature)) for linear, feature in zip(self.linears, features, strict=True)]
        if self.top is None:
            return torch.stack(heads).mean(0), heads
        activation: Callable[[Tensor], Tensor] = F.relu if self.settings.head_relu else nn.Identity()
        heads = [activation(head) for head in heads]
        return self.top(torch.cat(heads, 1)), heads

    def readings(self, widths: list[int]) -> Readings:
        """How each gate's features (of so many channels) enter the logits; refused where a ReLU stands in between."""
        self._refuse_relu()
        if self.top is None:
            pairs = [_exact(linear) for linear in self.linears]
            return Readings([weight / len(pairs) for weight, _ in pairs], torch.stack([bias for _, bias in pairs]).mean(0))
        top, constant = _exact(self.top)
        if self.joins:
            return Readings(list(top.split(widths, 1)), constant)
        vectors = []
        for part, linear in zip(top.split(self.classes, 1), self.linears, strict=True):
            weight, bias = _exact(linear)
            vectors.append(part @ weight)
            constant = constant + part @ bias
        return Readings(vectors, constant)

    def _refuse_relu(self) -> None:
        if self.settings.head_relu and self.settings.aggregation == "fine-tuned":
            raise SettingRefusal("model.head_relu", "true", "linear heads, as in preset fast", "Train with --set head_relu=false.")

    def read_by(self, vectors: list[Tensor], constant: Tensor) -> None:
        """Set the layers so that the logits are what `readings` with these numbers says; refused where a ReLU stands in between."""
        self._refuse_relu()
        if self.joins:
            _set(self.top, torch.cat(vectors, 1), constant)
            return
        share = len(vectors) if self.top is None else 1
        for vector, linear in zip(vectors, self.linears, strict=True):
            _set(linear, vector * share, constant if self.top is None else torch.zeros_like(constant))
        if self.top is not None:
            _set(self.top, torch.eye(self.classes).repeat(1, len(vectors)), constant)


def _set(linear: nn.Module | None, weight: Tensor, bias: Tensor) -> None:
    assert isinstance(linear, nn.Linear)
    with torch.no_grad():
        linear.weight.copy_(weight)
        linear.bias.copy_(bias)


def _exact(linear: nn.Module) -> tuple[Tensor, Tensor]:
    """Weights (out, in) and bias (out,) in float64."""
    assert isinstance(linear, nn.Linear)
    return linear.weight.detach().double(), linear.bias.detach().double()
