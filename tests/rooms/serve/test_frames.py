"""Frames of a turning source: what each member gives, the mean over them, and how far they agree."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from equiradio.compute.poses import turned
from equiradio.datasets.simulated import simulate
from equiradio.evaluation.choosing import probabilities
from equiradio.inference.gate_maps import gate_maps
from equiradio.inference.member import Member
from equiradio.serve import frames as module
from equiradio.serve.frames import Turner
from equiradio.serve.held import Held
from equiradio.serve.networks import Networks, offered


@pytest.fixture(scope="module")
def teams(team_folder):
    """A team of three without an exact turn among its networks."""
    return Networks([offered(str(team_folder("attention", (0, 1, 2), kernel_size=3)))])


def map_at(member, source, angle):
    """The map that a network itself gives at an angle."""
    return gate_maps(member.look(source.pixels[None], turned([angle])).attention)[0].float().mean(0)


@pytest.mark.parametrize("angle", [0.0, 30.0, 90.0, 120.0, 345.5])
def test_a_frame_is_what_the_network_says(networks, source, angle):
    for name in list(networks.by_name)[:2]:
        network = networks.get(name)
        frame = Turner(networks).frame(network, source, angle)
        assert_close(frame.maps[0], map_at(network.team.members[0], source, angle), rtol=0, atol=2e-3)
        assert frame.agreement is None


def looks_of(monkeypatch):
    looks, look = [], Member.look
    monkeypatch.setattr(Member, "look", lambda self, *given: looks.append(1) or look(self, *given))
    return looks


def test_an_exact_network_is_asked_once_for_four_angles(networks, source, monkeypatch):
    turner, looks = Turner(networks), looks_of(monkeypatch)
    for angle in (30, 120, 210, 300, -60, 390):
        turner.frame(networks.get(None), source, angle)
    assert len(looks) == 1
    plain = networks.get(list(networks.by_name)[1])
    for angle in (30, 120):
        turner.frame(plain, source, angle)
    assert len(looks) == 3


def test_a_file_that_was_replaced_is_asked_about_anew(networks, source):
    turner, network = Turner(networks), networks.get(None)
    before = turner.frame(network, source, 0.0).p[1]
    other = Held(source.key, source.name, simulate(2, 0).images[1])
    assert turner.frame(network, other, 0.0).p[1] != before
    assert turner.frame(network, source, 0.0).p[1] == before


def test_a_team_s_frame_is_the_mean_of_its_members_frames(teams, source):
    turner, network = Turner(teams), teams.get(None)
    whole, alone = turner.frame(network, source, 30.0), [turner.frame(network, source, 30.0, seed) for seed in (0, 1, 2)]
    for seed, frame in enumerate(alone):
        assert_close(frame.maps[0], map_at(network.team.members[seed], source, 30.0), rtol=0, atol=1e-6)
    assert_close(whole.maps, torch.stack([frame.maps for frame in alone]).mean(0), rtol=0, atol=1e-6)
    logits = [member.look(source.pixels[None], turned([30.0])).logits.double().numpy() for member in network.team.members]
    assert whole.p == pytest.approx(probabilities(np.stack(logits)).mean((0, 1)), abs=1e-6)
    (mean,), margins = whole.evidence, [frame.evidence[0].margin for frame in alone]
    assert mean.margin == pytest.approx(np.mean(margins))
    assert mean.plane == pytest.approx(np.mean([frame.evidence[0].plane for frame in alone], 0), abs=1e-6)
    assert mean.plane.sum(dtype=float) + mean.constant == pytest.approx(mean.margin)


def test_that_law_catches_a_first_member_that_answers_for_all(teams, source, monkeypatch):
    monkeypatch.setattr(module, "mean_of", lambda frames: frames[0])
    with pytest.raises(AssertionError):
        test_a_team_s_frame_is_the_mean_of_its_members_frames(teams, source)


def test_members_are_asked_once_whether_alone_or_together(teams, source, monkeypatch):
    turner, network = Turner(teams), teams.get(None)
    network.open()
    looks = looks_of(monkeypatch)
    turner.frame(network, source, 12.0, seed=1)
    turner.frame(network, source, 12.0)
    turner.frame(network, source, 12.0, seed=2)
    assert len(looks) == 3


def test_frames_held_stay_within_their_room(networks, source, monkeypatch):
    turner, network = Turner(networks), networks.get(list(networks.by_name)[1])
    size = turner.frame(network, source, 0.0).bytes
    monkeypatch.setattr(module, "ROOM", 3 * size)
    for angle in range(6):
        turner.frame(network, source, float(angle))
    assert [key[-1] for key in turner._frames] == [3.0, 4.0, 5.0]
