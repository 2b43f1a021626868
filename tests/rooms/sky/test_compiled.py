"""What is compiled of resampling is numpy's to the last bit, and where nothing was compiled numpy is asked."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equiradio.sky import compiled, resample
from equiradio.sky.resample import area_mean, bilinear, integrals

needs_compiled = pytest.mark.skipif(compiled.library() is None, reason="resampling was not compiled here")


def a_grid(angle, size, shape=(9, 14), middle=(15.0, 11.0)):
    """Corners (rows, columns) of pixels that are turned by an angle and so many old pixels wide."""
    rows, columns = (each - (number - 1) / 2 for each, number in zip(np.indices(shape), shape, strict=True))
    across, up = np.cos(angle) * columns - np.sin(angle) * rows, np.sin(angle) * columns + np.cos(angle) * rows
    return middle[0] + size * across, middle[1] + size * up


def images(seed, height=21, width=32):
    """Two: brightness, and where there is any."""
    rng = np.random.default_rng(seed)
    there = rng.random((height, width)) > 0.1
    return np.stack([np.where(there, rng.normal(size=there.shape), 0), there.astype(float)])


@needs_compiled
@given(st.integers(0, 2**31), st.floats(0, 2 * np.pi), st.floats(0.05, 12.0))
def test_any_grid_has_the_bits_of_numpy(seed, angle, size):
    given_images, (u, v) = images(seed), a_grid(angle, size)
    assert np.array_equal(compiled.integrals(given_images, u, v), integrals(given_images, u, v))


@needs_compiled
@pytest.mark.parametrize("quarter", range(4))
@pytest.mark.parametrize("size", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("middle", [(15.0, 11.0), (15.5, 11.25), (-3.0, 40.0), (300.0, 11.0)])
def test_edges_along_the_borders_of_pixels_have_too(quarter, size, middle):
    turn = [(1, 0), (0, 1), (-1, 0), (0, -1)][quarter]
    rows, columns = np.indices((8, 8)) - 3.0
    u, v = middle[0] + size * (turn[0] * columns - turn[1] * rows), middle[1] + size * (turn[1] * columns + turn[0] * rows)
    assert np.array_equal(compiled.integrals(images(1), u, v), integrals(images(1), u, v))


@needs_compiled
def test_corners_in_disorder_have_too():
    u, v = np.random.default_rng(2).uniform(-10, 40, (2, 12, 7))
    assert np.array_equal(compiled.integrals(images(3), u, v), integrals(images(3), u, v))


@needs_compiled
def test_arrays_that_do_not_lie_in_a_row_are_taken_too():
    u, v = (each.T for each in a_grid(0.3, 1.2))
    some = images(4)[:, ::-1, ::2]
    assert np.array_equal(compiled.integrals(some, u, v), integrals(some, u, v))


def test_an_edge_that_is_cut_too_often_is_left_to_numpy(monkeypatch):
    pixels = np.random.default_rng(5).normal(size=(3, 900))
    columns, rows = np.meshgrid(np.array([0.0, 800.0]), np.array([0.0, 1.0]))
    assert compiled.integrals(np.stack([pixels, pixels]), columns, rows) is None
    found = area_mean(pixels, columns, rows)
    monkeypatch.setattr(compiled, "library", lambda: None)
    assert np.array_equal(found, area_mean(pixels, columns, rows))


def test_without_them_means_are_the_same(monkeypatch):
    pixels = np.random.default_rng(6).normal(size=(40, 40)).astype(np.float32)
    pixels[10:14, 20] = np.nan
    corners = a_grid(0.4, 1.2, (25, 25), (19.0, 22.0))
    found = area_mean(pixels, *corners)
    monkeypatch.setattr(compiled, "library", lambda: None)
    assert np.array_equal(found, area_mean(pixels, *corners), equal_nan=True)
    assert np.isfinite(found).any()
    assert np.isnan(found).any()


def test_a_file_that_is_none_is_as_none(monkeypatch, tmp_path):
    file = tmp_path / "resampling.so"
    file.write_text("not a library")
    monkeypatch.setattr(compiled, "FILE", file)
    assert compiled.library.__wrapped__() is None


@needs_compiled
@given(st.integers(0, 2**31), st.floats(0, 2 * np.pi), st.floats(0.05, 12.0), st.sampled_from([np.float32, np.float64]))
def test_between_pixels_any_grid_has_the_bits_of_numpy(seed, angle, size, kind):
    rng = np.random.default_rng(seed)
    pixels, (columns, rows) = rng.normal(size=(23, 31)).astype(kind), a_grid(angle, size)
    if seed % 2:
        pixels[rng.random(pixels.shape) < 0.2] = rng.choice([np.nan, np.inf])
    assert np.array_equal(compiled.bilinear(pixels, columns, rows), resample.between(pixels, columns, rows), equal_nan=True)


@needs_compiled
def test_places_on_pixels_between_them_beyond_the_image_and_nowhere_have_too():
    pixels = np.random.default_rng(8).normal(size=(5, 4))
    pixels[2, 2] = np.nan
    close = [-0.0, np.nextafter(-0.5, -1), np.nextafter(-0.5, 0), np.nextafter(3.5, 3)]
    some = [*np.arange(-1.0, 6.0, 0.25), *close, 1e300, -1e300, np.nan, np.inf]
    columns, rows = np.meshgrid(some, some)
    found = compiled.bilinear(pixels, columns, rows)
    assert np.array_equal(found, resample.between(pixels, columns, rows), equal_nan=True)
    assert np.isfinite(found).sum() > 200


def test_places_that_are_no_pairs_are_left_to_numpy():
    pixels = np.random.default_rng(9).normal(size=(5, 9))
    columns, rows = np.array([[0.5, 2.25, 7.0]]), np.array([[1.5]])
    assert compiled.bilinear(pixels, columns, rows) is None
    assert np.array_equal(bilinear(pixels, columns, rows), bilinear(pixels, columns, np.full((1, 3), 1.5)))


def one_place(pixels, column, row):
    """One place of `bilinear`, by its definition."""
    near = pixels[min(max(int(np.floor(row + 0.5)), 0), len(pixels) - 1), min(max(int(np.floor(column + 0.5)), 0), pixels.shape[1] - 1)]
    inside = -0.5 <= column < pixels.shape[1] - 0.5 and -0.5 <= row < len(pixels) - 0.5
    if not (inside and np.isfinite(near)):
        return np.nan
    total = weights = 0.0
    for x in (int(np.floor(column)), int(np.floor(column)) + 1):
        for y in (int(np.floor(row)), int(np.floor(row)) + 1):
            value = pixels[min(max(y, 0), len(pixels) - 1), min(max(x, 0), pixels.shape[1] - 1)]
            weight = (1 - abs(x - column)) * (1 - abs(y - row)) if np.isfinite(value) else 0.0
            total, weights = total + weight * (value if weight else 0.0), weights + weight
    return total / weights


@pytest.mark.parametrize("bilinear", [bilinear, resample.between])
@pytest.mark.parametrize("holes", [0, 60])
def test_between_pixels_each_place_is_what_the_definition_says(holes, bilinear):
    rng = np.random.default_rng(7)
    pixels = rng.normal(size=(20, 15))
    pixels[rng.integers(0, 20, holes), rng.integers(0, 15, holes)] = np.nan
    columns, rows = rng.uniform(-2, 17, (6, 50)), rng.uniform(-2, 22, (6, 50))
    columns[0, :3] = np.nan
    found = bilinear(pixels, columns, rows)
    expected = [
        np.nan if np.isnan(column) else one_place(pixels, column, row) for column, row in zip(columns.ravel(), rows.ravel(), strict=True)
    ]
    assert np.allclose(found.ravel(), expected, rtol=0, atol=1e-12, equal_nan=True)
    assert 100 < np.isfinite(found).sum() < 290
