"""A larger beam, more noise and a smaller field, against closed forms: Gaussians stay Gaussians, and noise has the rms asked for."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equiradio.errors import SettingRefusal
from equiradio.sky import degrade
from equiradio.sky.beams import Beam
from equiradio.sky.degrade import covariance, in_field, through_beam, with_noise

PIXEL, SIDE = 1.8, 120
OWN = Beam(5.4, 5.4, 0.0)
widths, angles = st.floats(5.4, 25), st.floats(-90, 90)


def gaussian(beam: Beam, row: float = 60, column: float = 60, peak: float = 1.0, side: int = SIDE) -> np.ndarray:
    """A point source behind a beam, by the formula."""
    offset = np.stack(np.meshgrid(np.arange(side) - row, np.arange(side) - column, indexing="ij"), -1) * PIXEL
    return peak * np.exp(-0.5 * np.einsum("rci,ij,rcj->rc", offset, np.linalg.inv(covariance(beam)), offset))


@given(widths, widths, angles, st.floats(50, 70), st.floats(50, 70))
def test_a_point_source_keeps_its_peak_and_takes_the_shape_of_the_beam(one, other, angle, row, column):
    beam = Beam(max(one, other), min(one, other), angle)
    seen = through_beam(gaussian(OWN, row, column, 0.3), PIXEL, OWN, beam)
    np.testing.assert_allclose(seen, gaussian(beam, row, column, 0.3), atol=0.3 * 1e-3)


@given(st.floats(6, 12), st.floats(5.4, 6), angles, st.floats(13, 25), angles)
def test_from_an_elongated_beam_to_another(major, minor, angle, round_width, turn):
    own, beam = Beam(major, minor, angle), Beam(round_width + 4, round_width, turn)
    np.testing.assert_allclose(through_beam(gaussian(own), PIXEL, own, beam), gaussian(beam), atol=1e-3)


def test_two_steps_are_one():
    sky = gaussian(OWN, 55, 66) + gaussian(Beam(20.0, 9.0, 30.0), 60, 50, 0.2)
    middle, last = Beam(9.0, 7.0, 40.0), Beam(16.0, 14.0, -10.0)
    twice = through_beam(through_beam(sky, PIXEL, OWN, middle), PIXEL, middle, last)
    np.testing.assert_allclose(twice, through_beam(sky, PIXEL, OWN, last), atol=1e-4)


def test_uniform_brightness_grows_with_the_area_of_the_beam():
    seen = through_beam(np.ones((SIDE, SIDE)), PIXEL, OWN, Beam(10.8, 8.1, 0.0))
    assert seen[60, 60] == pytest.approx(10.8 * 8.1 / 5.4**2, rel=1e-6)
    assert seen[0, 60] == pytest.approx(0.5 * seen[60, 60], rel=0.2)  # beyond the image it is empty


def test_the_same_beam_changes_nothing_and_a_smaller_one_is_refused():
    sky = gaussian(OWN).astype(np.float32)
    seen = through_beam(sky, PIXEL, OWN, Beam(5.4))
    assert seen.dtype == np.float32
    np.testing.assert_allclose(seen, sky, atol=1e-6)
    line = r"^beam: 5.4 x 5 arcsec at 0 deg; expected a beam that holds the image's own, 5.4 x 5.4 arcsec, in every direction\. Choose a larger"
    with pytest.raises(SettingRefusal, match=line):
        through_beam(sky, PIXEL, OWN, Beam(5.4, 5.0, 0.0))
    with pytest.raises(SettingRefusal):  # larger in area, but not along every direction
        through_beam(sky, PIXEL, Beam(9.0, 6.0, 0.0), Beam(12.0, 8.0, 90.0))


def test_the_position_angle_runs_from_north_through_east():
    """Rows run north and columns west: at 45 degrees the major axis goes through rows up, columns down."""
    seen = through_beam(gaussian(OWN), PIXEL, OWN, Beam(20.0, 6.0, 45.0))
    assert seen[66, 54] > 5 * seen[66, 66]
    north = through_beam(gaussian(OWN), PIXEL, OWN, Beam(20.0, 6.0, 0.0))
    assert north[68, 60] > 5 * north[60, 68]


def test_nothing_stays_nothing_and_counts_as_empty():
    sky = gaussian(OWN)
    sky[:10], sky[60, 60] = np.nan, np.nan
    seen = through_beam(sky, PIXEL, OWN, Beam(9.0))
    assert np.isnan(seen[:10]).all()
    assert np.isnan(seen).sum() == 10 * SIDE + 1
    empty = through_beam(np.nan_to_num(sky), PIXEL, OWN, Beam(9.0))
    np.testing.assert_allclose(seen[~np.isnan(seen)], empty[~np.isnan(seen)])


@pytest.mark.parametrize("beam", [OWN, Beam(15.0), Beam(25.0, 12.0, 30.0)], ids=str)
def test_noise_has_the_rms_asked_for_and_the_correlation_of_the_beam(beam):
    draws = np.array([with_noise(np.zeros((200, 160)), PIXEL, beam, 2.5, seed) for seed in range(20)])
    assert draws.std() == pytest.approx(2.5, rel=0.04)
    for rows, columns in [(0, 1), (1, 0), (2, 2), (3, -2), (5, 0)]:
        here = draws[:, : 200 - rows, max(-columns, 0) : 160 - max(columns, 0)]
        there = draws[:, rows:, max(columns, 0) : 160 + min(columns, 0)]
        away = np.array([rows, columns]) * PIXEL
        # white noise through a Gaussian of covariance C is correlated by a Gaussian of covariance 2 C
        expected = math.exp(-0.25 * away @ np.linalg.inv(covariance(beam)) @ away)
        assert (here * there).mean() / draws.var() == pytest.approx(expected, abs=0.04)


def test_noise_is_of_its_seed_is_added_and_knows_no_opposite_edge():
    sky = gaussian(OWN)
    first = with_noise(sky, PIXEL, Beam(15.0), 0.1, 4)
    np.testing.assert_array_equal(first, with_noise(sky, PIXEL, Beam(15.0), 0.1, 4))
    np.testing.assert_allclose(first - sky, with_noise(np.zeros_like(sky), PIXEL, Beam(15.0), 0.1, 4), atol=1e-12)
    assert abs(np.corrcoef(first.ravel(), with_noise(sky, PIXEL, Beam(15.0), 0.1, 5).ravel())[0, 1]) < 0.9
    edges = np.array([with_noise(np.zeros((60, 60)), PIXEL, Beam(15.0), 1.0, seed)[[0, -1]] for seed in range(40)])
    assert abs(np.corrcoef(edges[:, 0].ravel(), edges[:, 1].ravel())[0, 1]) < 0.15
    np.testing.assert_array_equal(with_noise(sky, PIXEL, OWN, 0.0, 1), sky)
    with pytest.raises(SettingRefusal, match=r"^rms: -1; expected a finite number, at least 0"):
        with_noise(sky, PIXEL, OWN, -1, 0)


def test_the_noise_of_a_convolved_image_is_noise_of_that_beam():
    """Convolution multiplies it by the root of the ratio of areas: what surveys of larger beams have, per beam."""
    beam = Beam(15.0, 10.0, 20.0)
    convolved = through_beam(with_noise(np.zeros((400, 400)), PIXEL, OWN, 1.0, 3), PIXEL, OWN, beam)[30:-30, 30:-30]
    assert convolved.std() == pytest.approx(math.sqrt(150) / 5.4, rel=0.06)


@pytest.mark.parametrize(("field", "pixels"), [(60, 32), (120, 66), (270, 150), (1000, 150), (1.8, 0)])
def test_a_field_is_the_central_square(field, pixels):
    sky = np.arange(150 * 150, dtype=np.float32).reshape(150, 150)
    seen = in_field(sky, PIXEL, field)
    there = np.isfinite(seen)
    assert there.sum() == pixels**2
    np.testing.assert_array_equal(seen[there], sky[there])
    np.testing.assert_array_equal(there, there[::-1, ::-1])
    with pytest.raises(SettingRefusal, match=r"^field: 1 arcsec; expected at least a pixel of 1\.8 arcsec"):
        in_field(sky, PIXEL, 1.0)


def test_the_tests_catch_a_kernel_that_keeps_the_peak_s_scale(monkeypatch):
    true = degrade.filtered
    monkeypatch.setattr(degrade, "filtered", lambda image, pad, spread: true(image, pad, 1.1 * spread))
    with pytest.raises(AssertionError):
        test_two_steps_are_one()
        test_a_point_source_keeps_its_peak_and_takes_the_shape_of_the_beam.hypothesis.inner_test(15.0, 9.0, 20.0, 60.0, 60.0)


def test_the_tests_catch_a_mirrored_angle(monkeypatch):
    true = degrade.covariance
    monkeypatch.setattr(degrade, "covariance", lambda beam: true(Beam(beam.major, beam.minor, -beam.angle)))
    with pytest.raises(AssertionError):
        test_the_position_angle_runs_from_north_through_east()
