"""Lie-derivative error: nothing for the identity and for what is round, much for what looks one way."""

import pytest
import torch
import torch.nn.functional as F

from equiradio.explain import generator as room
from equiradio.explain.generator import generator, lie_errors
from equiradio.models import build

SIDE = 40


def smooth(count=2):
    noise = torch.randn(count, 1, SIDE, SIDE, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    offset = torch.arange(SIDE, dtype=torch.float64) - (SIDE - 1) / 2
    window = torch.exp(-(offset[:, None] ** 2 + offset**2) / 80)
    return blur(noise, 2.0) * window


def blur(images, sigma):
    offset = torch.arange(-8, 9, dtype=images.dtype)
    profile = torch.exp(-(offset**2) / (2 * sigma**2))
    kernel = torch.outer(profile, profile)[None, None] / profile.sum() ** 2
    return F.conv2d(images, kernel, padding=8)


def stages(images):
    return {
        "identity": images,
        "square": images**2,
        "blur": blur(images, 2.0),
        "slope": F.conv2d(images, torch.tensor([[[[-1.0, 0, 1]]]], dtype=images.dtype), padding=(0, 1)),
    }


def check_known_answers():
    errors = lie_errors(stages, smooth())
    assert errors["identity"].max() < 1e-6
    assert errors["blur"].max() < 0.05
    assert errors["square"].max() < 0.2  # central differences of a square are not quite those of its root
    assert errors["slope"].min() > 0.2


def test_known_answers():
    check_known_answers()


def test_the_known_answers_catch_a_generator_of_shifts(monkeypatch):
    monkeypatch.setattr(room, "generator", lambda planes: planes.roll(1, -1) - planes.roll(-1, -1))
    with pytest.raises(AssertionError):
        check_known_answers()


def test_the_generator_is_the_derivative_of_a_turn():
    offset = torch.arange(SIDE, dtype=torch.float64) - (SIDE - 1) / 2
    up, right = -offset[:, None], offset[None, :]
    plane = right * up  # x y; turned counter-clockwise by a: d/da = y^2 - x^2 at the same place, with the sign of a moving plane
    inner = slice(2, -2)
    assert torch.allclose(generator(plane)[inner, inner], (up**2 - right**2)[inner, inner], atol=1e-9)
    turned = torch.rot90(right.expand(SIDE, SIDE) * 1.0, 1, (0, 1))  # x becomes y after a quarter turn counter-clockwise
    assert torch.allclose(turned, up.expand(SIDE, SIDE) * 1.0)


def test_stages_name_every_layer_and_gate():
    network = build("attention").eval()
    images = torch.randn(1, 1, 150, 150)
    stages = network.stages(images)
    assert list(stages)[:2] == ["block 1, layer 1", "block 1, layer 2"]
    assert len(stages) == 11 + 3
    assert all(value.dim() == 4 for value in stages.values())
    assert all(torch.equal(stages[f"gate {gate}"], seen) for gate, seen in enumerate(network(images).attention, 1))
    assert not any(norm._forward_hooks for block in network.blocks for norm in block.norms)
