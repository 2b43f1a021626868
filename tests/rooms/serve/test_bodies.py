"""Bodies that arrive are handed on as they came, hold a bounded room together, and give it back."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from equiradio.serve.bodies import IN_MEMORY, PIECE, Arrivals, Body
from equiradio.serve.refusals import Busy, TooLarge


def in_a_thread(exercise):
    with ThreadPoolExecutor(1) as thread:  # this one may hold the event loop of the tests of the page
        thread.submit(asyncio.run, exercise).result()


def receiving(*pieces):
    """What a server hands on: these pieces, and then that the client has gone."""
    last = len(pieces) - 1
    messages = iter([{"type": "http.request", "body": piece, "more_body": number < last} for number, piece in enumerate(pieces)])

    async def receive():
        return next(messages, {"type": "http.disconnect"})

    return receive


@pytest.mark.parametrize("pieces", [(b"",), (b"a", b"", b"b"), (b"x" * IN_MEMORY, b"y" * 3 * PIECE, b"z")])
def test_a_body_is_handed_on_as_it_came_and_once(pieces):
    async def exercise():
        arrivals, got = Arrivals(), b""
        with Body(receiving(*pieces), arrivals) as body:
            await body.arrive()
            assert arrivals.held == body.size == sum(map(len, pieces))
            more = True
            while more:
                message = await body.again()
                got, more = got + message["body"], message["more_body"]
            assert (await body.again())["type"] == "http.disconnect"
        assert got == b"".join(pieces)
        assert arrivals.held == 0

    in_a_thread(exercise())


def test_bodies_hold_a_bounded_room_together():
    async def exercise():
        arrivals = Arrivals(most=10, most_together=15)
        with Body(receiving(b"x" * 8, b"x"), arrivals) as first, Body(receiving(b"x" * 8), arrivals) as second:
            await first.arrive()
            with pytest.raises(Busy, match="9 bytes of uploads at once"):
                await second.arrive()
        assert arrivals.held == 0
        with Body(receiving(b"x" * 8, b"x" * 8), arrivals) as third, pytest.raises(TooLarge, match="more than 10 bytes"):
            await third.arrive()
        assert arrivals.held == 0

    in_a_thread(exercise())


def test_a_client_that_goes_leaves_nothing():
    async def exercise():
        arrivals = Arrivals()
        with Body(receiving(), arrivals) as body:
            await body.arrive()
            assert body.gone
        assert arrivals.held == 0

    in_a_thread(exercise())
