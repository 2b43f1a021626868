"""Likenesses of maps: under turns of any angle, by what was learnt; controls are what they must be."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from equiradio.explain import robustness as room
from equiradio.explain.case import Case, Effort
from equiradio.explain.controls import centred_gaussian
from equiradio.explain.robustness import likeness, randomised_likeness, seeds_likeness, turned_likeness

SIDE = 150


@pytest.fixture
def scene(monkeypatch):
    """A case of two sources and its planes: ``turning`` is the image smoothed, ``fixed`` a plane that stays where it is."""
    from scipy.ndimage import gaussian_filter

    fixed = gaussian_filter(np.random.default_rng(0).random((SIDE, SIDE)), 8).astype(np.float32)
    images = np.zeros((2, SIDE, SIDE), np.uint8)
    images[0, 60:66, 30:110], images[1, 40:90, 70:78], images[:, 2, 2] = 200, 150, 255

    def asked(case, member, images, given, deep, what):
        smooth = np.stack([gaussian_filter(image.astype(np.float32), 12) for image in images])
        return {"turning": smooth * member.size, "fixed": np.repeat(fixed[None], len(images), 0)}

    monkeypatch.setattr(room, "asked", asked)
    monkeypatch.setattr(room, "untrained_maps", lambda member, images, seed: np.random.default_rng(seed).random(images.shape, np.float32))
    monkeypatch.setattr(room, "fresh_network", lambda member: "fresh")
    member = SimpleNamespace(size=1.0, with_network=lambda network: SimpleNamespace(size=-1.0))
    case = Case("run", member, {}, SimpleNamespace(images=images), None, None, replace(Effort(), deep=1), lambda *_: None)
    planes = asked(case, member, images, None, None, "") | {"image": images.astype(np.float32)}
    planes |= {"gaussian": np.repeat(centred_gaussian()[None], 2, 0), "noise": np.random.default_rng(9).random(images.shape)}
    return case, planes | {"untrained": room.untrained_maps(member, images, room.FRESH_SEED)}


def check_turns(scene):
    alike = turned_likeness(*scene, np.zeros(2, int), np.array([0]))
    assert (alike["turning"] > 0.97).all()
    assert (abs(alike["fixed"]) < 0.6).all()
    assert (alike["gaussian"] > 0.999).all()
    assert (abs(alike["noise"]) < 0.05).all()


def test_what_turns_with_the_sky_is_unlike_what_stays(scene):
    check_turns(scene)


def test_the_law_of_turns_catches_maps_that_are_not_turned_back(scene, monkeypatch):
    turn = room.turn
    monkeypatch.setattr(room, "turn", lambda planes, angle: planes if angle < 0 else turn(planes, angle))
    with pytest.raises(AssertionError):
        check_turns(scene)


def test_fresh_weights_change_what_was_learnt_and_no_control(scene):
    alike = randomised_likeness(*scene, np.zeros(2, int), np.array([0]))
    assert alike["turning"] == pytest.approx(1)  # a negative is as like as the map itself
    assert alike["image"] == pytest.approx(1)
    assert (alike["noise"] < 0.05).all()
    assert (alike["untrained"] < 0.05).all()


def test_without_another_seed_nothing_is_compared(scene, monkeypatch):
    case, planes = scene
    monkeypatch.setattr(Case, "ensemble", {})
    assert seeds_likeness(case, planes, np.zeros(2, int), np.array([0])) == {}
    monkeypatch.setattr(Case, "ensemble", {"a": SimpleNamespace(size=1.0), "b": SimpleNamespace(size=-1.0)})
    alike = seeds_likeness(case, planes, np.zeros(2, int), np.array([0]))
    assert alike["turning"] == pytest.approx(0, abs=1e-6)  # mean of a map and of its negative
    assert alike["fixed"] == pytest.approx(1)


def test_a_missing_map_has_no_likeness():
    one = {"a": np.random.default_rng(0).random((2, SIDE, SIDE))}
    other = {"a": one["a"].copy()}
    other["a"][1, 0, 0] = np.nan
    first, second = likeness(one, other)["a"]
    assert first == pytest.approx(1)
    assert np.isnan(second)
