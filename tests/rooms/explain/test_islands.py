"""Pointing, energy, precision and rank: full marks for the mask itself, the mask's area for noise."""

import numpy as np
import pytest

from equiradio.explain import islands as room
from equiradio.explain.islands import energy_inside, points_at, precision_of, rank_of, source_islands


@pytest.fixture
def mask():
    mask = np.zeros((60, 60), bool)
    mask[20:30, 25:40] = True
    return mask


def test_a_map_that_is_the_mask_scores_full_marks(mask):
    plane = mask.astype(float)
    assert points_at(plane, mask) == energy_inside(plane, mask) == precision_of(plane, mask) == 1
    assert rank_of(plane, mask) == pytest.approx(1 - mask.mean() / 2)


def check_noise(mask):
    rng, area = np.random.default_rng(0), mask.mean()
    planes = rng.random((200, *mask.shape))
    assert np.mean([energy_inside(plane, mask) for plane in planes]) == pytest.approx(area, rel=0.05)
    assert np.mean([precision_of(plane, mask) for plane in planes]) == pytest.approx(area, rel=0.1)
    assert np.mean([rank_of(plane, mask) for plane in planes]) == pytest.approx(0.5, abs=0.01)
    hits = np.mean([points_at(plane, mask) for plane in planes])
    assert hits == pytest.approx(room.near(mask).mean(), abs=0.06)


def test_noise_scores_the_masks_area(mask):
    check_noise(mask)


def test_the_noise_law_catches_a_pointing_game_that_always_hits(mask, monkeypatch):
    monkeypatch.setitem(globals(), "points_at", lambda plane, mask: 1.0)
    with pytest.raises(AssertionError):
        check_noise(mask)


def test_the_noise_law_catches_an_energy_of_the_outside(mask, monkeypatch):
    monkeypatch.setitem(globals(), "energy_inside", lambda plane, mask: energy_of_outside(plane, mask))
    with pytest.raises(AssertionError):
        check_noise(mask)


def energy_of_outside(plane, mask):
    return float(plane[~mask].sum() / plane.sum())


def test_a_map_of_the_rest_scores_nothing(mask):
    plane = (~mask).astype(float)
    assert energy_inside(plane, mask) == 0
    assert rank_of(plane, mask) < 0.05
    assert precision_of(plane, mask) < 2 * mask.mean()


def test_islands_of_a_beam_are_kept_and_noise_is_not():
    image = np.zeros((40, 40), np.uint8)
    image[5:9, 5:9] = 30
    image[20, 20] = 200
    image[30:32, 30:34] = 9
    islands = source_islands(image)
    assert islands.sum() == 16
    assert islands[6, 6]
    assert not source_islands(np.zeros((40, 40), np.uint8)).any()


def test_what_has_no_answer_is_nan_and_flat_maps_are_chance(mask):
    flat, empty = np.ones(mask.shape), np.zeros_like(mask)
    assert np.isnan(precision_of(flat, empty))
    assert np.isnan(rank_of(flat, empty))
    assert energy_inside(flat, mask) == pytest.approx(mask.mean())
    assert energy_inside(np.zeros(mask.shape), mask) == pytest.approx(mask.mean())
