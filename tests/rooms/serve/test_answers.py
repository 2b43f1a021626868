"""Frames of a turning source: exact where the network is, and the drift says where it is not."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from equiradio.data.augment import turned
from equiradio.data.simulated import simulate
from equiradio.explain.attention import gate_maps
from equiradio.serve import answers
from equiradio.serve.answers import Turner, classify, drift, explain, poses_of, turn_back
from equiradio.serve.held import Held
from equiradio.serve.networks import Networks, offered

SOURCE = Held("upload/a", "a", simulate(1, 0).images[0])


@pytest.fixture(scope="module")
def networks(untrained):
    models = ("c4-attention", "attention", "lenet")
    return Networks([offered(str(untrained(model, **({} if model == "lenet" else {"kernel_size": 3})))) for model in models])


def asked(turner, network, angle):
    """The map that the network itself gives at an angle."""
    member = network.members[0]
    return gate_maps(member.look(SOURCE.pixels[None], turned([angle])).attention)[0].float().mean(0)


@pytest.mark.parametrize("angle", [0.0, 30.0, 90.0, 120.0, 345.5])
def test_a_frame_is_what_the_network_says(networks, angle):
    for name in list(networks.by_name)[:2]:
        turner, network = Turner(networks), networks.get(name)
        frame = turner.frame(network, SOURCE, angle)
        assert_close(frame.maps[0], asked(turner, network, angle), rtol=0, atol=2e-3)


def test_an_exact_network_is_asked_once_for_four_angles(networks, monkeypatch):
    turner, network = Turner(networks), networks.get(None)
    network.open()
    looks = []
    look = type(network.members[0]).look
    monkeypatch.setattr(type(network.members[0]), "look", lambda self, *given: looks.append(1) or look(self, *given))
    for angle in (30, 120, 210, 300, -60, 390):
        turner.frame(network, SOURCE, angle)
    assert len(looks) == 1
    plain = networks.get(list(networks.by_name)[1])
    for angle in (30, 120):
        turner.frame(plain, SOURCE, angle)
    assert len(looks) == 3


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_quarter_turns_of_an_exact_network_do_not_drift(networks, quarters):
    said = explain(Turner(networks), networks.get(None), SOURCE, 90.0 * quarters)
    assert said["drift"] == 0
    assert said["p_frii"] == said["p_frii_unturned"]
    assert said["exact_quarter_turns"]


def test_a_plain_network_drifts(networks):
    said = explain(Turner(networks), networks.get(list(networks.by_name)[1]), SOURCE, 90.0)
    assert said["drift"] > 0.01
    assert said["drift"] > 10 * said["drift_of_resampling"]


def test_a_network_without_gates_has_no_map(networks):
    said = explain(Turner(networks), networks.get(list(networks.by_name)[2]), SOURCE, 10.0)
    assert said["maps"] == []
    assert said["drift"] is None


def test_turning_back_undoes_turning():
    maps = torch.rand(2, 150, 150)
    assert torch.equal(turn_back(maps.rot90(1, (-2, -1)), 90.0), maps)
    assert torch.equal(turn_back(maps.rot90(-1, (-2, -1)), -90.0), maps)
    assert drift(maps[0], maps[0]) == 0
    assert drift(maps[0], 2 * maps[0]) == pytest.approx(1)


def test_that_law_catches_a_turn_the_wrong_way(monkeypatch):
    monkeypatch.setattr(answers.torch, "rot90", lambda maps, turns, axes: maps.rot90(-turns, axes))
    with pytest.raises(AssertionError):
        test_turning_back_undoes_turning()


def test_the_class_is_the_mean_over_poses_with_its_interval(networks):
    network = networks.get(None)
    *pieces, said = classify(networks, network, SOURCE)
    assert set(pieces) == {None}
    member = network.members[0]
    p = member.look(np.repeat(SOURCE.pixels[None], 8, 0), poses_of(member)).logits.double().softmax(-1)[:, 1].numpy()
    assert said["answers"] == 8
    assert said["p_frii"] == pytest.approx(p.mean(), abs=1e-6)
    assert (said["p_frii_low"], said["p_frii_high"]) == pytest.approx(tuple(np.quantile(p, (0.05, 0.95))), abs=1e-6)
    assert said["p_fri"] + said["p_frii"] == pytest.approx(1)
    assert said["uncertain"] == (said["p_frii_low"] < 0.5 <= said["p_frii_high"])
    assert ("Abstains" in said["in_words"]) == said["uncertain"]


def test_poses_leave_out_what_a_symmetry_makes_superfluous(networks, untrained):
    c4, plain = (networks.turn.ask(networks.get(name).open)[0] for name in list(networks.by_name)[:2])
    assert poses_of(c4).rotation_deg.max() < 90
    assert poses_of(plain).rotation_deg.max() > 270
    d4 = offered(str(untrained("d4-attention", kernel_size=3))).open()[0]
    assert not poses_of(d4).mirrored.any()
    assert poses_of(c4).mirrored.any()
