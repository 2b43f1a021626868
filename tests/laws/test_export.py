"""An exported network holds ordinary convolutions only, and gives the same numbers."""

import pytest
import torch
from torch import nn
from whole_networks import as_if_trained, check_same, full, narrow, some_images

from equiradio.layers import LiftingConvolution, SteerableConvolution
from equiradio.models import build
from equiradio.symmetry import BUILT, Dihedral, parse_group

SMALL = {"side": 40}


@torch.no_grad()
def check_export(net: nn.Module, side: int) -> nn.Module:
    plain, images = net.export(), some_images(side, count=2)
    assert not [module for module in plain.modules() if isinstance(module, LiftingConvolution | SteerableConvolution)]
    check_same(plain(images), net(images), logits=1e-12, maps=1e-12)
    return plain


@pytest.mark.parametrize("name", BUILT)
def test_exported_networks_give_the_same_numbers(name):
    check_export(narrow(parse_group(name), **SMALL), side=38)


def test_an_exported_plain_network_is_the_same():
    check_export(narrow(None, **SMALL), side=38)


@pytest.mark.parametrize("name", ["lenet", "c4-lenet", "d2-lenet"])
def test_exported_lenets_give_the_same_numbers(name):
    torch.manual_seed(0)
    check_export(as_if_trained(build(name)).double(), side=150)


def test_an_export_stays_as_it_is_when_the_network_learns_on():
    net = narrow(Dihedral(2), **SMALL)
    images = some_images(38)
    with torch.no_grad():
        plain = net.export()
        before = plain(images)
        for weight in net.parameters():
            weight.mul_(0.5)
        check_same(plain(images), before, logits=0, maps=0)
        with pytest.raises(AssertionError):
            check_same(net(images), before, logits=1e-3, maps=1e-3)


def test_an_exported_network_is_of_the_registry_too():
    plain = full("c4-attention").export()
    assert sum(isinstance(module, nn.Conv2d) and module.kernel_size == (5, 5) for module in plain.modules()) == 11
