"""The paper's network: four blocks of convolutions, and gates that attend to the first three through the eyes of the fourth."""

import copy
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equiradio.layers.attention_gate import AttentionGate, attend
from equiradio.layers.convolution import LiftingConvolution, PlainConvolution, SteerableConvolution, to_channels, to_fields
from equiradio.layers.normalisation import FieldBatchNorm
from equiradio.layers.pooling import AntialiasedPool, group_pool, max_pool
from equiradio.settings import ModelSettings
from equiradio.symmetry.groups import Group

WIDTHS = (6, 16, 32, 64)  # fields of each block
DEPTHS = (3, 3, 3, 2)  # convolutions of each block
HIDDEN = 64  # channels between a gate's features and its score
MEAN_SCALE = 10.0  # the pixel mean is small (most of the sky is empty): this brings it to the scale that a linear layer expects


class Output(NamedTuple):
    """What a network answers.

    logits : (batch, 2), FRI and FRII.
    attention : one map (batch, 1, h, w) per gate, shallow to deep.
    heads : what each gate's own linear layer says, (batch, 2) each; empty where there is none.
    """

    logits: Tensor
    attention: list[Tensor]
    heads: list[Tensor]


class Block(nn.Module):
    """Convolution, ReLU, batch norm, as often as asked."""

    def __init__(self, convolutions: list[nn.Module], fields: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(convolutions)
        self.norms = nn.ModuleList(FieldBatchNorm(fields) for _ in convolutions)

    def forward(self, fields: Tensor) -> Tensor:
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            fields = norm(F.relu(convolution(fields)))
        return fields


class GatedNet(nn.Module):
    """Attention-gated classifier of Bowles et al. 2021, for any group; ``group`` None gives the paper's plain network with free filters.

    forward(images (batch, 1, 150, 150), normalised) -> `Output`. The sky is padded with ``blank`` (raw zero, normalised) to
    ``settings.side`` pixels: at 152 the three poolings halve it evenly, which keeps quarter turns exact; 150 with rounding down is the
    published code's habit.

    Parameters
    ----------
    settings : gates (from the deepest up: 1 gate attends to block 3, 3 gates to blocks 1-3), normalisation, aggregation, kernel size,
        downsampling between blocks, dropout, pooling.
    group : the symmetry, or None.
    blank : value of an empty pixel after normalisation.
    widths : fields of each block.
    """

    def __init__(self, settings: ModelSettings, group: Group | None, blank: float, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        self.settings, self.group, self.blank = settings, group, blank
        size, fields_in, blocks = settings.kernel_size, 1, []
        for number, (width, depth) in enumerate(zip(widths, DEPTHS, strict=True)):
            convolutions: list[nn.Module] = []
            for layer in range(depth):
                if group is None:
                    convolutions.append(PlainConvolution(fields_in, width, size))
                elif number == layer == 0:
                    convolutions.append(LiftingConvolution(1, width, group, size))
                else:
                    convolutions.append(SteerableConvolution(fields_in, width, group, size))
                fields_in = width
            blocks.append(Block(convolutions, width))
        self.blocks = nn.ModuleList(blocks)
        self.halve: Callable[[Tensor], Tensor] = AntialiasedPool() if settings.downsampling == "antialiased" else max_pool
        attended = widths[3 - settings.gates : 3] if settings.gates else ()
        self.gates = nn.ModuleList(AttentionGate(width, widths[3], HIDDEN, settings.normalisation) for width in attended)
        self.aggregate = Aggregation(attended or widths[3:], settings)

    def forward(self, images: Tensor) -> Output:
        edge = self.settings.side - images.shape[-1]
        sky = F.pad(images, (edge // 2, edge - edge // 2) * 2, value=self.blank)
        fields, stages = sky, []
        for number, block in enumerate(self.blocks):
            fields = block(self.halve(fields) if number else fields)
            stages.append(group_pool(fields))
        *shallow, context = stages
        features = shallow[3 - len(self.gates) :] if self.gates else [context]
        attention = [gate(feature, context) for gate, feature in zip(self.gates, features, strict=bool(self.gates))]
        weights = attention or [torch.ones_like(context[:, :1], dtype=images.dtype)]
        logits, heads = self.aggregate([self._pool(*pair) for pair in zip(features, weights, strict=True)])
        return Output(logits, attention, heads)

    def _pool(self, features: Tensor, attention: Tensor) -> Tensor:
        total = attend(features, attention)
        summed = self.settings.pooling == "sum" and len(self.gates) > 0  # without gates the paper's code takes the mean
        return total if summed else total * (MEAN_SCALE / attention[0].numel())

    def export(self) -> "GatedNet":
        """The same network with ordinary convolutions: the same numbers, no filter left to be made."""
        plain = copy.deepcopy(self)
        for block in plain.blocks:
            assert isinstance(block, Block)
            block.convolutions = nn.ModuleList(map(exported, block.convolutions))
        return plain


class ExportedConvolution(nn.Module):
    """An exported filter between regular fields: nn.Conv2d on their channels."""

    def __init__(self, convolution: nn.Conv2d, order: int) -> None:
        super().__init__()
        self.convolution, self.order = convolution, order

    def forward(self, fields: Tensor) -> Tensor:
        channels = fields if fields.dim() == 4 else to_channels(fields)
        return to_fields(self.convolution(channels).contiguous(memory_format=torch.channels_last), self.order)


def exported(convolution: nn.Module) -> nn.Module:
    """The ordinary convolution in the place of a steerable one; any other as it is."""
    if isinstance(convolution, LiftingConvolution | SteerableConvolution):
        return ExportedConvolution(convolution.export(), convolution.group.order)
    return convolution


class Aggregation(nn.Module):
    """From attended features, one vector per gate, to logits. Source: Bowles et al. 2021a, section 3; Schlemper et al. 2018.

    fine-tuned : a linear layer per gate (ReLU behind it where ``head_relu``), joined, and a linear layer on top. The paper's choice.
    mean : the gates' linear layers, averaged. deep-supervision : the same answer, but each gate's is trained too. concat : all features
    joined, one linear layer.
    """

    def __init__(self, widths: tuple[int, ...], settings: ModelSettings) -> None:
        super().__init__()
        self.settings = settings
        self.dropout = nn.Dropout(settings.dropout)
        alone = settings.gates == 0  # without gates there is one vector and nothing to aggregate
        self.joins = settings.aggregation == "concat" or alone
        self.linears = nn.ModuleList([] if self.joins else [nn.Linear(width, 2) for width in widths])
        joined = sum(widths) if self.joins else 2 * len(widths)
        self.top = nn.Linear(joined, 2) if self.joins or settings.aggregation == "fine-tuned" else None

    def forward(self, features: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        if self.joins and self.top is not None:
            return self.top(self.dropout(torch.cat(features, 1))), []
        heads = [linear(self.dropout(feature)) for linear, feature in zip(self.linears, features, strict=True)]
        if self.top is None:
            return torch.stack(heads).mean(0), heads
        activation: Callable[[Tensor], Tensor] = F.relu if self.settings.head_relu else nn.Identity()
        heads = [activation(head) for head in heads]
        return self.top(torch.cat(heads, 1)), heads
