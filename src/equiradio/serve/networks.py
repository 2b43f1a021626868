"""Teams of networks by name: packaged, in a folder, or runs. Opened when first asked for, and asked one at a time."""

import itertools
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from equiradio.artefacts.shelf import find_team, team_names, trained_at
from equiradio.artefacts.team import TeamCard
from equiradio.errors import RunRefusal, nearest
from equiradio.printable import apart
from equiradio.serve.held import Held
from equiradio.serve.refusals import Busy, NotOffered
from equiradio.sky.recipe import MIRABEST, Recipe, other_than

if TYPE_CHECKING:
    from equiradio.inference.team import Team

T = TypeVar("T")
WAITING = 8  # requests that may wait for a network; more are refused at once
PATIENCE = 60.0  # seconds that one waits


@dataclass
class Network:
    """A team offered: one network, or several of the same kind trained from different seeds.

    Attributes
    ----------
    name : as in requests.
    opens : what `equiradio.load` opens, a folder or a name.
    packaged : comes with the package.
    card : of the team; a run is a team of one.
    team : opened, None until first asked for, because torch takes seconds to import.
    """

    name: str
    opens: str
    packaged: bool
    card: TeamCard
    team: "Team | None" = None

    def open(self) -> "Team":
        """The `Team`; call it through `Turnstile.ask`."""
        if self.team is None:
            from equiradio.inference.team import load

            self.team = load(self.opens, "cpu")
        return self.team

    @property
    def recipe(self) -> Recipe:
        """Of the images that it answers about."""
        return self.card.members[0].images

    def check(self, source: Held) -> None:
        """Refuse to ask it about a source whose pixels are of another side, or were made of a file by another recipe.

        Raises
        ------
        RunRefusal : with numbers.
        """
        side, own = len(source.pixels), self.recipe
        if side != own.side:
            found = f"answers about images of {own.side} x {own.side} pixels, and {source.name} has {side} x {side}"
            raise RunRefusal(self.name, found, "images of its own side", "Choose another model, or start a viewer with this one first.")
        if source.recipe is not None and (odd := other_than(own, source.recipe.as_card())):
            words = ", ".join(f"{key} {theirs}, its own {ours}" for key, (theirs, ours) in odd.items())
            found, do = f"{source.name} was read by another recipe ({words})", "Start a viewer with this model first."
            raise RunRefusal(self.name, found, "images by its own recipe", do)

    def seed_of(self, member: str) -> int | None:
        """The seed of the member that a request names; None for all of them, where it names none.

        Raises
        ------
        NotOffered : the team has no member of that seed.
        """
        seeds = {str(seed): seed for seed in self.card.seeds}
        if member and member not in seeds:
            raise NotOffered("member", member, f"a seed of {self.name}: {', '.join(seeds)}", "Leave it out for the mean of all.")
        return seeds.get(member)

    def summary(self) -> dict[str, Any]:
        """What the page says of it, from the card."""
        first = self.card.members[0]
        return {
            "name": self.name,
            "model": first.model,
            "group": first.group,
            "order": first.order,
            "weights": first.weights,
            "seeds": self.card.seeds,
            "packaged": self.packaged,
            "side": self.recipe.side,
            "data": first.data,
            "classes": list(self.card.labels.names),
            "best_validation_loss": first.best_validation_loss,
            "licence": first.licence,
            "citation": first.citation,
        }


def offered(name: str) -> Network:
    """The network of a team's name, a team's folder or a run folder, not opened yet.

    Raises
    ------
    ModelRefusal : neither. RunRefusal : a folder that is no run and no team, or of a team whose calibration did not end.
    """
    path = Path(name)
    if path.is_dir():
        place = trained_at(path)
        card = place.card()
        return Network(path.resolve().name, str(path), False, card if isinstance(card, TeamCard) else TeamCard(card.model, [card]))
    return Network(name, name, name in team_names(), find_team(name).card())


class Turnstile:
    """One at a time, the urgent first, a few waiting, the rest refused.

    Two cores answer one question quicker than two at once.
    All questions are asked by one thread, because PyTorch keeps a pool of workers for every thread that asks.
    """

    def __init__(self, waiting: int = WAITING, patience: float = PATIENCE) -> None:
        self._room, self._patience = threading.BoundedSemaphore(waiting + 1), patience
        self._waiting: queue.PriorityQueue[tuple[bool, int, Future, Callable]] = queue.PriorityQueue()
        self._number = itertools.count()
        threading.Thread(target=self._answer, name="networks", daemon=True).start()

    def ask(self, question: Callable[[], T], *, urgent: bool = False) -> T:
        """The answer, once it is one's turn.

        Raises
        ------
        Busy : too many wait already, or the wait was too long.
        """
        if not self._room.acquire(blocking=False):
            raise _busy()
        answer: Future[T] = Future()
        answer.add_done_callback(lambda _: self._room.release())
        self._waiting.put((not urgent, next(self._number), answer, question))
        try:
            return answer.result(self._patience)
        except TimeoutError:
            answer.cancel()
            raise _busy() from None

    def _answer(self) -> None:
        while True:
            _, _, answer, question = self._waiting.get()
            if not answer.set_running_or_notify_cancel():
                continue
            try:
                answer.set_result(question())
            except BaseException as error:  # whoever asked gets it
                answer.set_exception(error)


def _busy() -> Busy:
    return Busy("networks", "all of them are asked already", f"at most {WAITING} requests waiting", "Ask again in a moment.")


class Networks:
    """All that are offered; the first is the default, by whose recipe files are read."""

    def __init__(self, networks: list[Network], turnstile: Turnstile | None = None) -> None:
        self.by_name: dict[str, Network] = {}
        for network in networks:
            network.name = apart(network.name, self.by_name)  # two run folders of one name in different places
            self.by_name[network.name] = network
        self.turn = turnstile or Turnstile()

    @property
    def recipe(self) -> Recipe:
        """By which files become images: that of the default."""
        return next((network.recipe for network in self.by_name.values()), MIRABEST)

    def get(self, name: str | None) -> Network:
        if not self.by_name:
            raise NotOffered("model", name or "any", "none", "Start the viewer with --model RUN.")
        if not name:
            return next(iter(self.by_name.values()))
        if name not in self.by_name:
            raise NotOffered("model", name, ", ".join(self.by_name), nearest(name[:100], list(self.by_name)))
        return self.by_name[name]
