"""Attention and evidence while a source turns: exact where the network is, else the drift says so; of a team, or of one member."""

import base64

import numpy as np
import pytest
import torch

from equiradio.compute.poses import turned
from equiradio.serve import explanations
from equiradio.serve.explanations import drift, explain, turn_back
from equiradio.serve.frames import Turner
from equiradio.serve.networks import Networks, offered


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_quarter_turns_of_an_exact_network_do_not_drift(networks, source, quarters):
    answer = explain(Turner(networks), networks.get(None), source, 90.0 * quarters)
    assert answer["drift"] == 0
    assert answer["p_frii"] == answer["p_frii_unturned"]
    assert answer["exact_quarter_turns"]


def test_a_plain_network_drifts(networks, source):
    answer = explain(Turner(networks), networks.get(list(networks.by_name)[1]), source, 90.0)
    assert answer["drift"] > 0.01
    assert answer["drift"] > 10 * answer["drift_of_resampling"]


def test_a_network_without_gates_has_no_map(networks, source):
    answer = explain(Turner(networks), networks.get(list(networks.by_name)[2]), source, 10.0)
    assert answer["maps"] == []
    assert answer["evidence"] is None
    assert answer["drift"] is None


def plane(text):
    return np.frombuffer(base64.b64decode(text), "<f4").reshape(150, 150)


@pytest.mark.parametrize("angle", [0.0, 30.0, 90.0])
def test_evidence_adds_up_to_what_the_network_says_of_the_turned_source(networks, source, angle):
    for name in list(networks.by_name)[:2]:
        network = networks.get(name)
        found = explain(Turner(networks), network, source, angle)["evidence"]
        (fri, frii), *_ = network.team.members[0].look(source.pixels[None], turned([angle])).logits.double().cpu().numpy()
        assert found["margin"] == pytest.approx(frii - fri, abs=2e-3)
        assert plane(found["map"]).sum() + found["constant"] == pytest.approx(found["margin"], abs=1e-4)
        assert found["full"] > 0


def test_evidence_turns_with_the_sky_in_an_exact_network(networks, source):
    still, quarter = (explain(Turner(networks), networks.get(None), source, angle)["evidence"] for angle in (0.0, 90.0))
    assert np.array_equal(plane(quarter["map"]), np.rot90(plane(still["map"])))
    assert np.array_equal(plane(quarter["map_turned_back"]), plane(still["map"]))
    assert quarter["full"] == still["full"]


@pytest.fixture(scope="module")
def teams(team_folder, shapes_team):
    """A team of two classes, and one of four."""
    return Networks([offered(str(team_folder("attention", (0, 1), kernel_size=3))), offered(str(shapes_team))])


def test_of_a_team_the_mean_is_shown_and_each_member_where_it_is_asked(teams, source):
    turner, network = Turner(teams), teams.get(None)
    whole, first, second = (explain(turner, network, source, 30.0, seed) for seed in (None, 0, 1))
    assert (whole["member"], first["member"], second["member"]) == (None, 0, 1)
    assert -1 <= whole["member_agreement"] < 1
    assert first["member_agreement"] is second["member_agreement"] is None
    assert whole["p"] == pytest.approx((first["p"] + second["p"]) / 2)
    assert whole["evidence"]["margin"] == pytest.approx((first["evidence"]["margin"] + second["evidence"]["margin"]) / 2)
    bits = [np.frombuffer(base64.b64decode(each["maps"][0]), np.uint8).astype(float) for each in (whole, first, second)]
    assert abs(bits[0] - (bits[1] + bits[2]) / 2).max() <= 1
    assert abs(bits[1] - bits[2]).max() > 10, "the members differ"


def test_of_two_classes_the_second_is_spoken_of_under_its_old_name(teams, source):
    answer = explain(Turner(teams), teams.get(None), source, 30.0)
    assert answer["toward"] == "FRII"
    assert (answer["p_frii"], answer["p_frii_unturned"]) == (answer["p"], answer["p_unturned"])
    assert (answer["evidence"]["below"], answer["evidence"]["above"]) == ("for FRI", "for FRII")


@pytest.mark.parametrize("angle", [0.0, 30.0, 180.0])
def test_of_four_classes_that_of_the_unturned_source_is_spoken_of(teams, source, angle):
    turner, network = Turner(teams), teams.get(list(teams.by_name)[1])
    answer, still = explain(turner, network, source, angle), turner.frame(network, source, 0.0)
    place = int(still.p.argmax())
    name = network.card.labels.names[place]
    assert answer["toward"] == name
    assert answer["p_unturned"] == still.p[place]
    assert answer["p"] == answer[f"p_{name.lower()}"] == turner.frame(network, source, angle).p[place]
    found = answer["evidence"]
    assert (found["below"], found["above"]) == (f"against {name}", f"for {name}")
    logits = np.mean([member.look(source.pixels[None], turned([angle])).logits.double().numpy()[0] for member in network.team.members], 0)
    assert found["margin"] == pytest.approx(logits[place] - np.delete(logits, place).mean(), abs=2e-3)
    assert plane(found["map"]).sum() + found["constant"] == pytest.approx(found["margin"], abs=1e-4)


def test_that_law_catches_another_class_s_evidence(teams, source, monkeypatch):
    monkeypatch.setattr(explanations, "spoken_of", lambda labels, still: int(still.p.argmin()))
    with pytest.raises(AssertionError):
        test_of_four_classes_that_of_the_unturned_source_is_spoken_of(teams, source, 0.0)


def test_turning_back_undoes_turning():
    maps = torch.rand(2, 150, 150)
    assert torch.equal(turn_back(maps.rot90(1, (-2, -1)), 90.0), maps)
    assert torch.equal(turn_back(maps.rot90(-1, (-2, -1)), -90.0), maps)
    assert drift(maps[0], maps[0]) == 0
    assert drift(maps[0], 2 * maps[0]) == pytest.approx(1)


def test_that_law_catches_a_turn_the_wrong_way(monkeypatch):
    monkeypatch.setattr(explanations.torch, "rot90", lambda maps, turns, axes: maps.rot90(-turns, axes))
    with pytest.raises(AssertionError):
        test_turning_back_undoes_turning()
