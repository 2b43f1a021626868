"""What each pixel says for FRII: where the heads are linear, the logits are a sum over pixels of attention times a reading of the features.

margin = logit FRII - logit FRI = constant + sum over gates and pixels of alpha(p) u.x(p), with u the gate's linear layer and the top one
in a row. The parts tell what attention does and what the features would have said anyway. As class activation maps (Zhou et al. 2016),
with the gate in it.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

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


def readings(network: GatedNet) -> tuple[list[Tensor], Tensor]:
    """A vector for each gate and a constant: margin = constant + sum of vector . attended features; float64.

    Raises
    ------
    SettingRefusal : a ReLU stands behind the heads, so they are not linear; or the network has no gates.
    """
    settings, heads = network.settings, network.aggregate
    if not settings.gates:
        raise SettingRefusal("model.gates", "0", "1 to 3 gates", "Train with --set gates=3.")
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


@torch.inference_mode()
def evidence(classifier: Classifier, images: np.ndarray, batch: int = 16) -> tuple[list[Evidence], Tensor]:
    """Attention and reading of every gate, shallow to deep, and the constant, for raw images uint8 (count, 150, 150)."""
    network = classifier.network
    assert isinstance(network, GatedNet)
    vectors, constant = readings(network)
    kept: list[list[Evidence]] = [[] for _ in vectors]

    def keep(number: int, inputs: tuple[Tensor, ...], attention: Tensor) -> None:
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
        for start, stop in chunks(len(images), batch):
            classifier.look(images[start:stop])
    finally:
        for hook in hooks:
            hook.remove()
    return [Evidence(*map(torch.cat, zip(*parts, strict=True))) for parts in kept], constant


def margin(parts: list[Evidence], constant: Tensor) -> np.ndarray:
    """logit FRII - logit FRI (count,), put together again; with other maps in place of attention, what the network would say."""
    return (constant.cpu() + sum((part.attention.double() * part.reading.double()).sum((1, 2, 3)) for part in parts)).numpy()
