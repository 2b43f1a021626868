"""The asymmetry index of maps whose odd part is known, and p-values that know noise from a difference between classes."""

import numpy as np
import pytest

from equiradio.evaluation import asymmetry as module
from equiradio.evaluation.asymmetry import asymmetry, even_part, odd_share

SIDE = 10
ROWS, COLUMNS = np.indices((SIDE, SIDE)) - (SIDE - 1) / 2
HILL, SLOPE = np.exp(-(ROWS**2 + COLUMNS**2) / 20), COLUMNS / SIDE
SLOPE = SLOPE * np.sqrt((HILL**2).sum() / (SLOPE**2).sum())  # the same power as the hill


def law_of_known_parts():
    assert odd_share(HILL) == pytest.approx(0, abs=1e-12)
    assert odd_share(SLOPE) == pytest.approx(1)
    assert odd_share(HILL + SLOPE) == pytest.approx(0.5)
    assert odd_share(HILL + 3 * SLOPE, "half-turn") == pytest.approx(0.9)
    assert odd_share(np.zeros((SIDE, SIDE))) == 0.0


def test_the_index_of_known_parts():
    law_of_known_parts()


def test_a_spiral_is_even_under_a_half_turn_and_odd_under_mirrors():
    spiral = ROWS * COLUMNS
    assert odd_share(spiral, "half-turn") == pytest.approx(0, abs=1e-12)
    assert odd_share(spiral) == pytest.approx(1)


@pytest.mark.parametrize("mutant", [lambda plane, over="both": plane, lambda plane, over="both": (plane + plane.T) / 2])
def test_the_law_catches_another_even_part(monkeypatch, mutant):
    monkeypatch.setattr(module, "even_part", mutant)
    with pytest.raises(AssertionError):
        law_of_known_parts()


def test_even_parts_are_what_the_group_leaves():
    plane = np.random.default_rng(0).random((3, SIDE, SIDE))
    even = even_part(plane)
    for moved in (even[..., ::-1], even[:, ::-1], np.rot90(even, 2, (-2, -1))):
        np.testing.assert_allclose(moved, even)
    np.testing.assert_allclose(even_part(even), even)


def maps_of(labels, difference, noise=0.3, seed=0):
    """Maps of sources: noise, and ``difference`` for FRI alone."""
    generator = np.random.default_rng(seed)
    return noise * generator.standard_normal((len(labels), SIDE, SIDE)) + np.where(labels == 0, 1.0, 0.0)[:, None, None] * difference


LABELS = np.repeat([0, 1], 30)


def law_of_the_null():
    slanted = asymmetry(maps_of(LABELS, HILL + 2 * SLOPE), LABELS, permutations=400)
    assert slanted["p_odd_power"] == pytest.approx(1 / 401)
    assert slanted["index"] == pytest.approx(0.8, abs=0.05)
    straight = asymmetry(maps_of(LABELS, 3 * HILL), LABELS, permutations=400)
    assert straight["p_odd_power"] > 0.05
    assert straight["index"] < straight["null_median"]
    assert straight["p"] > 0.9  # random classes differ by noise, three quarters of which is odd


def test_the_null_moves_whole_sources():
    law_of_the_null()


def test_the_law_of_the_null_catches_one_without_permutations(monkeypatch):
    monkeypatch.setattr(
        module, "_weights", lambda labels, permutations, seed: np.tile(np.where(labels == 0, 1, -1) / 30, (permutations + 1, 1))
    )
    with pytest.raises(AssertionError):
        law_of_the_null()


def test_p_values_of_nothing_are_uniform():
    values = [asymmetry(maps_of(LABELS, 0 * HILL, seed=seed), LABELS, permutations=99)["p_odd_power"] for seed in range(60)]
    assert 0.35 < np.mean(values) < 0.65


def test_symmetric_maps_have_no_asymmetry_to_test():
    found = asymmetry(even_part(maps_of(LABELS, HILL)), LABELS, permutations=50)
    assert (found["index"], found["odd_power"], found["p"]) == (0.0, 0.0, 1.0)


def test_the_index_is_that_of_the_difference_of_class_means():
    maps = maps_of(LABELS, HILL + SLOPE)
    found = asymmetry(maps, LABELS, permutations=3)
    difference = maps[LABELS == 0].mean(axis=0) - maps[LABELS == 1].mean(axis=0)
    assert found["index"] == pytest.approx(odd_share(difference))
    assert found["index_half_turn"] == pytest.approx(odd_share(difference, "half-turn"))
    assert found["odd_power"] == pytest.approx(((difference - even_part(difference)) ** 2).mean())
