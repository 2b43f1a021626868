"""The same image gives the same answer alone and in any batch."""

import pytest
import torch
from torch import Tensor, nn
from whole_networks import SMALL, as_if_trained, check_same, full, narrow, some_images

from equiradio.models import Output, build
from equiradio.symmetry import BUILT, Cyclic, parse_group

EXACT, SINGLE = {"logits": 1e-9, "maps": 1e-9}, {"logits": 1e-4, "maps": 1e-4}


@torch.no_grad()
def check_company(net: nn.Module, images: Tensor, *, logits: float, maps: float) -> None:
    together = net(images)
    for row in range(len(images)):
        of_row = {name: [part[row : row + 1] for part in getattr(together, name)] for name in ("attention", "heads", "vectors", "attended")}
        check_same(net(images[row : row + 1]), Output(together.logits[row : row + 1], **of_row), logits, maps)


@pytest.mark.parametrize("name", BUILT)
def test_an_image_alone_answers_as_in_company(name):
    check_company(narrow(parse_group(name), **SMALL), some_images(38, count=3), **EXACT)


@pytest.mark.parametrize("normalisation", ["range", "sigmoid", "softmax", "std-mean", "tanh", "anchored"])
@pytest.mark.parametrize("group", [None, Cyclic(4)], ids=["plain", "C4"])
def test_so_it_does_under_every_normalisation(normalisation, group):
    bright = 1.0 if group else 1e3  # free filters are born with so small weights that an anchored gate sees but rounding in them
    check_company(narrow(group, normalisation=normalisation, **SMALL), bright * some_images(38, count=3), **EXACT)


@pytest.mark.parametrize("name", ["attention", "c4-attention"])
def test_full_networks_keep_to_it_in_float64(name):
    check_company(full(name), some_images(150, count=2), **EXACT)


@pytest.mark.parametrize("name", ["attention", "c4-attention", "d4-attention", "attention-anchored", "c4-attention-anchored"])
def test_full_networks_keep_to_it_in_float32(name):
    check_company(full(name, torch.float32), some_images(150, count=2, dtype=torch.float32), **SINGLE)


@pytest.mark.parametrize("name", ["lenet", "c4-lenet", "d4-lenet"])
def test_lenets_keep_to_it(name):
    torch.manual_seed(0)
    net = as_if_trained(build(name))
    check_company(net.double(), some_images(150, count=2), **EXACT)
    check_company(net.float(), some_images(150, count=2, dtype=torch.float32), **SINGLE)


def test_the_law_catches_a_batch_wide_range():
    """The published code's habit: neighbours move the logits by percents."""
    with pytest.raises(AssertionError):
        check_company(narrow(Cyclic(4), normalisation="batch-range", **SMALL), some_images(38, count=3), logits=1e-2, maps=1e-2)


def test_the_law_catches_batch_norm_in_training():
    with pytest.raises(AssertionError):
        check_company(narrow(Cyclic(4), dropout=0.0, **SMALL).train(), some_images(38, count=3), logits=1e-2, maps=1e-2)
