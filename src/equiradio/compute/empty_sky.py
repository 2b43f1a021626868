"""Show a network an image without a source, so that its layers need not compute again, for every image, what they make of empty sky.

98 % of the pixels of a MiraBest image are exactly empty. A layer compares what it is given with what it was given for an empty sky; where a
pixel sees no difference its answer is the same, bit for bit, whatever the weights of the layers before.
"""

from typing import Any

import torch
from torch import Tensor, nn

from equiradio.compute.form_timing import Layered
from equiradio.layers.convolution import Prepared
from equiradio.layers.forms import EmptySky


def would_help(network: Layered) -> bool:
    """Does any layer take a form that leaves out empty sky, and has not been shown one?"""
    return any(layer.leaves_out_empty_sky and layer.empty_sky is None for layer in _layers(network))


def leaves_out_empty_sky(network: Layered) -> bool:
    """Does any layer take a form that leaves out empty sky?"""
    return any(layer.leaves_out_empty_sky for layer in _layers(network))


@torch.no_grad()
def show_empty_sky(network: Layered, image: Tensor) -> None:
    """Let every convolution remember what it is given for an empty image (1, 1, height, width), normalised."""
    hooks = [layer.register_forward_pre_hook(_remember) for layer in _layers(network)]
    try:
        network(image)
    finally:
        for hook in hooks:
            hook.remove()


def forget_empty_sky(network: Layered) -> None:
    """Let every layer forget what it was shown, which with other weights would be of no use."""
    for layer in _layers(network):
        layer.empty_sky = None


def _layers(network: Layered) -> list[Prepared]:
    return [layer for _, layer in network.named_modules() if isinstance(layer, Prepared)]


def _remember(layer: nn.Module, given: tuple[Any, ...]) -> None:
    assert isinstance(layer, Prepared)
    layer.empty_sky = EmptySky(layer.columns(given[0].detach()))
