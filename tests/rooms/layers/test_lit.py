"""Which pixels see more than empty sky: exactly those whose fields can differ from those of an empty image."""

import pytest
import torch
import torch.nn.functional as F

from equiradio.layers.lit import halved, lit_pixels, seen
from equiradio.layers.pooling import AntialiasedPool, max_pool

SIDES = [(1, 1), (1, 7), (4, 3), (12, 9), (13, 14)]


def some_lit(height: int, width: int) -> torch.Tensor:
    torch.manual_seed(height + width)
    return torch.rand(3, height, width) < 0.08


def test_a_pixel_is_lit_that_has_not_the_value_of_most():
    images = torch.full((2, 1, 5, 4), -0.1)
    images[0, 0, 1, 2], images[1, 0, 4, 3] = 3.0, -0.2
    assert lit_pixels(images).nonzero().tolist() == [[0, 1, 2], [1, 4, 3]]


@pytest.mark.parametrize("size", [1, 3, 5, 9])
@pytest.mark.parametrize("sides", SIDES, ids=str)
def test_a_window_sees_what_a_convolution_of_ones_sees(sides, size):
    lit = some_lit(*sides)
    counts = F.conv2d(lit[:, None].double(), torch.ones(1, 1, size, size).double(), padding=size // 2)
    assert torch.equal(seen(lit, size), counts[:, 0] > 0.5)


@pytest.mark.parametrize("sides", SIDES[2:], ids=str)
def test_half_the_pixels_see_what_the_largest_of_four_sees(sides):
    lit = some_lit(*sides)
    pooled = max_pool(lit[:, None].float())[:, 0]
    assert torch.equal(halved(lit, *pooled.shape[1:]), pooled > 0)


@pytest.mark.parametrize("side", [1, 2, 7, 12, 13])
def test_half_the_pixels_see_what_the_blur_sees(side):
    lit, pool = some_lit(side, side), AntialiasedPool()
    assert bool((pool.lit(lit) >= (pool(lit[:, None].double())[:, 0] > 0)).all())
    assert pool.lit(lit).shape[1:] == pool(lit[:, None].double()).shape[2:]
    assert not pool.lit(torch.zeros_like(lit)).any()
