"""Trained networks as plain PyTorch: raw images in, answers out, nothing left but ordinary convolutions, pooling and clamps.

Normalisation of the image, circular mask and padding go into the first convolution. A batch norm stands behind its ReLU, y = s relu(c) + t;
with s in the filter and t in the bias that is the larger (the lesser, where s is negative) of s c + t and t: a clamp instead of two passes,
exact at the border too, since the next layer pads y with zeros as before.
"""

import copy
from collections.abc import Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equiradio.compute.preprocess import Preprocessing, circle
from equiradio.errors import SettingRefusal
from equiradio.evaluation.prior import prior_in_words
from equiradio.inference.member import Member
from equiradio.inference.team import Team
from equiradio.layers.attention_gate import ANCHORED, NORMALISATIONS, AttentionGate, beyond_rounding, interpolation
from equiradio.layers.convolution import LiftingConvolution, SteerableConvolution
from equiradio.layers.normalisation import FieldBatchNorm
from equiradio.layers.pooling import AntialiasedPool
from equiradio.models.gated import Block, GatedNet
from equiradio.models.lenet import LeNet
from equiradio.models.network import Network

__all__ = ["export", "export_team"]

WHITE = 255.0  # the largest raw pixel
Answer = tuple[Tensor, ...]  # logits and probabilities (batch, classes), then the gates' maps (batch, 1, h, w), shallow to deep


class Plain(nn.Module):
    """What every export is: raw pixels in, `Answer` out; ``gate_count`` maps stand behind the probabilities."""

    gate_count = 0


def export(member: Member) -> Plain:
    """A member as an ordinary module on its own: raw pixels 0..255, float (batch, 1, side, side) -> `Answer`.

    In evaluation, of the network's precision, sharing no weight with it: what the network learns later does not reach the export.
    """
    network, prepare = copy.deepcopy(member.network).eval(), member.preprocess
    if isinstance(network, GatedNet):
        plain: Plain = PlainGatedNet(network, prepare)
    elif isinstance(network, LeNet):
        plain = PlainLeNet(network, prepare)
    else:
        plain = PlainWhole(network, prepare)
    return plain.eval().requires_grad_(False)


def export_team(team: Team) -> Plain:
    """A whole team as one ordinary module: the members' mean probabilities of the image as it is, at the temperature for one pose.

    Raises
    ------
    SettingRefusal : a team for another mix of classes (`Team.for_prior`), which the module would not have.
    """
    if team.calibration.weights is not None:
        found = f"a team for the mix {prior_in_words(team.calibration.prior or (), team.labels)}"
        raise SettingRefusal(
            "prior", found, "one for the mix that it learned from", "Multiply what the file answers by the ratios of shares."
        )
    temperature = team.in_poses(1).calibration.temperature
    return PlainTeam([export(member) for member in team.members], temperature).eval().requires_grad_(False)


class PlainTeam(Plain):
    """Members that answer as one: probabilities and maps are means over them, logits are the probabilities' logarithms."""

    def __init__(self, members: Sequence[Plain], temperature: float) -> None:
        super().__init__()
        self.members, self.temperature = nn.ModuleList(members), temperature
        self.gate_count = members[0].gate_count

    def forward(self, images: Tensor) -> Answer:
        answers = [member(images) for member in self.members]
        probabilities = torch.stack([(answer[0] / self.temperature).softmax(1) for answer in answers]).mean(0)
        maps = (torch.stack(gate).mean(0) for gate in zip(*(answer[2:] for answer in answers), strict=True))
        return probabilities.clamp_min(torch.finfo(probabilities.dtype).tiny).log(), probabilities, *maps


def ordinary(convolution: nn.Module) -> nn.Conv2d:
    """A convolution between fields as one between channels."""
    if isinstance(convolution, LiftingConvolution | SteerableConvolution):
        return convolution.export()
    assert isinstance(convolution, nn.Conv2d)
    out, fields, size, _ = convolution.weight.shape
    plain = nn.Conv2d(fields, out, size, padding=size // 2, bias=convolution.bias is not None)
    plain.load_state_dict({name: value.clone() for name, value in convolution.state_dict().items()}, assign=True)
    return plain


class FirstConvolution(nn.Module):
    """The first convolution with all that comes before it: raw (batch, 1, image_side, image_side) -> (batch, channels, side, side)."""

    mask: Tensor | None

    def __init__(self, convolution: nn.Module, prepare: Preprocessing, image_side: int, side: int) -> None:
        super().__init__()
        assert isinstance(convolution, nn.Conv2d)
        filters, bias = convolution.weight.detach(), convolution.bias
        size = filters.shape[-1]
        self.filters = nn.Parameter(filters / (WHITE * prepare.pixel_std))
        shift = -filters.sum((1, 2, 3)) * prepare.pixel_mean / prepare.pixel_std
        self.bias = nn.Parameter(shift if bias is None else shift + bias.detach())
        edge = side - image_side
        self.blank = (edge // 2, edge - edge // 2) * 2  # raw zero around the image, then what the normalisation maps to zero
        self.zeros, self.raw_of_zero = (size // 2,) * 4, WHITE * prepare.pixel_mean
        mask = None if prepare.mask_radius is None else circle(image_side, prepare.mask_radius).to(filters)
        self.register_buffer("mask", mask)

    def forward(self, raw: Tensor) -> Tensor:
        sky = raw if self.mask is None else raw * self.mask
        if any(self.blank):
            sky = F.pad(sky, self.blank, value=0.0)
        return F.conv2d(F.pad(sky, self.zeros, value=self.raw_of_zero), self.filters, self.bias)


class Clamp(nn.Module):
    """What is left of ReLU and batch norm once their factor ``scale`` is in the filter: y = max(x, shift), or min where it is negative."""

    floor: Tensor
    ceiling: Tensor

    def __init__(self, scale: Tensor, shift: Tensor) -> None:
        super().__init__()
        endless, self.falls = torch.full_like(shift, torch.inf), bool((scale < 0).any())
        self.register_buffer("floor", torch.where(scale >= 0, shift, -endless).view(-1, 1, 1))
        self.register_buffer("ceiling", torch.where(scale >= 0, endless, shift).view(-1, 1, 1))

    def forward(self, channels: Tensor) -> Tensor:
        risen = torch.maximum(channels, self.floor)
        return torch.minimum(risen, self.ceiling) if self.falls else risen


def folded(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[nn.Conv2d, Clamp]:
    """Convolution, ReLU and batch norm in evaluation, as a convolution and a clamp of each channel."""
    assert norm.running_var is not None
    assert norm.running_mean is not None
    scale = norm.weight.detach() / torch.sqrt(norm.running_var + norm.eps)
    shift = norm.bias.detach() - norm.running_mean * scale
    plain = copy.deepcopy(convolution)
    bias = torch.zeros_like(shift) if convolution.bias is None else convolution.bias.detach()
    plain.weight = nn.Parameter(convolution.weight.detach() * scale.view(-1, 1, 1, 1))
    plain.bias = nn.Parameter(bias * scale + shift)
    return plain, Clamp(scale, shift)


class PlainGate(nn.Module):
    """An attention gate in ordinary operations: features (batch, c, h, w), context (batch, k, h', w') -> attention (batch, 1, h, w)."""

    up: Tensor
    empty: Tensor | None

    def __init__(self, gate: nn.Module, side: int, context_side: int) -> None:
        super().__init__()
        assert isinstance(gate, AttentionGate)
        self.from_features, self.from_context, self.to_score = gate.from_features, gate.from_context, gate.to_score
        self.normalisation = gate.normalisation
        weight = gate.to_score.weight
        self.register_buffer("up", interpolation(context_side, side, weight.dtype, weight.device).clone())
        self.register_buffer("empty", None)

    def anchor(self, features: Tensor) -> None:
        """What an empty sky's features (1, c, h, w) say is taken away; see `normalise_anchored`."""
        self.empty = self.from_features(features).detach()

    def forward(self, features: Tensor, context: Tensor) -> Tensor:
        raised = torch.matmul(torch.matmul(self.up, self.from_context(context)), self.up.T)
        score = self.to_score(F.relu(self.from_features(features) + raised))
        if self.empty is not None:
            score = beyond_rounding(score - self.to_score(F.relu(self.empty + raised)), score)
        return NORMALISATIONS[self.normalisation](score)


class PlainGatedNet(Plain):
    """`GatedNet` on channels: the same numbers."""

    def __init__(self, network: GatedNet, prepare: Preprocessing) -> None:
        super().__init__()
        self.order = network.group.order if network.group else 1
        antialiased = isinstance(network.halve, AntialiasedPool)
        side, sides, blocks = network.side, [], []
        for number, block in enumerate(network.blocks):
            assert isinstance(block, Block)
            side = (side + antialiased) // 2 if number else side  # max pooling drops an odd row, antialiased pooling keeps it
            sides.append(side)
            layers: list[nn.Module] = []
            for convolution, norm in zip(block.convolutions, block.norms, strict=True):
                assert isinstance(norm, FieldBatchNorm)
                layers += folded(ordinary(convolution), norm.export(self.order))
            if not number:
                layers[0] = FirstConvolution(layers[0], prepare, network.image_side, network.side)
            blocks.append(nn.Sequential(*layers))
        self.blocks = nn.ModuleList(blocks)
        attended = sides[3 - len(network.gates) : 3] if len(network.gates) else []
        self.gates = nn.ModuleList(PlainGate(gate, side, sides[3]) for gate, side in zip(network.gates, attended, strict=True))
        self.gate_count = len(self.gates)
        self.aggregate, self.pool = network.aggregate, network.pool
        self.halve = network.halve if antialiased else partial(F.max_pool2d, kernel_size=2)

        if network.settings.normalisation == ANCHORED:
            self._anchor(next(network.parameters()), network.image_side)

    @torch.no_grad()
    def _anchor(self, like: Tensor, side: int) -> None:
        *shallow, _ = self._stages(torch.zeros(1, 1, side, side).to(like))
        for gate, feature in zip(self.gates, shallow[3 - len(self.gates) :], strict=True):
            assert isinstance(gate, PlainGate)
            gate.anchor(feature)

    def _stages(self, images: Tensor) -> list[Tensor]:
        """The blocks' outputs pooled over the group."""
        channels, stages = images, []
        for number, block in enumerate(self.blocks):
            channels = block(self.halve(channels) if number else channels)
            stages.append(channels.unflatten(1, (self.order, -1)).amax(1))
        return stages

    def forward(self, images: Tensor) -> Answer:
        *shallow, context = self._stages(images)
        features = shallow[3 - len(self.gates) :] if len(self.gates) else [context]
        attention = [gate(feature, context) for gate, feature in zip(self.gates, features, strict=bool(len(self.gates)))]
        weights = attention or [torch.ones_like(context[:, :1])]
        logits, _ = self.aggregate([self.pool(*pair) for pair in zip(features, weights, strict=True)])
        return logits, logits.softmax(1), *attention


class PlainLeNet(Plain):
    """`LeNet` with its first convolution on raw pixels."""

    def __init__(self, network: LeNet, prepare: Preprocessing) -> None:
        super().__init__()
        self.first = FirstConvolution(network.first, prepare, network.image_side, network.side)
        self.second, self.dense = network.second, network.dense

    def forward(self, images: Tensor) -> Answer:
        features = F.relu(F.max_pool2d(self.first(images), 2))
        logits = self.dense(F.relu(F.max_pool2d(self.second(features), 2)).flatten(1))
        return logits, logits.softmax(1)


class PlainWhole(Plain):
    """Any other network with its preprocessing in front, its filters expanded."""

    mask: Tensor | None

    def __init__(self, network: Network, prepare: Preprocessing) -> None:
        super().__init__()
        self.network, self.scale, self.shift = network.export(), 1 / (WHITE * prepare.pixel_std), prepare.blank
        self.gate_count = network.gate_count
        mask = None if prepare.mask_radius is None else circle(network.image_side, prepare.mask_radius).to(next(network.parameters()))
        self.register_buffer("mask", mask)

    def forward(self, images: Tensor) -> Answer:
        sky = images if self.mask is None else images * self.mask
        output = self.network(sky * self.scale + self.shift)
        return output.logits, output.logits.softmax(1), *output.attention
