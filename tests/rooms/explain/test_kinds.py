"""Every kind of map of a network: of anchored gates nothing lies on empty sky, and what a network lacks is not made up."""

import numpy as np
import pytest

from equiradio.explain.case import Effort
from equiradio.explain.kinds import CHEAP, COSTLY, all_maps, cheap_maps, passes_of, seen
from equiradio.inference.evidence import evidence, margins, on_sky
from equiradio.inference.team import load

pytest.importorskip("captum")

SMALL = Effort(gradient_steps=1, window=50)


@pytest.fixture(scope="module")
def images():
    planes = np.zeros((2, 150, 150), np.uint8)
    for plane, column in zip(planes, (60, 80), strict=True):
        plane[70:78, column : column + 8] = np.random.default_rng(column).integers(60, 255, (8, 8))
    return planes


def member_of(untrained, name, **changes):
    return load(untrained(name, kernel_size=3, **changes), "cpu").members[0]


def test_of_anchored_gates_nothing_lies_far_from_the_source(untrained, images):
    """Of others it does: their level is not 0 on the sky, and differs at the image's edge."""
    given = np.array([1, 0])
    for name, nothing in (("attention-anchored", True), ("attention", False)):
        maps = cheap_maps(member_of(untrained, name), images, given)
        assert tuple(maps) == CHEAP
        far = [np.abs(maps[kind][:, 125:, 5:20]).max() / np.abs(maps[kind]).max() for kind in ("attention", "combined", "first_gate")]
        assert bool(max(far) < 1e-4) is nothing
        np.testing.assert_array_equal(maps["evidence"], abs(maps["evidence_for"]))


def test_evidence_is_for_the_class_given(untrained, images):
    member = member_of(untrained, "attention")
    for label in (0, 1):
        sight = seen(member, images, np.full(2, label))
        apart = evidence(member, images)
        np.testing.assert_allclose(sight.evidence, on_sky([part.toward(np.full(2, label)) for part in apart.parts], 152), atol=1e-6)
        assert sight.gates.shape == (2, 3, 150, 150)
    np.testing.assert_allclose(margins(apart).sum(1), 0, atol=1e-5)


def test_what_a_network_lacks_is_missing_and_costly_maps_are_of_some(untrained, images):
    member = member_of(untrained, "attention", head_relu=True)
    maps = all_maps(member, images, np.array([1, 0]), np.array([1]), SMALL)
    assert tuple(maps) == CHEAP + COSTLY
    assert np.isnan(maps["evidence"]).all()
    assert np.isnan(maps["evidence_for"]).all()
    assert np.isfinite(maps["attention"]).all()
    for kind in COSTLY:
        assert np.isnan(maps[kind][0]).all()
        assert np.isfinite(maps[kind][1]).all()


def test_passes_count_what_is_asked(images):
    """Of 25 windows of 50 pixels moved by 25, three rows of two hold the first source, beside the image as it is."""
    assert passes_of(CHEAP, images, SMALL) == 2 * 2
    assert passes_of(("occlusion",), images[:1], SMALL) == 7
    assert passes_of(("score_cam", "gradients"), images, SMALL) == 2 * (32 + 1)
