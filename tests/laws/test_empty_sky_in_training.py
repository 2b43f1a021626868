"""A network that trains without computing empty sky again for every image trains as the dense form does."""

from unittest import mock

import pytest
import torch
from whole_networks import SMALL, distance, in_form, narrow

from equiradio.layers import lit
from equiradio.layers.forms.native import learning, library
from equiradio.layers.forms.native.kernels import convolve_back
from equiradio.models import gated
from equiradio.symmetry import parse_group

pytestmark = pytest.mark.skipif(library.best() is None, reason="the kernels were not compiled here")

LARGER = SMALL | {"side": 80}  # the sky around a source is still empty behind the second block


def islands(side: int, count: int) -> torch.Tensor:
    """Images (count, 1, side, side) of few lit pixels, one at a corner, on a sky of one value."""
    generator = torch.Generator().manual_seed(3)
    images = torch.full((count, 1, side, side), -0.1, dtype=torch.float64)
    for number, image in enumerate(images[:, 0]):
        for row, column in torch.randint(0, side, (2, 2), generator=generator).tolist():
            image[row : row + 2, column : column + 3] = 3 + number
    images[0, 0, 0, 0] = 5
    return images


def step(form: str, images: torch.Tensor, group: str | None = "D4", **changes) -> dict[str, torch.Tensor]:
    """Logits, gradients and batch statistics of one step; in the dense form torch computes everything."""
    with mock.patch.object(library, "best", library.best if form == "native" else lambda: None):
        return _step(form, images, group, **changes)


def _step(form: str, images: torch.Tensor, group: str | None, still: bool = False, **changes) -> dict[str, torch.Tensor]:
    net = in_form(narrow(group and parse_group(group), **LARGER | changes), form).train()
    net.blocks.train(not still)
    torch.manual_seed(0)  # dropout
    logits = net(images).logits
    logits.square().sum().backward()
    gradients = {f"gradient of {name}": weight.grad for name, weight in net.named_parameters() if weight.grad is not None}
    return {"logits": logits.detach()} | gradients | {name: value.double() for name, value in net.named_buffers()}


def check_same_step(images: torch.Tensor, **changes) -> None:
    ours, dense = step("native", images, **changes), step("dense", images, **changes)
    assert ours.keys() == dense.keys()
    for name, value in dense.items():
        assert distance(ours[name], value) < 1e-9 or float((ours[name] - value).norm()) < 1e-12, name


@pytest.fixture
def shared(monkeypatch) -> list[bool]:
    """Of every call of a layer that knows what is lit, whether anything was left out."""
    calls, usual = [], learning.shared

    def shared(lit: torch.Tensor) -> learning.Shared:
        pixels = usual(lit)
        calls.append(not pixels.active.all())
        return pixels

    monkeypatch.setattr(learning, "shared", shared)
    return calls


@pytest.mark.parametrize("group", [None, "C1", "C4", "C8", "D1", "D4", "D8"])
def test_a_step_is_that_of_the_dense_form(shared, group):
    check_same_step(islands(78, 4), group=group)
    assert sum(shared) >= 4


@pytest.mark.parametrize("group", [None, "C4"])
def test_blocks_in_evaluation_learn_by_the_statistics_that_they_have(group):
    check_same_step(islands(78, 4), group=group, still=True)
    after = step("native", islands(78, 4), group, still=True)
    batches = [int(value) for name, value in after.items() if name.endswith("num_batches_tracked")]
    assert len(batches) > 8
    assert not any(batches), "statistics of the batch were taken"


@pytest.mark.parametrize(
    "changes",
    [{"downsampling": "antialiased"}, {"side": 78}, {"gates": 0}, {"normalisation": "batch-range"}, {"normalisation": "anchored"}],
    ids=str,
)
def test_in_any_kind_of_network(shared, changes):
    check_same_step(islands(78, 4), **changes)
    assert any(shared)


@pytest.mark.parametrize("count", [2, 3, 9])
def test_with_any_number_of_images(count):
    check_same_step(islands(78, count))


def test_images_without_empty_sky():
    check_same_step(torch.randn(2, 1, 78, 78, dtype=torch.float64))


def test_a_sky_that_no_recipe_knows(shared):
    check_same_step(islands(78, 4) + 0.7)
    assert any(shared)


def test_the_law_catches_windows_that_are_too_small(monkeypatch):
    monkeypatch.setattr(gated, "seen", lambda pixels, size: lit.seen(pixels, 3))
    with pytest.raises(AssertionError):
        check_same_step(islands(78, 4))


def test_the_law_catches_a_pooling_that_forgets(monkeypatch):
    monkeypatch.setattr(gated, "halved", lambda pixels, height, width: pixels[:, ::2, ::2])
    monkeypatch.setattr(gated, "seen", lambda pixels, size: pixels if pixels.shape[1] < 80 else lit.seen(pixels, size))
    with pytest.raises(AssertionError):
        check_same_step(islands(78, 4))


def test_the_law_catches_gradients_that_are_dropped(monkeypatch):
    monkeypatch.setattr(
        learning.Steerable, "back", lambda way, grad, factors, active: convolve_back(way.shape, way.weight, grad, factors.dtype, active)
    )
    with pytest.raises(AssertionError):
        check_same_step(islands(78, 4))


def test_the_same_step_twice_is_the_same_bit_for_bit():
    images = islands(78, 4).float().double()
    first, second = step("native", images), step("native", images)
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_gradients_by_single_images_stay_theirs(shared):
    """Asked for where a network answers, and where the images themselves are asked for."""
    net, images = in_form(narrow(parse_group("C4"), **LARGER), "native"), islands(78, 3)
    net(images).logits.sum().backward()
    net.train()(images.requires_grad_()).logits.sum().backward()
    with torch.no_grad():
        net(images)
    assert shared == []
    net(images.detach())
    assert shared
