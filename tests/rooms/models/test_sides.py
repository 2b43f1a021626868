"""Networks of images of any even side: padded to a multiple of 8, exact under quarter turns, and loaded as they were built."""

import pytest
import torch
from torch.testing import assert_close

from equiradio.models import registry
from equiradio.models.gated import GatedNet
from equiradio.models.registry import build


def a_network(name, side):
    torch.manual_seed(3)
    network = build(name, image_side=side, classes=3)
    return network.double().eval()


def law_of_turns(name, side):
    network = a_network(name, side)
    images = torch.rand(2, 1, side, side, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    images[:, :, :8] = network.blank
    plain = network(images)
    for turns in range(1, 4):
        turned = network(torch.rot90(images, turns, (-2, -1)))
        assert_close(turned.logits, plain.logits, rtol=0, atol=1e-9)
        for before, after in zip(plain.attention, turned.attention, strict=True):
            assert_close(after, torch.rot90(before, turns, (-2, -1)), rtol=0, atol=1e-9)


@pytest.mark.parametrize("side", [40, 44, 76, 100])
@pytest.mark.parametrize("name", ["c4-attention-narrow", "d4-attention-narrow"])
def test_quarter_turns_are_exact_at_any_even_side(name, side):
    law_of_turns(name, side)


def test_the_law_catches_a_side_that_is_not_halved_evenly(monkeypatch):
    whole = GatedNet.__init__

    def unpadded(self, *arguments, **named):
        whole(self, *arguments, **named)
        self.side = self.image_side

    monkeypatch.setattr(registry.GatedNet, "__init__", unpadded)
    with pytest.raises(AssertionError):
        law_of_turns("c4-attention-narrow", 44)


@pytest.mark.parametrize(("side", "padded"), [(150, 152), (76, 80), (80, 80), (42, 48)])
def test_the_sky_is_padded_to_the_next_multiple_of_eight(side, padded):
    network = build("attention", image_side=side)
    assert (network.image_side, network.side) == (side, padded)


@pytest.mark.parametrize("name", ["lenet", "c4-lenet"])
def test_lenets_take_the_side_that_they_are_built_for(name):
    network = a_network(name, 44)
    assert network(torch.zeros(1, 1, 44, 44, dtype=torch.float64)).logits.shape == (1, 3)
    assert (network.image_side, network.side) == (44, 44)
