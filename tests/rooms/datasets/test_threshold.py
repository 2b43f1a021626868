"""What lies below the threshold of images that were set to it is put back: as much of the peak as it was."""

import numpy as np
import pytest
from scipy import ndimage

from equiradio.datasets import first
from equiradio.datasets.first import CENTRE, FOLD, excess_of, house_pixels
from equiradio.datasets.registry import open_data
from equiradio.datasets.splits import pairs_within
from equiradio.datasets.threshold import HIGHEST, threshold_over_peak, with_threshold
from equiradio.sky.levels import peak_in_sigma
from equiradio.sky.recipe import MIRABEST

BEAM = 5.4 / 1.8 / 2.3548  # pixels, standard deviation


def sky(peak_in_sigma, seed):
    """Two lobes and a core through FIRST's beam with its noise, in sigma: (300, 300)."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices((300, 300)) - 149.5
    lobes = sum(
        size * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * (BEAM * width) ** 2))
        for x, y, width, size in ((-12, 5, 2.5, 0.8), (11, -6, 2, 1), (0, 0, 1, 0.4))
    )
    noise = ndimage.gaussian_filter(rng.normal(size=(300, 300)), BEAM)
    return peak_in_sigma * lobes / lobes.max() + noise / noise.std()


def published(seen):
    """Set to 3 sigma where it is fainter, and stretched, as the data set is: uint8 (300, 300)."""
    above = np.maximum(seen, 3) - 3
    return (above / above.max() * 255).astype(np.uint8)


@pytest.mark.parametrize("peak", [20, 60, 150, 500])
def test_the_threshold_is_estimated_within_two_fifths(peak):
    shares = [threshold_over_peak(excess_of(published(sky(peak, seed))), CENTRE) for seed in range(4)]
    assert np.median(shares) * peak / 3 == pytest.approx(1, rel=0.4)


@pytest.mark.parametrize("peak", [20, 60, 150])
def test_the_image_is_as_the_recipe_makes_it_of_the_sky(peak):
    seen = sky(peak, 5)[CENTRE]
    ours, left_out = house_pixels(published(sky(peak, 5))), with_threshold(excess_of(published(sky(peak, 5))), CENTRE, 0.0)
    made = np.where(seen > 3, seen / seen.max() * 255, 0).astype(np.uint8)
    both = (made > 0) & (ours > 0)
    assert both.sum() > 0.9 * (made > 0).sum()
    away = [np.abs(image[both].astype(float) - made[both]).mean() for image in (ours, left_out)]
    assert away[0] < 0.65 * away[1]


def test_what_was_at_the_threshold_stays_empty_and_the_peak_the_brightest():
    image = house_pixels(published(sky(40, 1)))
    assert (image > 0).sum() == (excess_of(published(sky(40, 1)))[CENTRE] > 0).sum()
    assert image.max() == 255
    assert image[image > 0].min() == pytest.approx(255 * 3 / 40, rel=0.5)


def test_an_image_without_noise_or_edge_has_a_threshold_below_its_peak():
    one = np.zeros((300, 300))
    one[150, 150] = 255  # a single lit pixel
    assert 0 < threshold_over_peak(one, CENTRE) < HIGHEST
    loud = np.where(np.indices((300, 300)).sum(0) % 3 == 0, 250.0, 0.0)
    loud[::2] = 0
    assert threshold_over_peak(loud, CENTRE) == HIGHEST


def test_of_real_sources_it_is_the_threshold_that_mirabest_shows(mirabest_folder):
    if not (home := mirabest_folder / "first").joinpath(FOLD).is_file():
        pytest.skip(f"no {FOLD} in {home}: 'equiradio data fetch first' fetches it")
    mirabest, entries = open_data("mirabest"), first.published(home)
    ra = np.concatenate([mirabest.ra_deg, [entry.ra_deg for entry in entries]])
    dec = np.concatenate([mirabest.dec_deg, [entry.dec_deg for entry in entries]])
    away = []
    for one, two in pairs_within(ra, dec, 3.0).tolist():
        image = mirabest.images[one] if one < len(mirabest) <= two else None
        if image is not None and mirabest.split[one] == "validation" and image[image > 0].min() >= 2:
            share = threshold_over_peak(excess_of(entries[two - len(mirabest)].pixels), CENTRE)
            away.append(np.log(share * peak_in_sigma(image[None])[0] / MIRABEST.clip_sigma))
    assert len(away) > 90
    assert abs(np.median(away)) < 0.1
    assert np.std(away) < 0.3
