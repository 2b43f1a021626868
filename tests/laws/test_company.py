"""The same image gives the same answer alone and in any batch."""

import pytest
import torch
from torch import Tensor, nn
from whole_networks import FAST, SMALL, as_if_trained, check_same, full, narrow, some_images

from equiradio.compute.forms import take_likely_forms
from equiradio.layers.forms.native import library
from equiradio.layers.head import HeadLinear
from equiradio.models import Output, build
from equiradio.models.aggregation import Aggregation
from equiradio.settings import ModelSettings
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


def check_bits(ask, rows: Tensor) -> None:
    """Rows in batches of any size are answered with the same bits."""
    with torch.inference_mode():
        whole = ask(rows)
        for size in (1, 2, 7, len(rows)):
            assert torch.equal(torch.cat([ask(some) for some in rows.split(size)]), whole), f"batches of {size}"


WIDTHS = (6, 16, 32)
HEADS = [{"aggregation": "fine-tuned"}, {"aggregation": "mean"}, {"aggregation": "concat"}, {"gates": 0}]


def heads(**changes):
    """Attended features (batch, all of them) -> logits."""
    torch.manual_seed(0)
    widths = WIDTHS if changes.get("gates", 3) else WIDTHS[-1:]
    net = as_if_trained(Aggregation(widths, ModelSettings(**FAST | changes), classes=4))
    return lambda rows: net(list(rows[:, -sum(widths) :].split(widths, 1)))[0]


@pytest.mark.parametrize("changes", HEADS, ids=lambda changes: "-".join(map(str, changes.values())))
def test_heads_answer_with_the_same_bits_in_batches_of_any_size(changes):
    torch.manual_seed(1)
    check_bits(heads(**changes), torch.randn(32, sum(WIDTHS)))


@pytest.mark.skipif(library.best() is None, reason="the kernels were not compiled here")
@pytest.mark.parametrize("normalisation", ["range", "anchored"])
@pytest.mark.parametrize("group", [None, Cyclic(4), parse_group("D4")], ids=["plain", "C4", "D4"])
def test_so_do_whole_networks_in_the_compiled_form(group, normalisation):
    net = narrow(group, torch.float32, normalisation=normalisation, **SMALL)
    take_likely_forms(net)
    check_bits(lambda images: net(images).logits, some_images(38, count=32, dtype=torch.float32))


def test_the_law_of_bits_catches_a_sum_in_another_order(monkeypatch):
    def other_order(layer, rows):
        order = slice(None) if len(rows) == 1 else torch.arange(rows.shape[1] - 1, -1, -1)
        return nn.functional.linear(rows[:, order], layer.weight[:, order], layer.bias)

    monkeypatch.setattr(HeadLinear, "forward", other_order)
    with pytest.raises(AssertionError, match="batches of 1"):
        test_heads_answer_with_the_same_bits_in_batches_of_any_size(HEADS[0])


def test_the_law_catches_a_batch_wide_range():
    """The published code's habit: neighbours move the logits by percents."""
    with pytest.raises(AssertionError):
        check_company(narrow(Cyclic(4), normalisation="batch-range", **SMALL), some_images(38, count=3), logits=1e-2, maps=1e-2)


def test_the_law_catches_batch_norm_in_training():
    with pytest.raises(AssertionError):
        check_company(narrow(Cyclic(4), dropout=0.0, **SMALL).train(), some_images(38, count=3), logits=1e-2, maps=1e-2)
