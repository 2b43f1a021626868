"""How far the maps of several networks agree: one number in catalogue, files and viewer."""

import numpy as np
import pytest
import torch

import equiradio.inference.gate_maps as module
from equiradio.inference.calibration import Calibration
from equiradio.inference.gate_maps import agreement, one_map
from equiradio.inference.team import Team, load


def plane(seed):
    return np.random.default_rng(seed).random((150, 150)).astype(np.float32)


def test_agreement_is_the_mean_correlation_inside_the_circle():
    one, other = plane(0), plane(1)
    assert agreement(np.stack([one, one, 2 * one + 3])) == pytest.approx(1)
    assert agreement(np.stack([one, -one])) == pytest.approx(-1)
    assert abs(agreement(np.stack([one, other]))) < 0.03
    pairs = [np.corrcoef(a[inside()], b[inside()])[0, 1] for a, b in ((one, other), (one, one + other), (other, one + other))]
    assert agreement(np.stack([one, other, one + other])) == pytest.approx(np.mean(pairs), abs=1e-6)
    corner = one.copy()
    corner[:9, :9] = 1e3
    assert agreement(np.stack([one, corner])) == pytest.approx(1), "what turns out of the image does not count"


def inside():
    rows, columns = np.indices((150, 150)) - 74.5
    return np.hypot(rows, columns) <= 74


def test_that_law_catches_a_correlation_over_the_whole_square(monkeypatch):
    monkeypatch.setattr(module, "inscribed", lambda side: torch.ones(150, 150, dtype=torch.bool))
    with pytest.raises(AssertionError):
        test_agreement_is_the_mean_correlation_inside_the_circle()


@pytest.mark.parametrize("other", [np.ones((150, 150)), np.full((150, 150), 0.1, np.float32), np.full((150, 150), np.nan)])
def test_there_is_no_agreement_with_a_flat_map_or_none_nor_of_one_alone(other):
    assert np.isnan(agreement(np.stack([plane(0), other])))
    assert np.isnan(agreement(plane(0)[None]))


def test_the_catalogue_has_the_agreement_of_the_members_maps(untrained):
    """None of one network, and none of networks without maps."""
    teams = [load(untrained("attention", seed=seed, kernel_size=3)) for seed in (0, 1, 2)]
    images = np.random.default_rng(0).integers(0, 255, (2, 150, 150), dtype=np.uint8)
    members = [team.members[0] for team in teams]
    team = Team(members, Calibration(poses=2), teams[0].card)
    maps = np.stack([each.attention(images) for each in teams])
    assert team.classify(images)["map_agreement"] == pytest.approx([agreement(maps[:, k]) for k in range(2)], abs=1e-6)
    assert np.allclose(one_map(team.answer(images).gates, anchored=False), maps.mean(0), atol=1e-6)
    assert teams[0].classify(images)["map_agreement"] == [None, None]
    lenets = [load(untrained("lenet", seed=seed)) for seed in (0, 1)]
    assert Team([each.members[0] for each in lenets], Calibration(), lenets[0].card).classify(images)["map_agreement"] == [None, None]


def test_anchored_gates_are_shown_as_their_geometric_mean():
    """0 where one of them attends to nothing; other gates are shown as their mean."""
    gates = np.random.default_rng(0).random((2, 3, 150, 150)).astype(np.float32)
    gates[0, 1, :75], gates[1, 2, 3, 4] = 0, -1e-8
    joint = one_map(gates, anchored=True)
    assert joint.dtype == np.float32
    np.testing.assert_allclose(joint, np.cbrt(np.maximum(gates, 0).prod(1)), rtol=1e-5)
    assert not joint[0, :75].any()
    assert joint[1, 3, 4] == 0
    np.testing.assert_allclose(one_map(gates, anchored=False), gates.mean(1), rtol=1e-5)
    assert np.isnan(one_map(gates[:, :0], anchored=True)).all()


def test_a_team_shows_the_map_that_its_gates_call_for(untrained):
    """In answers, from `attention` and in the catalogue's peak alike, mean over members of each one's map."""
    images = np.zeros((2, 150, 150), np.uint8)
    images[:, 60:80, 70:75] = np.random.default_rng(0).integers(50, 255, (2, 20, 5))
    for name, anchored in (("attention", False), ("attention-anchored", True)):
        teams = [load(untrained(name, seed=seed, kernel_size=3)) for seed in (0, 1)]
        team = Team([each.members[0] for each in teams], Calibration(), teams[0].card)
        each = np.stack([one_map(alone.answer(images).gates, anchored) for alone in teams])
        np.testing.assert_allclose(team.answer(images).attention, each.mean(0), atol=1e-6)
        np.testing.assert_allclose(team.attention(images), each.mean(0), atol=1e-6)
