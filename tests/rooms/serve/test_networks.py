"""Which networks there are, and how they are asked: one question at a time, the urgent first."""

import json
import threading
from contextlib import suppress
from dataclasses import replace

import pytest

from equiradio.artefacts.shelf import team_names
from equiradio.errors import ModelRefusal, RunRefusal
from equiradio.serve.networks import Networks, Turnstile, offered
from equiradio.serve.refusals import Busy, NotOffered
from equiradio.sky.recipe import MIRABEST


def test_packaged_networks_are_teams():
    network = offered("attention")
    assert "attention" in team_names()
    assert network.team is None, "opened when first asked"
    assert len(network.open().members) == len(network.card.seeds) > 1
    assert network.open() is network.team
    assert network.summary()["packaged"]


def test_a_team_s_folder_and_a_run_are_offered_alike(untrained, shapes_team):
    team, run = offered(str(shapes_team)).summary(), offered(str(untrained("lenet"))).summary()
    assert (team["name"], team["model"], team["group"], team["seeds"]) == ("c4-attention-team", "c4-attention", "C4", [0, 1, 2])
    assert (team["classes"], run["classes"]) == (["FRI", "FRII", "Compact", "Bent"], ["FRI", "FRII"])
    assert (run["seeds"], team["packaged"], run["packaged"]) == ([0], False, False)


def test_a_run_on_other_data_speaks_of_no_licence_of_mirabest(untrained, tmp_path):
    own, everything = untrained("lenet"), offered("attention").summary()["licence"]
    old = json.loads((own / "card.json").read_text()) | {"licence": everything}  # as versions before wrote it
    (tmp_path / "card.json").write_text(json.dumps(old))
    for folder in (own, tmp_path):
        assert offered(str(folder)).summary()["licence"] == "BSD-3-Clause (weights)"
    assert "MiraBest, CC BY 4.0" in everything


def test_members_are_named_by_their_seed(shapes_team):
    network = offered(str(shapes_team))
    assert [network.seed_of(member) for member in ("", "0", "2")] == [None, 0, 2]
    for unknown in ("3", "-1", "two", "../1"):
        with pytest.raises(NotOffered, match="a seed of c4-attention-team: 0, 1, 2"):
            network.seed_of(unknown)


def test_names_that_are_not_there_are_refused(untrained):
    with pytest.raises(ModelRefusal, match="neither a packaged team nor a folder"):
        offered("c4-atention")
    folder = str(untrained("lenet"))
    networks = Networks([offered(folder), offered(folder)])
    assert list(networks.by_name) == ["lenet-seed0", "lenet-seed0 (2)"]
    assert networks.get(None) is networks.get("lenet-seed0")
    with pytest.raises(NotOffered):
        networks.get("../../etc/passwd")
    with pytest.raises(NotOffered, match="--model"):
        Networks([]).get(None)


def held_up(turnstile):
    """A question that keeps the turnstile until the event is set."""
    gate, inside = threading.Event(), threading.Event()

    def ask():
        with suppress(Busy):  # whose patience is short loses the answer, not the place
            turnstile.ask(lambda: inside.set() or gate.wait(20))

    thread = threading.Thread(target=ask)
    thread.start()
    assert inside.wait(20)
    return gate, thread


def test_more_than_may_wait_are_refused_and_room_comes_back():
    turnstile = Turnstile(waiting=1, patience=0.05)
    gate, thread = held_up(turnstile)
    with pytest.raises(Busy):
        turnstile.ask(lambda: 1)  # waits and loses patience; its place is free again
    with pytest.raises(Busy):
        turnstile.ask(lambda: 1)
    gate.set()
    thread.join()
    assert turnstile.ask(lambda: 2) == 2


def test_the_urgent_come_first():
    turnstile, order = Turnstile(waiting=4), []
    gate, thread = held_up(turnstile)
    ask = lambda name, urgent: threading.Thread(target=lambda: turnstile.ask(lambda: order.append(name), urgent=urgent))
    others = [ask("class", False), ask("frame", True)]
    for other in others:
        other.start()
        while turnstile._waiting.qsize() < others.index(other) + 1:
            pass
    gate.set()
    for each in (thread, *others):
        each.join()
    assert order == ["frame", "class"]


def test_an_error_reaches_whoever_asked_and_no_other():
    turnstile = Turnstile()
    with pytest.raises(ZeroDivisionError):
        turnstile.ask(lambda: 1 / 0)
    assert turnstile.ask(lambda: 1) == 1


def test_a_file_that_was_read_by_another_recipe_is_not_asked_about(untrained, source):
    network = offered(str(untrained("lenet")))
    network.check(source)
    network.check(replace(source, recipe=MIRABEST))
    with pytest.raises(RunRefusal, match=r"was read by another recipe \(stretch asinh, its own mirabest\); expected images by its own"):
        network.check(replace(source, recipe=replace(MIRABEST, stretch="asinh")))
    with pytest.raises(RunRefusal, match="answers about images of 150 x 150 pixels, and a has 40 x 40; expected images of its own side"):
        network.check(replace(source, pixels=source.pixels[:40, :40]))
