"""Exported classifiers: raw images in, the classifier's own numbers out, by ordinary layers alone."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from equiradio.compute.preprocess import Preprocessing
from equiradio.export import plain as module
from equiradio.export.plain import export, folded
from equiradio.layers import FieldBatchNorm, LiftingConvolution, SteerableConvolution
from equiradio.models import GatedNet, build
from equiradio.models.lenet import EquivariantLeNet
from equiradio.settings import ModelSettings
from equiradio.symmetry import BUILT, Cyclic, Dihedral, parse_group

FREE = {"pooling": "mean", "head_relu": False}


def as_if_trained(network: nn.Module, signs: bool = True) -> nn.Module:
    """Random statistics, scales (some negative, one zero) and shifts, in float64."""
    generator = torch.Generator().manual_seed(0)
    for layer in network.double().modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_(0, 0.3, generator=generator)
            layer.running_var.uniform_(0.5, 2, generator=generator)
            layer.weight.data.uniform_(0.5, 1.5, generator=generator)
            layer.bias.data.normal_(0, 0.3, generator=generator)
            if signs:
                layer.weight.data[0] *= -1
                layer.weight.data[1] = 0
    return network.eval()


def classifier(network: nn.Module, mask: float | None = 75.0) -> SimpleNamespace:
    return SimpleNamespace(network=network, preprocess=Preprocessing(0.0031, 0.035, mask))


def narrow(group, **changes) -> nn.Module:
    torch.manual_seed(0)
    blank = Preprocessing(0.0031, 0.035, None).blank
    return as_if_trained(GatedNet(ModelSettings(**FREE | changes), group, blank, (2, 3, 4, 5)))


@torch.no_grad()
def check(network: nn.Module, mask: float | None = 75.0) -> nn.Module:
    """The export's answers are the network's, on raw noise that reaches the border."""
    ours = classifier(network, mask)
    raw = torch.randint(0, 256, (2, 1, 150, 150), generator=torch.Generator().manual_seed(1)).double()
    plain = export(ours)
    output, (logits, probabilities, *attention) = network(ours.preprocess(raw)), plain(raw)
    for found, expected in [
        (logits, output.logits),
        (probabilities, output.logits.softmax(1)),
        *zip(attention, output.attention, strict=True),
    ]:
        assert float(expected.norm()) > 1e-3
        assert float((found - expected).norm() / expected.norm()) < 1e-12
    return plain


@pytest.mark.parametrize("name", [*BUILT[:8], "D16"])
def test_every_group_gives_the_same_numbers(name):
    plain = check(narrow(parse_group(name), side=40))  # a crop, to keep it short
    left = (LiftingConvolution, SteerableConvolution, FieldBatchNorm, nn.BatchNorm2d)
    assert not [layer for layer in plain.modules() if isinstance(layer, left)]


@pytest.mark.parametrize("mask", [None, 60.0])
def test_plain_networks_and_masks_too(mask):
    check(narrow(None), mask)


@pytest.mark.parametrize(
    "changes",
    [
        {"gates": 0},
        {"gates": 1},
        {"gates": 2},
        {"normalisation": "sigmoid"},
        {"normalisation": "softmax"},
        {"normalisation": "std-mean"},
        {"normalisation": "anchored"},
        {"aggregation": "concat"},
        {"aggregation": "mean"},
        {"aggregation": "deep-supervision"},
        {"kernel_size": 3},
        {"kernel_size": 9},
        {"side": 150},
        {"side": 152},
        {"downsampling": "antialiased"},
        {"downsampling": "antialiased", "side": 150},
        {"pooling": "sum", "head_relu": True},
    ],
    ids=str,
)
def test_every_variant_of_the_network_too(changes):
    check(narrow(Cyclic(2), **changes))


@pytest.mark.parametrize("name", ["lenet", "c4-lenet", "d2-lenet"])
def test_lenets_too(name):
    torch.manual_seed(0)
    network = as_if_trained(build(name))
    assert isinstance(check(network), module.PlainLeNet | module.PlainWhole)
    assert isinstance(network, EquivariantLeNet) == (name != "lenet")


def clamps(plain: nn.Module) -> list[module.Clamp]:
    return [layer for layer in plain.modules() if isinstance(layer, module.Clamp)]


SPOILS = {
    "padding before the normalisation": lambda plain: setattr(plain.blocks[0][0], "raw_of_zero", 0.0),
    "no blank around the image": lambda plain: setattr(plain.blocks[0][0], "blank", (2, 0, 2, 0)),
    "negative scales taken for positive": lambda plain: [setattr(clamp, "falls", False) for clamp in clamps(plain)],
    "a ReLU in the clamp's place": lambda plain: [clamp.floor.clamp_(min=0) for clamp in clamps(plain)],
}


@pytest.mark.parametrize("spoil", SPOILS.values(), ids=SPOILS)
def test_the_comparison_catches_a_wrong_fold(monkeypatch, spoil):
    right = export

    def spoilt(ours):
        plain = right(ours)
        spoil(plain)
        return plain

    monkeypatch.setitem(globals(), "export", spoilt)
    with pytest.raises(AssertionError):
        check(narrow(Dihedral(2)))


def test_one_layer_folds_exactly_whatever_its_signs():
    convolution, norm = nn.Conv2d(2, 4, 3, padding=1).double(), nn.BatchNorm2d(4).double()
    as_if_trained(norm)
    norm.weight.data = torch.tensor([1.5, -0.7, 0.0, -2.0], dtype=torch.float64)
    channels = torch.randn(1, 2, 5, 5, dtype=torch.float64)
    plain, clamp = folded(convolution, norm)
    with torch.no_grad():
        torch.testing.assert_close(clamp(plain(channels)), norm(torch.relu(convolution(channels))), rtol=0, atol=1e-14)


def test_the_export_shares_nothing_with_the_network():
    network = narrow(Cyclic(2))
    raw = torch.ones(1, 1, 150, 150, dtype=torch.float64)
    plain = export(classifier(network))
    before = plain(raw)[0].clone()
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(0.5)
    assert torch.equal(plain(raw)[0], before)
    assert not any(weight.requires_grad for weight in plain.parameters())
