"""Peaks, inner half and the ratio on sources whose answer is known."""

import numpy as np
import pytest

from equiradio.explain import astronomy as room
from equiradio.explain.astronomy import agreement, correlation, holm, inner_share, marked, own_pixels, shape

SIDE = 101
MIDDLE = 50


def source(peaks, length=40):
    """A bar along the columns, ``length`` wide, with bright spots at these offsets from the centre."""
    image = np.zeros((SIDE, SIDE))
    image[MIDDLE - 2 : MIDDLE + 3, MIDDLE - length // 2 : MIDDLE + length // 2 + 1] = 10
    for offset in peaks:
        image[MIDDLE, MIDDLE + offset] = 100
    return image, image > 0


def check_frii():
    seen = shape(*source((-18, 16)))
    assert seen.separation == pytest.approx(34)
    assert seen.extent == pytest.approx(41, abs=1)
    assert seen.ratio > 0.5
    assert sorted(seen.distances) == [16, 18]


def test_two_hot_spots_at_the_ends_are_frii():
    check_frii()


def test_the_law_of_hot_spots_catches_a_blind_side(monkeypatch):
    eigh = np.linalg.eigh
    monkeypatch.setattr(room.np.linalg, "eigh", lambda matrix: (None, eigh(matrix)[1][:, ::-1]))
    with pytest.raises(AssertionError):
        check_frii()


def test_a_bright_middle_is_fri_whichever_way_it_lies():
    image, pixels = source((-3, 2))
    for turns in range(4):
        seen = shape(np.rot90(image, turns), np.rot90(pixels, turns))
        assert seen.ratio == pytest.approx(5 / seen.extent)
        assert seen.ratio < 0.5


def test_one_sided_light_has_no_separation_and_specks_no_answer():
    image = np.zeros((SIDE, SIDE))
    image[MIDDLE, MIDDLE + 5 : MIDDLE + 15] = 1
    assert shape(image, image > 0).ratio == 0
    image[:] = 0
    image[MIDDLE, MIDDLE] = 1
    assert shape(image, image > 0) is None


def test_inner_half_of_a_flat_bar_and_of_a_core():
    image, pixels = source((), length=40)
    assert inner_share(np.ones_like(image), pixels, 40) == pytest.approx(0.5, abs=0.03)
    core = np.zeros_like(image)
    core[MIDDLE, MIDDLE] = 1
    assert inner_share(core, pixels, 40) == 1
    assert np.isnan(inner_share(np.zeros_like(image), pixels, 40))


def test_islands_out_of_reach_belong_to_others():
    _, pixels = source(())
    far = pixels.copy()
    far[2:5, 2:5] = True
    assert np.array_equal(own_pixels(far, 41 * 1.8, 1.8), pixels)
    assert np.array_equal(own_pixels(far, 41 * 6.0, 6.0), pixels)
    assert np.array_equal(own_pixels(far, float("nan"), 1.8), far)
    assert np.array_equal(own_pixels(far, 41 * 1.8, 0.0), far), "sizes say nothing about pixels of unknown scale"


def test_correlation_and_agreement_of_known_lists():
    x = np.arange(20.0)
    assert correlation(x, x**2)["rho"] == pytest.approx(1)
    assert correlation(x, np.ones(20))["rho"] is None
    labels = np.arange(20) % 2
    same, other = agreement(labels, labels), agreement(labels, np.zeros(20, int))
    assert (same["share"], same["kappa"]) == (1, 1)
    assert same["p_value"] < 1e-4
    assert other["share"] == 0.5
    assert other["kappa"] == pytest.approx(0)
    assert same["table"] == [[10, 0], [0, 10]]


def check_marked():
    """A map of the hot spots ranks them and not the core; one of the core the other way round; the image's negative neither."""
    image, pixels = source((-18, 16))
    rows = np.arange(SIDE) - MIDDLE
    spots = np.exp(-np.hypot(rows[:, None], np.minimum(abs(rows + 18), abs(rows - 16))) / 3)
    core = np.exp(-np.hypot(rows[:, None], rows) / 3)
    at_core, at_peaks = marked(spots, image, pixels)
    assert at_core < 0.6
    assert at_peaks > 0.9
    at_core, at_peaks = marked(core, image, pixels)
    assert at_core > 0.9
    assert at_peaks < 0.3
    assert marked(-spots, image, pixels)[1] < 0.1


def test_core_and_peaks_are_ranked_where_the_image_has_them():
    check_marked()


def test_the_law_of_marks_catches_the_dimmest_pixels(monkeypatch):
    peaks = room.side_peaks
    monkeypatch.setattr(room, "side_peaks", lambda plane, pixels: peaks(-plane, pixels))
    with pytest.raises(AssertionError):
        check_marked()


def test_noise_ranks_core_and_peaks_in_the_middle():
    image, pixels = source((-18, 16))
    ranks = [marked(np.random.default_rng(seed).random(image.shape), image, pixels) for seed in range(200)]
    np.testing.assert_allclose(np.mean(ranks, 0), 0.5, atol=0.04)
    assert np.isnan(marked(image, image, np.zeros_like(pixels))).all()


def test_holm_is_the_textbooks():
    corrected = holm(np.array([0.01, 0.04, np.nan, 0.03, 0.005]))
    np.testing.assert_allclose(corrected, [0.03, 0.06, np.nan, 0.06, 0.02])
    assert holm(np.array([0.9, 0.8])).tolist() == [1, 1]
