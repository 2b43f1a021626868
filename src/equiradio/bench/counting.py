"""How many multiply-adds a network takes for one image, counted from the shapes that its layers meet."""

import copy
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from equiradio.layers.attention_gate import AttentionGate
from equiradio.layers.convolution import LiftingConvolution, SteerableConvolution
from equiradio.layers.forms.winograd import SIZES, TILE
from equiradio.sky.recipe import MIRABEST
from equiradio.symmetry.harmonics import harmonic_basis

BACKWARD = 2  # a gradient for the input and one for the filter, each as large as the forward pass
COUNTED = (LiftingConvolution, SteerableConvolution, nn.Conv2d, nn.Linear, AttentionGate)


@dataclass(frozen=True)
class Count:
    """Multiply-adds of one layer for one image in each form; None where the layer has no such form. Transforms are left out."""

    dense: int
    fourier: int | None = None
    winograd: int | None = None

    def least(self, precision: str) -> int:
        """Those of the cheapest form; Winograd's is one in float32."""
        forms = (self.dense, self.fourier, self.winograd if precision == "float32" else None)
        return min(count for count in forms if count is not None)


def count_layers(network: nn.Module) -> dict[str, Count]:
    """The counts of a network's convolutions, gates and linear layers by name; whatever touches a pixel a few times is left out."""
    copied = copy.deepcopy(network).eval()
    found: dict[str, Count] = {}
    inside: set[nn.Module] = set()  # a gate is counted whole
    for name, layer in copied.named_modules():
        if isinstance(layer, COUNTED) and layer not in inside:
            inside |= set(layer.modules())
            layer.forward = partial(_watched, found, name, layer)  # type: ignore[method-assign]
    with torch.inference_mode():
        copied(torch.zeros(1, 1, MIRABEST.side, MIRABEST.side))
    return found


def total(counts: dict[str, Count], training: bool, precision: str) -> int:
    """Multiply-adds of a network for an image, every layer in its cheapest form."""
    return (1 + BACKWARD * training) * sum(count.least(precision) for count in counts.values())


def _watched(found: dict[str, Count], name: str, layer: nn.Module, *inputs: Tensor) -> Tensor:
    """In place of a layer's work: note what it would cost, answer noughts of the right shape."""
    seen = inputs[0]
    height, width = seen.shape[-2:]
    if isinstance(layer, SteerableConvolution):
        found[name] = _steerable(layer, height * width)
        return seen.new_zeros(len(seen), layer.fields_out, layer.group.order, height, width)
    if isinstance(layer, LiftingConvolution):
        found[name] = Count(height * width * layer.size**2 * layer.group.order * layer.fields_in * layer.fields_out)
        return seen.new_zeros(len(seen), layer.fields_out, layer.group.order, height, width)
    if isinstance(layer, AttentionGate):
        found[name] = Count(_gate(layer, seen, inputs[1]))
        return seen.new_ones(len(seen), 1, height, width)
    if isinstance(layer, nn.Conv2d):  # "same" convolutions; plain networks give theirs fields of one element
        found[name] = Count(height * width * layer.weight.numel())
        shape = (layer.out_channels, 1) if type(layer) is not nn.Conv2d else (layer.out_channels,)
        return seen.new_zeros(len(seen), *shape, height, width)
    assert isinstance(layer, nn.Linear)
    found[name] = Count(layer.weight.numel())
    return seen.new_zeros(*seen.shape[:-1], layer.out_features)


def _steerable(layer: SteerableConvolution, pixels: int) -> Count:
    """Dense: size^2 |G|^2 per pixel and pair of fields. Fourier: 2 B |G| (and B size^2 |G| per pixel and field, the filter bank).

    Winograd: (size + 3)^2 / 16 in place of size^2.
    """
    order, filters, area = layer.group.order, harmonic_basis(layer.size).count, layer.size**2
    pairs = layer.fields_in * layer.fields_out
    filtering = pixels * (layer.size + TILE - 1) ** 2 * order**2 * pairs // TILE**2 if layer.size in SIZES else None
    return Count(pixels * area * order**2 * pairs, pixels * filters * order * (2 * pairs + area * layer.fields_in), filtering)


def _gate(layer: AttentionGate, features: Tensor, context: Tensor) -> int:
    """Three 1x1 convolutions: of the features, of the context at its own scale, and of the hidden channels."""
    hidden, pixels = layer.from_features.out_channels, features.shape[-2:].numel()
    return hidden * (pixels * (features.shape[1] + 1) + context.shape[-2:].numel() * context.shape[1])
