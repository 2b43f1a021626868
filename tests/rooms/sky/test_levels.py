"""What pixels in MiraBest form hold of brightness over noise."""

import numpy as np
import pytest

from equiradio.sky.cutout import noise, stretched
from equiradio.sky.levels import brightness, field_of_source, peak_in_sigma


def a_field(peak: float, seed: int = 0) -> tuple[np.ndarray, float]:
    """A Gaussian source of so many sigma on noise (150, 150), in Jy per beam, and the noise as measured."""
    rows, columns = np.indices((150, 150)) - 74.5
    sky = np.random.default_rng(seed).normal(size=(150, 150)) + peak * np.exp(-(rows**2 + columns**2) / 2 / 8**2)
    return 1e-4 * sky, noise(1e-4 * sky)[1]


@pytest.mark.parametrize("peak", [10.0, 40.0, 100.0, 300.0])
def test_brightness_over_noise_is_read_from_the_faintest_level(peak):
    pixels, sigma = a_field(peak)
    image = stretched(pixels, sigma)[None]
    faintest = image[image > 0].min()
    true = pixels.max() / sigma
    assert peak_in_sigma(image)[0] == pytest.approx(true, rel=0.6 / faintest)
    lit = image[0] > 0
    half_a_level = 0.5 * true / 255
    np.testing.assert_allclose(brightness(image)[0][lit], (pixels / sigma)[lit], rtol=0.6 / faintest, atol=2 * half_a_level)
    assert not brightness(image)[0][~lit].any()


def test_a_faintest_level_of_one_is_of_a_bright_source_and_a_blank_image_is_of_three_sigma():
    images = np.zeros((3, 5, 5), np.uint8)
    images[0, 2] = [0, 1, 255, 1, 0]
    images[1, 2, 2] = 255
    np.testing.assert_allclose(peak_in_sigma(images), [510, 3, 3])
    assert brightness(images)[2].max() == 0


def test_the_field_of_a_source_holds_most_of_its_brightness():
    images = np.zeros((3, 150, 150), np.uint8)
    images[0, 74:76, 74:76] = 255
    images[1, 74, [44, 105]] = 255  # 30.5 pixels away on both sides
    images[1, 75, 75] = 255
    images[2, 75, 75], images[2, 10, 10] = 255, 20  # a stranger of 7 %
    np.testing.assert_allclose(field_of_source(images), [2 * 1.8 * 0.5**0.5, 2 * 1.8 * np.hypot(30.5, 0.5), 2 * 1.8 * 0.5**0.5])
