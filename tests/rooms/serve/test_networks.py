"""Which networks there are, and how they are asked: one question at a time, the urgent first."""

import threading
from contextlib import suppress

import pytest

from equiradio.artefacts.shelf import packaged_names
from equiradio.errors import ModelRefusal
from equiradio.serve.networks import Networks, Turnstile, offered
from equiradio.serve.refusals import Busy, NotOffered


def test_packaged_networks_are_ensembles():
    network = offered("attention")
    assert "attention" in packaged_names()
    assert len(network.open().members) == len(network.seeds) > 1
    assert network.summary()["packaged"]


def test_names_that_are_not_there_are_refused(untrained):
    with pytest.raises(ModelRefusal, match="neither packaged nor a run folder"):
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
