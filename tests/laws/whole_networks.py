"""What the laws of whole networks share: networks as if trained, images, comparisons."""

import torch
from torch import Tensor, nn

from equiradio.compute.form_timing import steerable_layers, take
from equiradio.models import GatedNet, Output, build
from equiradio.settings import ModelSettings
from equiradio.symmetry import Group

SMALL = {"side": 40}  # 40, 20, 10, 5: even as far as it is pooled, as 152 is
NARROW = (2, 3, 4, 5)  # fields of each block: the laws do not depend on the width
BLANK = -0.1
FAST = {"pooling": "mean", "head_relu": False}  # no ReLU in the heads: none can be dead and hold a law for nothing


def as_if_trained(net: nn.Module, seed: int = 0) -> nn.Module:
    """The network in evaluation, its batch norms with random statistics, scales and shifts, its linear layers with random weights."""
    generator = torch.Generator().manual_seed(seed)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_var.uniform_(0.5, 2, generator=generator)
            module.weight.data.uniform_(0.5, 1.5, generator=generator)
            for shift in (module.running_mean, module.bias.data):
                shift.normal_(0, 0.3, generator=generator)
        if isinstance(module, nn.Linear):
            module.weight.data.normal_(0, module.in_features**-0.5, generator=generator)
    return net.eval()


def full(name: str, dtype: torch.dtype = torch.float64, **changes) -> nn.Module:
    """A network of the registry, as if trained."""
    torch.manual_seed(0)
    return as_if_trained(build(name, **FAST | changes)).to(dtype)


def narrow(group: Group | None, dtype: torch.dtype = torch.float64, **changes) -> GatedNet:
    """The same network with few fields, as if trained."""
    torch.manual_seed(0)
    return as_if_trained(GatedNet(ModelSettings(**FAST | changes), group, BLANK, NARROW)).to(dtype)


def in_form(net: nn.Module, form: str) -> nn.Module:
    """The network with every steerable layer in that form."""
    take(net, dict.fromkeys(steerable_layers(net), form))
    return net


def some_images(side: int, count: int = 1, dtype: torch.dtype = torch.float64) -> Tensor:
    """Noise on a bright slope (count, 1, side, side): no image is like its neighbour."""
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(count, 1, side, side, generator=generator, dtype=torch.float64)
    return (noise * torch.linspace(0.2, 3, side) * torch.linspace(1, 3, count).view(-1, 1, 1, 1)).to(dtype)


def distance(found: Tensor, expected: Tensor) -> float:
    """|found - expected| / |expected|."""
    return float((found - expected).norm() / expected.norm())


def check_same(found: Output, expected: Output, logits: float, maps: float) -> None:
    """Logits and maps agree to relative tolerances, and are more than zeros."""
    assert float(expected.logits.norm()) > 1e-3
    assert distance(found.logits, expected.logits) <= logits
    for ours, theirs in zip(found.attention, expected.attention, strict=True):
        assert distance(ours, theirs) <= maps
