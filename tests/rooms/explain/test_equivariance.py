"""Error against angle: a network that turns with the sky has the floor's error, a shift has none of it left."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from equiradio.explain import equivariance
from equiradio.explain.equivariance import errors_against_angle, exact_turns, inscribed, relative_error, shift, turn

SIDE = 33


def blobs(count=3, seed=0):
    """Smooth images with light well inside the circle."""
    noise = np.random.default_rng(seed).random((count, SIDE, SIDE))
    offset = np.arange(SIDE) - (SIDE - 1) / 2
    smooth = np.stack([gaussian_filter(plane, 2.5) for plane in noise])
    return (smooth * np.exp(-(offset[:, None] ** 2 + offset**2) / 60)).astype(np.float32)


def answer(planes):
    light = planes.mean((-2, -1))
    return planes[:, None], np.stack([1 - light, light], 1)


def blurred(images):
    """An equivariant network: a round blur."""
    return answer(np.stack([gaussian_filter(image, 1.5) for image in images]))


def shifted(images):
    """A network that looks to one side."""
    return answer(np.roll(images, 4, -1))


def test_a_rotated_delta_arrives_where_rot90_says():
    delta = np.zeros((SIDE, SIDE), np.float32)
    delta[16 - 5, 16 + 3] = 1
    for quarters in range(4):
        assert np.array_equal(turn(delta, 90 * quarters), np.rot90(delta, quarters))
    there = turn(delta, 30)
    row, column = np.array(np.nonzero(there == there.max()))[:, 0] - 16
    angle, radius = np.degrees(np.arctan2(-row, column)), np.hypot(row, column)
    assert radius == pytest.approx(np.hypot(5, 3), abs=0.8)
    assert angle == pytest.approx(np.degrees(np.arctan2(5, 3)) + 30, abs=6)  # counter-clockwise, as rot90


def check_known_answers():
    images = blobs()
    good = list(errors_against_angle(blurred, images, (0, 30, 45, 90)))
    bad = list(errors_against_angle(shifted, images, (0, 30, 45, 90)))
    assert np.all(good[0].errors == 0)
    assert np.all(good[0].shifts == 0)
    assert good[3].errors.max() < 1e-6
    assert max(step.errors.max() for step in good) < 0.02
    assert min(step.errors.min() for step in bad[1:]) > 0.2
    assert np.all(good[1].residue[..., ~inscribed(SIDE)] == 0)
    assert 0 < good[2].floor.max() < 0.05


def test_known_answers():
    check_known_answers()


def test_the_known_answers_catch_a_map_that_is_not_turned(monkeypatch):
    monkeypatch.setattr(equivariance, "turn", lambda planes, angle: planes.astype(np.float32))
    with pytest.raises(AssertionError):
        check_known_answers()


def test_exact_turns_of_a_blur_and_of_a_shift():
    differences = exact_turns(blurred, blobs())
    assert differences["quarter"].max() < 1e-5
    assert differences["mirror"].max() < 1e-5
    assert exact_turns(shifted, blobs(), mirror=False)["quarter"].max() > 0.01


def test_exact_turns_of_a_network_that_is_brighter_on_one_side():
    """Its map is the image on a slope s: turned by a half or mirrored it differs by the image times s less s the other way round."""
    images, slope = blobs(), np.linspace(1, 2, SIDE)
    differences = exact_turns(lambda planes: answer(planes * slope), images)
    uneven = images * (slope - slope[::-1])
    for name, difference in (("mirror", differences["mirror"]), ("half turn", differences["quarter"][1])):
        np.testing.assert_allclose(difference[:, 0], abs(uneven).max((1, 2)), atol=1e-6, err_msg=name)
    for shifts in (differences["mirror_p"], differences["quarter_p"][1]):
        np.testing.assert_allclose(shifts, abs(uneven.mean((1, 2))), atol=1e-6)
    assert abs(uneven.mean((1, 2))).max() > 1e-4


def test_the_shift_of_probabilities_is_what_moves_from_class_to_class():
    two, three = np.array([[0.3, 0.7], [0.5, 0.5]]), np.array([[0.2, 0.3, 0.5]])
    assert shift(two, two[::-1]) == pytest.approx([0.2, 0.2])
    assert shift(three, three[:, ::-1]) == pytest.approx([0.3])
    assert shift(three, three) == 0


def test_relative_error_of_known_planes():
    where = np.ones((2, 2), bool)
    one, none = np.array([[3.0, 4], [0, 0]]), np.zeros((2, 2))
    assert relative_error(one, none, one, where) == pytest.approx(1)
    assert relative_error(none, none, none, where) == 0
