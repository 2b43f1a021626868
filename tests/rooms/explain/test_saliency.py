"""Score-CAM and occlusion: what they mark is what moves the answer, and captum's occlusion is the same."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from equiradio.explain import saliency as room
from equiradio.explain.saliency import occlusion, score_cam, windows

SIDE = 150


@pytest.fixture
def member():
    """Answers with the light in a corner of the image less half of that elsewhere; its two channels are that corner and the rest."""
    corner = torch.zeros(SIDE, SIDE)
    corner[:75, :75] = 1

    def look(images):
        planes = torch.as_tensor(images, dtype=torch.float64)
        logits = (planes * (1.5 * corner - 0.5)).mean((1, 2)) * 4
        channels = torch.stack([corner, 1 - corner])[None].repeat(len(planes), 1, 1, 1)
        return SimpleNamespace(logits=torch.stack([-logits, logits], 1), attended=[channels])

    return SimpleNamespace(look=look, network=SimpleNamespace(side=SIDE))


@pytest.fixture
def images():
    plane = np.zeros((1, SIDE, SIDE), np.uint8)
    plane[0, 40:60, 40:60] = 200
    plane[0, 100:120, 90:130] = 100
    return plane


def test_score_cam_marks_the_channel_that_answers(member, images):
    """The class of the corner by its light, the other class by the light elsewhere."""
    for label, inside, outside in ((1, (50, 50), (110, 110)), (0, (110, 110), (50, 50))):
        plane = score_cam(member, images, np.array([label]))[0]
        assert plane.shape == (SIDE, SIDE)
        assert plane[inside] > 0.9 > 0.1 > plane[outside] >= 0


def test_score_cam_without_any_channel_is_empty(member, images):
    flat = SimpleNamespace(look=lambda x: SimpleNamespace(attended=[torch.ones(1, 2, 8, 8)]), network=member.network)
    assert not score_cam(flat, images, np.array([1])).any()


def check_against_captum(member, images):
    captum = pytest.importorskip("captum.attr")
    forward = lambda planes: member.look(planes[:, 0]).logits
    inputs = torch.from_numpy(images.astype(np.float32))[:, None]
    theirs = captum.Occlusion(forward).attribute(inputs, sliding_window_shapes=(1, 30, 30), strides=(1, 15, 15), target=1)
    ours = occlusion(member, images.astype(np.float32), np.array([1]), window=30)
    assert ours.any()
    np.testing.assert_allclose(ours[0], theirs[0, 0].numpy(), atol=1e-5)


def test_occlusion_is_captums(member, images):
    check_against_captum(member, images)


def test_the_oracle_catches_windows_that_do_not_overlap(member, images, monkeypatch):
    monkeypatch.setattr(room, "windows", lambda side, window: list(windows(side, window))[::2])
    with pytest.raises(AssertionError):
        check_against_captum(member, images)


def test_what_is_dark_is_not_asked_about(member, images):
    asked = []
    counting = SimpleNamespace(look=lambda planes: (asked.append(len(planes)), member.look(planes))[1], network=member.network)
    plane = occlusion(counting, images, np.array([1]), window=30)[0]
    lit = [place for place in windows(SIDE, 30) if images[0][place].any()]
    assert sum(asked) == 1 + len(lit) < len(list(windows(SIDE, 30))) / 2
    assert plane[50, 50] > 0 > plane[110, 110]
    assert not plane[:10].any()
