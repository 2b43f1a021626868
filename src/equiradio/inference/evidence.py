"""What each pixel says for FRII: where the heads are linear, the logits are a sum over pixels of attention times a reading of the features.

margin = logit FRII - logit FRI = constant + sum over gates and pixels of alpha(p) u.x(p), with u the gate's linear layer and the top one
in a row. The parts tell what attention does and what the features would have said anyway. As class activation maps (Zhou et al. 2016),
with the gate in it.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equiradio.data.preprocess import SIDE
from equiradio.errors import SettingRefusal
from equiradio.inference.classifier import Classifier, chunks
from equiradio.models.gated import GatedNet


class Evidence(NamedTuple):
    """One gate, at its own scale, float32.

    attention : alpha (count, 1, h, w).
    reading : u.x(p), what a pixel's features say for FRII, scaled so that the sum of attention times reading is in units of logits.
    """

    attention: Tensor
    reading: Tensor


def readings(network: nn.Module) -> tuple[list[Tensor], Tensor]:
    """A vector for each gate and a constant: margin = constant + sum of vector . attended features; float64.

    Raises
    ------
    SettingRefusal : a ReLU stands behind the heads, so they are not linear; or the network has no gates.
    """
    if not isinstance(network, GatedNet) or not network.settings.gates:
        raise SettingRefusal("model.gates", "0", "1 to 3 gates", "Take a model with attention, or train with --set gates=3.")
    settings, heads = network.settings, network.aggregate
    if settings.head_relu and settings.aggregation == "fine-tuned":
        raise SettingRefusal("model.head_relu", "true", "linear heads, as in preset fast", "Train with --set head_relu=false.")
    if heads.top is None:
        vectors, constants = zip(*map(_difference, heads.linears), strict=True)
        return [vector / len(vectors) for vector in vectors], torch.stack(constants).mean()
    top, constant = _difference(heads.top)
    if heads.joins:
        return list(top.split([gate.from_features.in_channels for gate in network.gates])), constant  # type: ignore[union-attr]
    found = []
    for part, linear in zip(top.split(2), heads.linears, strict=True):
        found.append(part @ linear.weight.detach().double())  # type: ignore[operator]
        constant = constant + part @ linear.bias.detach().double()  # type: ignore[operator]
    return found, constant


def _difference(linear: nn.Module) -> tuple[Tensor, Tensor]:
    """Weights and bias of FRII less those of FRI."""
    weight, bias = (values.detach().double() for values in (linear.weight, linear.bias))  # type: ignore[operator]
    return weight[1] - weight[0], bias[1] - bias[0]


Seen = tuple[list[Evidence], Tensor]  # every gate's, shallow to deep, and the constant


@contextmanager
def watched(network: nn.Module, first: float = math.inf) -> Iterator[Callable[[], Seen]]:
    """Keeps attention and reading of the ``first`` images, or somewhat more, that the network is shown meanwhile; the function tells them.

    Raises
    ------
    SettingRefusal : see `readings`.
    """
    vectors, constant = readings(network)
    assert isinstance(network, GatedNet)
    kept: list[list[Evidence]] = [[] for _ in vectors]

    def keep(number: int, inputs: tuple[Tensor, ...], attention: Tensor) -> None:
        if sum(len(part.reading) for part in kept[number]) >= first:
            return
        features, alpha = inputs[0].double(), attention.double()
        pixels = torch.ones_like(alpha[:1])
        scale = network._pool(pixels, pixels) / pixels.numel()  # what one pixel weighs, by sum or by mean
        reading = scale * torch.einsum("bchw,c->bhw", features, vectors[number].to(features))[:, None]
        kept[number].append(Evidence(alpha.float().cpu(), reading.float().cpu()))

    hooks = [
        gate.register_forward_hook(lambda _, inputs, found, number=number: keep(number, inputs, found))
        for number, gate in enumerate(network.gates)
    ]
    try:
        yield lambda: ([Evidence(*map(torch.cat, zip(*parts, strict=True))) for parts in kept], constant)
    finally:
        for hook in hooks:
            hook.remove()


@torch.inference_mode()
def evidence(classifier: Classifier, images: np.ndarray, batch: int = 16) -> Seen:
    """Attention and reading of every gate, shallow to deep, and the constant, for raw images uint8 (count, 150, 150)."""
    with watched(classifier.network) as seen:
        for start, stop in chunks(len(images), batch):
            classifier.look(images[start:stop])
    return seen()


def margin(parts: list[Evidence], constant: Tensor) -> np.ndarray:
    """logit FRII - logit FRI (count,), put together again; with other maps in place of attention, what the network would say."""
    return (constant.cpu() + sum((part.attention.double() * part.reading.double()).sum((1, 2, 3)) for part in parts)).numpy()


def on_sky(parts: list[Evidence], sky: int, side: int = SIDE) -> Tensor:
    """Attention times reading, summed over gates, on the image's pixels (count, side, side): what each says for FRII (for FRI, below 0).

    ``sky``: side of the padded sky, ``settings.side``. A gate's pixel is shared out evenly among the image's pixels that it covers, so that
    the sum of all, with the constant, is the margin but for what lies in the padding, which is cut off.
    """
    planes = [F.interpolate(part.attention * part.reading, size=(sky, sky)) * (part.reading.shape[-1] / sky) ** 2 for part in parts]
    edge = (sky - side) // 2
    return torch.stack(planes).sum(0)[:, 0, edge : edge + side, edge : edge + side]


class PixelEvidence(NamedTuple):
    """Why one source was answered so, mean over members of the image as it is, in log-odds of FRII before calibration.

    plane : what each pixel adds (150, 150), float32: above 0 for FRII, below 0 for FRI.
    constant : what is said without any, by the heads and by the blank padding around the image.
    margin : logit FRII - logit FRI, the sum of both.
    """

    plane: np.ndarray
    constant: float
    margin: float


@contextmanager
def gathered(members: Sequence[Classifier], count: int) -> Iterator[Callable[[], list[PixelEvidence | None]]]:
    """Reads along while members are asked; the function tells the evidence of the first ``count`` images that each of them was shown.

    None for networks without gates or with a ReLU behind the heads, whose answers are no sum over pixels.
    """
    networks: list[Any] = [member.network for member in members]
    with ExitStack() as stack:
        try:
            seen = [stack.enter_context(watched(network, count)) for network in networks]
        except SettingRefusal:
            seen = []

        def tell() -> list[PixelEvidence | None]:
            if not seen or not count:
                return [None] * count
            planes, margins = [], []
            for network, known in zip(networks, seen, strict=True):
                parts, constant = known()
                first = [Evidence(*(maps[:count] for maps in part)) for part in parts]
                planes.append(on_sky(first, network.settings.side).numpy())
                margins.append(margin(first, constant))
            means = zip(np.mean(planes, 0), np.mean(margins, 0), strict=True)
            return [PixelEvidence(plane, float(whole - plane.sum(dtype=float)), float(whole)) for plane, whole in means]

        yield tell
