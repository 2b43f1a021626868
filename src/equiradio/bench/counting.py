"""How many multiply-adds a network takes for one image, counted from the shapes that its layers meet."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from equiradio.compute.form_timing import Layered
from equiradio.layers.attention_gate import AttentionGate
from equiradio.layers.convolution import LiftingConvolution, SteerableConvolution
from equiradio.layers.forms import all_forms, possible_forms
from equiradio.sky.recipe import MIRABEST

BACKWARD = 2  # a gradient for the input and one for the filter, each as large as the forward pass
COUNTED = (LiftingConvolution, SteerableConvolution, nn.Conv2d, nn.Linear, AttentionGate)


@dataclass(frozen=True)
class Count:
    """Multiply-adds of one layer for one image in each form that it can take; of a layer without forms, ``dense`` alone."""

    forms: Mapping[str, int]

    def least(self, precision: str) -> int:
        """Those of the cheapest form that computes in this precision."""
        here = all_forms()
        return min(count for name, count in self.forms.items() if here[name].computes_in(precision) == precision)


def count_layers(network: Layered) -> dict[str, Count]:
    """The counts of a network's convolutions, gates and linear layers by name; whatever touches a pixel a few times is left out."""
    copied = copy.deepcopy(network)
    copied.eval()
    counts: dict[str, Count] = {}
    inside: set[nn.Module] = set()  # a gate is counted whole
    for name, layer in copied.named_modules():
        if isinstance(layer, COUNTED) and layer not in inside:
            inside |= set(layer.modules())
            layer.forward = partial(_watched, counts, name, layer)  # type: ignore[method-assign]
    with torch.inference_mode():
        copied(torch.zeros(1, 1, MIRABEST.side, MIRABEST.side))
    return counts


def total(counts: dict[str, Count], training: bool, precision: str) -> int:
    """Multiply-adds of a network for an image, every layer in its cheapest form."""
    return (1 + BACKWARD * training) * sum(count.least(precision) for count in counts.values())


def of_forms(counts: dict[str, Count], training: bool, forms: Mapping[str, str]) -> int | None:
    """Multiply-adds of a network for an image, all pixels, its layers in these forms; None where one is not counted."""
    each = [count.forms.get(forms.get(name, "dense")) for name, count in counts.items()]
    return None if None in each else (1 + BACKWARD * training) * sum(filter(None, each))


def _watched(counts: dict[str, Count], name: str, layer: nn.Module, *inputs: Tensor) -> Tensor:
    """In place of a layer's work: note what it would cost, answer zeros of the right shape."""
    seen = inputs[0]
    height, width = seen.shape[-2:]
    if isinstance(layer, SteerableConvolution):
        counts[name] = _steerable(layer, height * width)
        return seen.new_zeros(len(seen), layer.fields_out, layer.group.order, height, width)
    if isinstance(layer, LiftingConvolution):
        counts[name] = _plain(height * width * layer.size**2 * layer.group.order * layer.fields_in * layer.fields_out)
        return seen.new_zeros(len(seen), layer.fields_out, layer.group.order, height, width)
    if isinstance(layer, AttentionGate):
        counts[name] = _plain(_gate(layer, seen, inputs[1]))
        return seen.new_ones(len(seen), 1, height, width)
    if isinstance(layer, nn.Conv2d):  # "same" convolutions; plain networks give theirs fields of one element
        counts[name] = _plain(height * width * layer.weight.numel())
        shape = (layer.out_channels, 1) if type(layer) is not nn.Conv2d else (layer.out_channels,)
        return seen.new_zeros(len(seen), *shape, height, width)
    assert isinstance(layer, nn.Linear)
    counts[name] = _plain(layer.weight.numel())
    return seen.new_zeros(*seen.shape[:-1], layer.out_features)


def _plain(count: int) -> Count:
    return Count({"dense": count})


def _steerable(layer: SteerableConvolution, pixels: int) -> Count:
    """In every form that is possible on this machine's processor."""
    return Count({form.name: form.multiply_adds(layer.shape, pixels) for form in possible_forms(layer.shape, "cpu", "float32")})


def _gate(layer: AttentionGate, features: Tensor, context: Tensor) -> int:
    """Three 1x1 convolutions: of the features, of the context at its own scale, and of the hidden channels."""
    hidden, pixels = layer.from_features.out_channels, features.shape[-2:].numel()
    return hidden * (pixels * (features.shape[1] + 1) + context.shape[-2:].numel() * context.shape[1])
