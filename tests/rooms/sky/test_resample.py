"""Resampling: exact means over areas, flux kept, one NaN costs what it touches, no jump where one method takes over from the other."""

import numpy as np
import pytest
from astropy.wcs import WCS
from hypothesis import given
from hypothesis import strategies as st
from reproject import reproject_exact, reproject_interp
from sky_files import header, sky

from equiradio.sky import cutout as room
from equiradio.sky.cutout import SkyImage, cut
from equiradio.sky.resample import area_mean, bilinear, on_grid


def resampled(side, scale, turn_deg=0.0, pixels=None, unit=""):
    """A cutout of an image of `sky`."""
    pixels = sky(side, scale) if pixels is None else pixels
    return cut(SkyImage("a", 0, pixels, WCS(header(side, scale, turn_deg=turn_deg)), None, unit))


@pytest.mark.parametrize(("side", "scale", "turn_deg"), [(900, 0.6, 0.0), (600, 0.9, 0.0), (600, 1.2, 17.0), (300, 1.5, 200.0)])
def test_means_over_areas_are_those_of_reproject_exact(side, scale, turn_deg):
    found = resampled(side, scale, turn_deg)
    expected, _ = reproject_exact((sky(side, scale), WCS(header(side, scale, turn_deg=turn_deg))), found.wcs, shape_out=(150, 150))
    inside = np.isfinite(found.pixels) & np.isfinite(expected)
    assert inside.mean() > 0.98
    assert np.abs(found.pixels - expected)[inside].max() < 1e-6 * expected[inside].max()


@pytest.mark.parametrize(("side", "scale", "turn_deg"), [(300, 3.0, 0.0), (320, 2.5, 30.0)])
def test_coarse_pixels_are_interpolated_as_by_reproject_interp(side, scale, turn_deg):
    found = resampled(side, scale, turn_deg)
    image = sky(side, scale), WCS(header(side, scale, turn_deg=turn_deg))
    expected, _ = reproject_interp(image, found.wcs, shape_out=(150, 150), order="bilinear")
    assert np.nanmax(np.abs(found.pixels - expected)) < 1e-6 * np.nanmax(expected)


@given(st.integers(0, 2**31), st.floats(0, 2 * np.pi), st.floats(0.3, 4.0))
def test_a_mean_of_a_plane_is_its_value_at_the_middle(seed, angle, size):
    """Inside the image a gradient stays exact up to the steps of its pixels; the sum over all cells is that of the image."""
    rng = np.random.default_rng(seed)
    pixels = rng.normal(size=(12, 9))
    rows, columns = np.indices((40, 40)) - 19.5
    turned = [size * (np.cos(angle) * a - sign * np.sin(angle) * b) for a, b, sign in ((columns, rows, 1), (rows, columns, -1))]
    corners = turned[0] + 4.0, turned[1] + 5.5
    reaches = 19.5 * size > 12
    total = np.nansum(area_mean(np.pad(pixels, 30), corners[0] + 30, corners[1] + 30)) * size**2
    assert not reaches or total == pytest.approx(pixels.sum(), abs=1e-9)
    ones = area_mean(np.ones((12, 9)), *corners)
    assert np.allclose(ones[np.isfinite(ones)], 1, atol=1e-9)


def test_the_law_of_area_catches_a_mean_of_samples():
    columns, rows = np.meshgrid(np.arange(10) * 2.5 - 0.5, np.arange(10) * 2.5 - 0.5)
    pixels = np.random.default_rng(0).normal(size=(23, 23))
    middle = [0.25 * (at[1:, 1:] + at[1:, :-1] + at[:-1, 1:] + at[:-1, :-1]) for at in (columns, rows)]
    first = pixels[:5, :5]
    weights = np.array([1, 1, 0.5])
    exact = (weights[:, None] * weights * first[:3, :3]).sum() / 2.5**2
    assert area_mean(pixels, columns, rows)[0, 0] == pytest.approx(exact)
    assert bilinear(pixels, *middle)[0, 0] != pytest.approx(exact)


def test_upright_and_of_the_same_scale_both_methods_are_one():
    pixels = np.random.default_rng(0).normal(size=(30, 30))
    rows, columns = np.indices((21, 21)) + 3.3
    assert np.allclose(area_mean(pixels, columns - 0.5, rows - 0.5), bilinear(pixels, columns[:20, :20], rows[:20, :20]), atol=1e-12)


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.6, 0.9])
@pytest.mark.parametrize("unit", ["Jy/pixel", "JY/PIX", "mJy pixel-1", "Jy/beam"])
def test_flux_of_one_jansky_per_pixel_stays_one_jansky(scale, unit):
    side = int(600 / scale) // 2 * 2
    rows, columns = np.indices((side, side)) - (side - 1) / 2
    blob = np.exp(-(rows**2 + columns**2) * scale**2 / (2 * 8.0**2))
    noise = np.random.default_rng(0).normal(0, 1e-9, (side, side))
    pixels = (blob / blob.sum() + noise).astype(np.float32)
    total = resampled(side, scale, pixels=pixels, unit=unit).pixels.sum()
    assert total == pytest.approx((scale / 1.8) ** 2 if "beam" in unit else 1.0, rel=1e-3)


@pytest.mark.parametrize("scale", [0.4, 0.9, 1.4, 3.6])
def test_one_nan_costs_at_most_the_pixels_it_touches(scale):
    side = int(600 / scale) // 2 * 2
    pixels = sky(side, scale)
    whole = resampled(side, scale, pixels=pixels)
    pixels = pixels.copy()
    pixels[side // 2 + 9, side // 2 - 7] = np.nan
    holed = resampled(side, scale, pixels=pixels)
    touched = (int(scale / 1.8) + 2) ** 2
    assert np.isfinite(whole.pixels).all()
    assert (~np.isfinite(holed.pixels)).sum() <= touched
    changed = whole.pixels != holed.pixels
    assert changed.sum() <= (touched if scale < 1.8 else (int(2 * scale / 1.8) + 2) ** 2)


@pytest.mark.parametrize("turn_deg", [0.0, 90.0, 180.0])
def test_one_nan_stays_one_where_pixels_are_whole_pixels(turn_deg):
    """Places that rounding moves by a millionth of a pixel take no blank neighbour along."""
    pixels = sky(300, 1.8).copy()
    pixels[159, 143] = np.nan
    assert (~np.isfinite(resampled(300, 1.8, turn_deg, pixels).pixels)).sum() == 1


def test_a_whole_clean_image_of_300_pixels_of_0_9_arcsec_is_accepted():
    found = resampled(300, 0.9)
    assert np.isfinite(found.pixels).all()
    assert found.flags == {"reprojected", "other_beam", "small_field"}


def test_peaks_agree_across_every_change_of_method():
    """One sky, noise-free but for a whisper, beam 5.4 arcsec: 0.89 and 0.91 arcsec, and both sides of 1.8."""
    peaks = []
    for scale in (0.6, 0.89, 0.91, 1.3, 1.77, 1.8, 1.83):
        side = int(600 / scale) // 2 * 2
        rows, columns = np.indices((side, side)) - (side / 2 - 0.5)
        pixels = 0.01 * np.exp(-(rows**2 + columns**2) * scale**2 / (2 * (5.4 / 2.3548) ** 2))
        pixels += np.random.default_rng(0).normal(0, 1e-7, pixels.shape)
        peaks.append(resampled(side, scale, pixels=pixels.astype(np.float32)).pixels.max())
    assert max(peaks[:3]) < 1.03 * min(peaks[:3])
    assert max(peaks[3:5]) < 1.03 * peaks[6]
    assert abs(peaks[4] / peaks[6] - 1) < 0.03


def test_one_lit_pixel_on_the_same_grid_keeps_its_peak():
    """Turned by half a turn, 1.8 arcsec stay 1.8 arcsec: the mean of a pixel is that pixel."""
    pixels = np.random.default_rng(0).normal(0, 1e-6, (300, 300)).astype(np.float32)
    pixels[150, 150] = 1.0
    assert resampled(300, 1.8, 180.0, pixels).pixels.max() == pytest.approx(1.0, rel=1e-3)


def test_the_law_of_peaks_catches_a_gaussian_mean(monkeypatch):
    from scipy.ndimage import gaussian_filter

    wide = lambda pixels, columns, rows: area_mean(gaussian_filter(pixels, 1.5), columns, rows)
    monkeypatch.setattr(room, "area_mean", wide)
    with pytest.raises(AssertionError):
        test_peaks_agree_across_every_change_of_method()


def asked(wcs, counts):
    """``places`` of a WCS for the pixels of a grid of 1.8 arcsec about its reference point; counts what is asked."""
    goal = WCS(header(dec=float(wcs.wcs.crval[1])))

    def places(columns, rows):
        counts.append(columns.size)
        return wcs.world_to_pixel(goal.pixel_to_world(columns, rows))

    return places


@pytest.mark.parametrize("dec", [30.0, -84.0])
@pytest.mark.parametrize("ctype", ["TAN", "SIN", "STG", "ZEA", "CAR", "MER"])
def test_places_of_a_grid_are_those_of_every_pixel(ctype, dec):
    counts = []
    places = asked(WCS(header(ctype=ctype, dec=dec, turn_deg=20)), counts)
    along = np.arange(301) - 0.5
    found, exact = on_grid(places, along, along), places(*np.meshgrid(along, along))
    assert max(np.abs(one - other).max() for one, other in zip(found, exact, strict=True)) < 1e-6
    assert sum(counts[:-1]) < 2000  # the last is the comparison's


def test_every_pixel_is_asked_across_a_seam_or_where_there_is_no_sky():
    along, counts = np.arange(300.0), []

    def seam(columns, rows):
        counts.append(columns.size)
        return np.where(columns > 140, columns - 1000, columns), rows

    def hole(columns, rows):
        return np.where(columns > 140, np.nan, columns), rows

    found = on_grid(seam, along, along)
    assert (found[0][:, :141] == along[:141]).all()
    assert (found[0][:, 141:] == along[141:] - 1000).all()
    assert counts[-1] == 300 * 300
    assert np.isnan(on_grid(hole, along, along)[0][:, 141:]).all()
