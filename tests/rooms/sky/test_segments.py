"""Segments are those of photutils, for any image, threshold and size."""

import warnings

import numpy as np
import pytest

from equiradio.sky.segments import segments


@pytest.mark.parametrize("seed", range(40))
def test_they_are_those_of_photutils(seed):
    from photutils.segmentation import detect_sources

    draw = np.random.default_rng(seed)
    light = draw.normal(size=draw.integers(1, 60, 2)).astype(draw.choice(["f4", "f8"]))
    light[draw.random(light.shape) < 0.05] = np.nan
    threshold, pixels = draw.uniform(-1, 2.5), int(draw.integers(1, 12))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there is none
        oracle = detect_sources(light, threshold, pixels)
    np.testing.assert_array_equal(segments(light, threshold, pixels), 0 if oracle is None else oracle.data)


def test_pixels_that_touch_by_a_corner_are_one_and_small_ones_are_none():
    image = np.zeros((6, 6), np.uint8)
    image[[0, 1, 2], [0, 1, 2]] = 9
    image[0, 5] = image[5, 0] = image[5, 1] = 200
    labels = segments(image, 0, 2)
    assert labels.max() == 2
    assert (labels[[0, 1, 2], [0, 1, 2]] == 1).all()
    assert (labels[5, :2] == 2).all()
    assert labels[0, 5] == 0
    assert not segments(image, 200, 1).any()
