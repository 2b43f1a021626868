"""The paper's network: four blocks of convolutions, and gates that attend to the first three through the eyes of the fourth."""

import copy
from collections.abc import Callable, Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equiradio.errors import SettingRefusal
from equiradio.layers.attention_gate import ANCHORED, AttentionGate, attend
from equiradio.layers.convolution import LiftingConvolution, PlainConvolution, Prepared, SteerableConvolution, state_of
from equiradio.layers.fields import to_channels, to_fields
from equiradio.layers.finishing import activated
from equiradio.layers.lit import halved, lit_pixels, seen
from equiradio.layers.normalisation import FieldBatchNorm
from equiradio.layers.pooling import AntialiasedPool, both_pools, group_pool, max_pool
from equiradio.models.aggregation import Aggregation
from equiradio.models.names import WIDTHS
from equiradio.models.network import Output, Readings
from equiradio.settings import ModelSettings
from equiradio.sky.recipe import MIRABEST
from equiradio.symmetry.groups import Group

DEPTHS = (3, 3, 3, 2)  # convolutions of each block
Widths = tuple[int, ...]
HALVED = 8  # by three poolings, a side is divided by so much
HIDDEN = 64  # channels between a gate's features and its score
MEAN_SCALE = 10.0  # the pixel mean is small (most of the sky is empty): this brings it to the scale that a linear layer expects


class Block(nn.Module):
    """Convolution, ReLU, batch norm, as often as asked."""

    def __init__(self, convolutions: list[nn.Module], fields: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(convolutions)
        self.norms = nn.ModuleList(FieldBatchNorm(fields) for _ in convolutions)

    def layers(self, fields: Tensor, lit: list[Tensor] | None = None) -> Iterator[Tensor]:
        """The fields behind each layer; ``lit`` : pixels of each that see more than empty sky, in training."""
        for number, (convolution, norm) in enumerate(zip(self.convolutions, self.norms, strict=True)):
            fields = activated(convolution, norm, fields, lit[number] if lit else None)
            yield fields

    def forward(self, fields: Tensor, lit: list[Tensor] | None = None) -> Tensor:
        *_, last = self.layers(fields, lit)
        return last


class GatedNet(nn.Module):
    """Attention-gated classifier of Bowles et al. 2021, for any group; ``group`` None gives the paper's plain network with free filters.

    forward(images (batch, 1, side, side), normalised) -> `Output`. The sky is padded with ``blank`` (raw zero, normalised) to a multiple of
    8, which three poolings halve evenly: that keeps quarter turns exact. Images of 150 pixels are padded to ``settings.side``: 152, or
    150 with rounding down, which is the published code's habit.

    Parameters
    ----------
    settings : gates (from the deepest up: 1 gate attends to block 3, 3 gates to blocks 1-3), normalisation, aggregation, kernel size,
        downsampling between blocks, dropout, pooling.
    group : the symmetry, or None.
    blank : value of an empty pixel after normalisation.
    widths : fields of each block.
    classes : how many the heads distinguish.
    side : of an image, pixels; even, so that it lies in the middle of the padded sky.
    """

    def __init__(
        self, settings: ModelSettings, group: Group | None, blank: float, widths: Widths = WIDTHS, classes: int = 2, side: int = 150
    ) -> None:
        super().__init__()
        self.settings, self.group, self.blank, self.gate_count = settings, group, blank, settings.gates
        self.image_side, self.side = side, settings.side if side == MIRABEST.side else -(-side // HALVED) * HALVED
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
        self._kept: tuple[tuple[object, ...], list[Tensor]] | None = None  # an empty sky's features, and what they depend on
        self.aggregate = Aggregation(attended or widths[3:], settings, classes)

    def forward(self, images: Tensor) -> Output:
        features, attention = self._attend(*self._pooled(images))
        weights = attention or [torch.ones_like(features[0][:, :1], dtype=images.dtype)]
        vectors = [self.pool(*pair) for pair in zip(features, weights, strict=True)]
        logits, heads = self.aggregate(vectors)
        return Output(logits, attention, heads, vectors, features if attention else [])

    def _leaves_out_empty_sky(self, images: Tensor) -> bool:
        """Only where gradients by weights are all that is wanted: those by single images do not stay where they were."""
        wanted = self.training and torch.is_grad_enabled() and not images.requires_grad
        return wanted and any(isinstance(layer, Prepared) and layer.leaves_out_empty_sky for layer in self.modules())

    def _lit(self, images: Tensor) -> Sequence[list[Tensor] | None]:
        """Of each block's layers, the pixels of their answers that see more than empty sky; what is padded is empty."""
        lit, behind = F.pad(lit_pixels(images), self._edges(images)), []
        for number, block in enumerate(self.blocks):
            assert isinstance(block, Block)
            if number and isinstance(self.halve, AntialiasedPool):
                lit = self.halve.lit(lit)
            elif number:
                lit = halved(lit, lit.shape[1] // 2, lit.shape[2] // 2)
            behind.append([lit := seen(lit, self.settings.kernel_size) for _ in block.norms])
        return behind

    def _padded(self, images: Tensor) -> Tensor:
        return F.pad(images, self._edges(images), value=self.blank)

    def _edges(self, images: Tensor) -> tuple[int, ...]:
        """Pixels to add at each side, as `torch.nn.functional.pad` takes them."""
        edge = self.side - images.shape[-1]
        return (edge // 2, edge - edge // 2) * 2

    def _blocks(self, images: Tensor) -> list[Tensor]:
        """The blocks' outputs pooled over the group."""
        learned = images.requires_grad or any(weight.requires_grad for weight in self.blocks.parameters())
        with torch.set_grad_enabled(torch.is_grad_enabled() and learned):
            return self._features(images)

    def _features(self, images: Tensor) -> list[Tensor]:
        fields, pooled = self._padded(images), []
        lit = self._lit(images) if self._leaves_out_empty_sky(images) else [None for _ in self.blocks]
        for block, lit_behind in zip(self.blocks[:-1], lit[:-1], strict=True):
            fields = block(fields, lit_behind)
            largest, fields = both_pools(fields) if self.halve is max_pool else (group_pool(fields), self.halve(fields))
            pooled.append(largest)
        return [*pooled, group_pool(self.blocks[-1](fields, lit[-1]))]

    def _pooled(self, images: Tensor) -> tuple[list[Tensor], list[Tensor] | None]:
        """The blocks' outputs pooled over the group; and those of an empty sky, where the gates are anchored at it.

        The empty sky goes along in the batch, so that in training it has the same statistics, and gradients reach it; where nothing is
        learned it is kept for as long as the weights stay as they are.
        """
        if not self.anchored:
            return self._blocks(images), None
        empty = images.new_full((1, *images.shape[1:]), self.blank)
        if not (self.training or torch.is_grad_enabled()):
            return self._blocks(images), self._empty_sky(empty)
        pooled = self._blocks(torch.cat([images, empty]))
        return [each[:-1] for each in pooled], [each[-1:] for each in pooled]

    @property
    def anchored(self) -> bool:
        """See `Network`."""
        return self.settings.normalisation == ANCHORED and self.gate_count > 0

    def _empty_sky(self, image: Tensor) -> list[Tensor]:
        """What the blocks make of an empty sky."""
        state = [*self.parameters(), *self.buffers()]
        if any(tensor.is_inference() for tensor in state):  # whose changes are invisible
            return self._blocks(image)
        key = (image.shape, image.dtype, image.device, *state_of(state))
        if self._kept is None or self._kept[0] != key:
            self._kept = key, self._blocks(image)
        return self._kept[1]

    def train(self, mode: bool = True) -> "GatedNet":
        self._kept = None
        return super().train(mode)

    def _attend(self, pooled: list[Tensor], empty: list[Tensor] | None) -> tuple[list[Tensor], list[Tensor]]:
        """Features that count and the gates' maps of them, from the blocks' outputs pooled over the group."""
        *shallow, context = pooled
        if not self.gates:
            return [context], []
        first = 3 - len(self.gates)
        features, nothing = shallow[first:], [None] * len(self.gates) if empty is None else empty[first:3]
        return features, [gate(feature, context, blank) for gate, feature, blank in zip(self.gates, features, nothing, strict=True)]

    def pool(self, features: Tensor, attention: Tensor) -> Tensor:
        """Attended features (batch, c, h, w), (batch, 1, h, w) -> (batch, c), by sum or by mean."""
        total = attend(features, attention)
        return total if self._sums else total * (MEAN_SCALE / attention[0].numel())

    @property
    def _sums(self) -> bool:
        return self.settings.pooling == "sum" and len(self.gates) > 0  # without gates the paper's code takes the mean

    def pixel_weight(self, pixels: int) -> float:
        """See `Network`."""
        return 1.0 if self._sums else MEAN_SCALE / pixels

    def decide(self, vectors: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """See `Network`."""
        logits, heads = self.aggregate(vectors)
        return logits, heads

    def readings(self) -> Readings:
        """See `Network`."""
        if not self.gate_count:
            raise SettingRefusal("model.gates", "0", "1 to 3 gates", "Take a model with attention, or train with --set gates=3.")
        return self.aggregate.readings(self._attended)

    def read_by(self, weight: Tensor, constant: Tensor) -> None:
        """See `Network`."""
        self.aggregate.read_by(list(weight.split(self._attended or weight.shape[1], 1)), constant)

    @property
    def _attended(self) -> list[int]:
        """Channels of the features that each gate attends to."""
        return [gate.from_features.in_channels for gate in self.gates]  # type: ignore[union-attr, misc]

    def stages(self, images: Tensor) -> dict[str, Tensor]:
        """See `Network`: ``block 1, layer 1`` ... and ``gate 1`` ..."""
        fields, pooled = self._padded(images), []
        seen: dict[str, Tensor] = {}
        for number, block in enumerate(self.blocks, 1):
            assert isinstance(block, Block)
            behind = list(block.layers(self.halve(fields) if number > 1 else fields))
            seen |= {f"block {number}, layer {layer}": group_pool(each) for layer, each in enumerate(behind, 1)}
            fields = behind[-1]
            pooled.append(group_pool(fields))
        gates = self._attend(pooled, self._pooled(images)[1] if self.anchored else None)[1]
        return seen | {f"gate {number}": gate for number, gate in enumerate(gates, 1)}

    @property
    def parts(self) -> Sequence[str]:
        """See `Network`."""
        return [*self.body, *["gates"] * bool(self.gate_count), self.last]

    @property
    def body(self) -> Sequence[str]:
        """See `Network`."""
        return [f"blocks.{number}" for number in range(len(self.blocks))]

    @property
    def last(self) -> str:
        """See `Network`."""
        return "aggregate"

    def layer(self, name: str) -> nn.Module:
        """See `Network`."""
        return self.get_submodule(name)

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
