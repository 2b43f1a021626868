"""Poses: turned as torch.rot90 turns, mirrored before turned, drawn from (seed, purpose, source, pass) and from nothing else."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from equiradio.compute import poses as augment
from equiradio.compute.poses import SCALES, TEST, TRAINING, VALIDATION, Poses, draw_poses, show, turned

SIDE = 30
seeds, numbers = st.integers(0, 2**32), st.integers(0, 10**6)


def an_image(seed=0, side=SIDE):
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (1, side, side), dtype=np.uint8))


def seen(image, rotation_deg=0.0, mirrored=False, scale=1.0):
    return show(image, Poses(np.array([rotation_deg]), np.array([mirrored]), np.array([scale])).matrices())[:, 0]


@given(st.integers(0, 3), seeds, st.integers(20, 31))
def test_quarter_turns_are_those_of_rot90(turns, seed, side):
    image = an_image(seed, side)
    # 255 levels at float32: the grid's rounding times the step between neighbouring pixels
    assert_close(seen(image, 90.0 * turns), torch.rot90(image.float(), turns, (-2, -1)), rtol=0, atol=255 * 1e-5)


@given(st.integers(0, 3), seeds)
def test_the_mirror_reverses_columns_before_the_turn(turns, seed):
    image = an_image(seed)
    expected = torch.rot90(image.float().flip(-1), turns, (-2, -1))
    assert_close(seen(image, 90.0 * turns, mirrored=True), expected, rtol=0, atol=255 * 1e-5)


def test_the_turning_law_catches_the_other_sense(monkeypatch):
    true = Poses.matrices
    monkeypatch.setattr(Poses, "matrices", lambda poses: true(Poses(-poses.rotation_deg, poses.mirrored, poses.scale)))
    with pytest.raises(AssertionError):
        test_quarter_turns_are_those_of_rot90.hypothesis.inner_test(turns=1, seed=0, side=SIDE)


def test_the_mirror_law_catches_the_other_order(monkeypatch):
    true = Poses.matrices
    # mirroring after a turn by t is mirroring before a turn by -t
    monkeypatch.setattr(
        Poses, "matrices", lambda p: true(Poses(np.where(p.mirrored, -p.rotation_deg, p.rotation_deg), p.mirrored, p.scale))
    )
    with pytest.raises(AssertionError):
        test_the_mirror_reverses_columns_before_the_turn.hypothesis.inner_test(turns=1, seed=0)


@pytest.mark.parametrize("angle", [17.0, 45.0, 133.0])
def test_any_turn_carries_a_spot_counterclockwise_as_drawn_rows_downward(angle):
    image = torch.zeros(1, 101, 101)
    image[0, 50, 80] = 255  # 30 pixels right of the centre
    turned_image = seen(image, angle)[0]
    rows, columns = np.meshgrid(np.arange(101) - 50, np.arange(101) - 50, indexing="ij")
    weight = turned_image.numpy() / turned_image.sum().item()
    centre = (rows * weight).sum(), (columns * weight).sum()
    expected = -30 * np.sin(np.deg2rad(angle)), 30 * np.cos(np.deg2rad(angle))  # up the rows: the sense of rot90
    np.testing.assert_allclose(centre, expected, atol=0.15)  # a spot of one pixel is sampled coarsely


@given(st.floats(*SCALES))
def test_a_scale_above_one_grows_the_source(scale):
    image = torch.zeros(1, 101, 101)
    image[0, 50, 80] = 255
    spot = seen(image, scale=scale)[0].numpy()
    assert (spot.sum(0) @ np.arange(101)) / spot.sum() == pytest.approx(50 + 30 * scale, abs=0.15)


def test_it_is_zero_outside_the_image():
    corners = seen(torch.full((1, 51, 51), 255, dtype=torch.uint8), 45.0)[0]
    assert corners[0, 0] == corners[-1, 0] == 0
    assert corners[25, 25] == 255
    assert seen(torch.full((1, 51, 51), 255, dtype=torch.uint8), scale=0.9)[0, 0].max() == 0


def test_half_a_pixel_away_is_the_mean_of_two_neighbours():
    image = torch.zeros(1, 4, 4)
    image[0, :, 1] = 100
    half = torch.tensor([[[1.0, 0.0, 0.25], [0.0, 1.0, 0.0]]])  # a shift of half a pixel: 2 / 4 pixels / 2
    assert_close(show(image, half)[0, 0, 0], torch.tensor([50.0, 50.0, 0.0, 0.0]), rtol=0, atol=1e-5)


def test_images_and_poses_go_in_pairs():
    images = torch.cat([an_image(0), an_image(1)])
    both = show(images, turned([90.0, 0.0]).matrices())
    assert both.shape == (2, 1, SIDE, SIDE)
    assert_close(both[0, 0], torch.rot90(images[0].float(), 1, (-2, -1)), rtol=0, atol=255 * 1e-5)
    assert_close(both[1, 0], images[1].float(), rtol=0, atol=255 * 1e-5)


def as_rows(poses):
    return np.stack([poses.rotation_deg, poses.mirrored, poses.scale], 1)


@given(seeds, st.sampled_from([TRAINING, VALIDATION, TEST]), st.lists(st.tuples(numbers, numbers), min_size=1, max_size=5))
def test_a_pose_does_not_depend_on_its_company(seed, purpose, pairs):
    together = draw_poses(seed, purpose, *np.array(pairs).T)
    for pair, row in zip(pairs, as_rows(together), strict=True):
        np.testing.assert_array_equal(as_rows(draw_poses(seed, purpose, np.array(pair[:1]), np.array(pair[1:])))[0], row)


def test_another_seed_purpose_source_or_pass_gives_another_pose():
    keys = [(0, TRAINING, 0, 0), (1, TRAINING, 0, 0), (0, VALIDATION, 0, 0), (0, TEST, 0, 0), (0, TRAINING, 1, 0), (0, TRAINING, 0, 1)]
    angles = [draw_poses(seed, purpose, np.array([s]), np.array([k])).rotation_deg[0] for seed, purpose, s, k in keys]
    assert len(set(angles)) == len(keys)


def test_poses_are_uniform():
    from scipy.stats import binomtest, kstest

    poses = draw_poses(0, TRAINING, np.arange(4000), np.zeros(4000, int))
    assert kstest(poses.rotation_deg / 360, "uniform").pvalue > 1e-3
    assert kstest((poses.scale - SCALES[0]) / (SCALES[1] - SCALES[0]), "uniform").pvalue > 1e-3
    assert binomtest(int(poses.mirrored.sum()), 4000).pvalue > 1e-3
    assert abs(np.corrcoef(as_rows(poses).T) - np.eye(3)).max() < 0.06


def test_the_stream_is_frozen():
    """Another stream would change every evaluation that is on record."""
    poses = draw_poses(0, augment.TEST, np.array([0]), np.array([1]))
    first = np.random.default_rng([0, 2, 0, 1]).random(3)
    np.testing.assert_array_equal(as_rows(poses)[0], [360 * first[0], first[1] < 0.5, 0.9 + (1.1 - 0.9) * first[2]])
