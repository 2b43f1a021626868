"""Angular harmonics: a wave of m lobes has power at m alone; peaks at an order are found and noise has none."""

import numpy as np
import pytest

from equiradio.explain import residual
from equiradio.explain.residual import angular_power, order_excess, peak_test, round_sources, shares

SIDE = 150
OFFSET = np.arange(SIDE) - (SIDE - 1) / 2
RADIUS = np.hypot(OFFSET[:, None], OFFSET)
ANGLE = np.arctan2(-OFFSET[:, None], OFFSET)


def wave(m, phase=0.7):
    return np.cos(m * ANGLE + phase) * np.exp(-(((RADIUS - 40) / 12) ** 2))


def check_waves():
    for m in (1, 4, 8, 16):
        power = shares(angular_power(wave(m)))
        assert power.argmax() + 1 == m
        assert power[m - 1] > 0.999


def test_a_wave_of_m_lobes_has_power_at_m_alone():
    check_waves()


def test_the_wave_law_catches_circles_about_another_centre(monkeypatch):
    polar = residual.polar
    monkeypatch.setattr(residual, "polar", lambda planes, radii: polar(np.roll(planes, 6, -1), radii))
    with pytest.raises(AssertionError):
        check_waves()


def test_turning_a_plane_changes_no_power():
    plane = wave(3) + 0.3 * wave(8)
    assert angular_power(np.rot90(plane)) == pytest.approx(angular_power(plane), rel=1e-6, abs=1e-12)


def test_a_round_source_has_no_power_but_its_mean():
    power = angular_power(round_sources(150)[1:])
    assert (power[:, 1:].sum(1) < 1e-3 * power[:, 0]).all()


def test_excess_of_a_spectrum_with_peaks_and_of_one_without():
    smooth = np.exp(-0.3 * np.arange(33.0))
    peaked = smooth.copy()
    peaked[8::8] *= np.e
    assert order_excess(smooth, 8) == pytest.approx(0, abs=1e-12)
    assert order_excess(peaked, 8) == pytest.approx(1)
    assert order_excess(peaked, 5) < 0.1


def test_noise_has_no_peak_and_a_real_one_is_found():
    rng = np.random.default_rng(0)
    noise = rng.exponential(size=(40, 33))
    assert peak_test(order_excess(noise, 8))["p_value"] > 0.01
    noise[:, 8::8] *= 5
    peak = peak_test(order_excess(noise, 8))
    assert peak["p_value"] < 1e-3
    assert peak_test(order_excess(noise, 8), order_excess(noise, 8))["p_value"] is None
