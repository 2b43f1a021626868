"""Networks by name: run folders, or the package's ensembles. Opened when first asked for, and asked one at a time."""

import itertools
import json
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from equiradio.artefacts.card import Card
from equiradio.artefacts.run import Run
from equiradio.errors import ModelRefusal, nearest
from equiradio.serve.refusals import Busy, NotOffered

T = TypeVar("T")
PACKAGED = Path(__file__).parents[1] / "weights"
WAITING = 8  # requests that may wait for a network; more are refused at once
PATIENCE = 60.0  # seconds that one waits


@dataclass
class Network:
    """A model offered: one network, or several of the same kind trained from different seeds.

    Attributes
    ----------
    name : as in requests.
    folder : of the run, or of the packaged weights.
    members : the opened `Classifier`s, empty until first asked for.
    """

    name: str
    folder: Path
    packaged: bool
    card: Card
    seeds: list[int]
    members: list[Any] = field(default_factory=list)

    def open(self) -> list[Any]:
        """The members; call it through `Turnstile.ask`."""
        if not self.members:
            self.members = _packaged_members(self.folder) if self.packaged else _run_members(self.folder)
        return self.members

    def summary(self) -> dict[str, Any]:
        """What the page says of it, from the card."""
        return {
            "name": self.name,
            "model": self.card.model,
            "group": self.card.group,
            "order": self.card.order,
            "weights": self.card.weights,
            "seeds": self.seeds,
            "packaged": self.packaged,
            "data": self.card.data,
            "best_validation_loss": self.card.best_validation_loss,
            "licence": self.card.licence,
            "citation": self.card.citation,
        }


def _run_members(folder: Path) -> list[Any]:
    from equiradio.inference.classifier import load

    return [load(folder)]


def _packaged_members(folder: Path) -> list[Any]:
    from equiradio.artefacts.weights import load_into, read_weights
    from equiradio.data.preprocess import Preprocessing
    from equiradio.inference.classifier import Classifier
    from equiradio.inference.forms import take_likely_forms
    from equiradio.models.registry import build
    from equiradio.settings import change, preset

    members = []
    for content in json.loads((folder / "card.json").read_text(encoding="utf-8"))["members"]:
        card = Card(**content)
        prepare = Preprocessing(**card.preprocessing)  # type: ignore[arg-type]
        settings = change(preset(card.preset), {"model.name": card.model})
        file = folder / f"seed{card.seed}.safetensors"
        network = build(settings.model, blank=prepare.blank)
        load_into(network, {name: value.float() for name, value in read_weights(file, model=card.model, group=card.group).items()}, file)
        take_likely_forms(network, settings.training.layer_form)
        members.append(Classifier(network, card, prepare))
    return members


def packaged_names() -> list[str]:
    return sorted(file.parent.name for file in PACKAGED.glob("*/card.json"))


def offered(name: str) -> Network:
    """The network of a packaged name or a run folder, not opened yet.

    Raises
    ------
    ModelRefusal : neither. RunRefusal : a folder that is no run.
    """
    if Path(name).is_dir():
        run = Run(Path(name))
        card = run.card()
        return Network(run.folder.resolve().name, run.folder, False, card, [card.seed])
    known = packaged_names()
    if name not in known:
        raise ModelRefusal("--model", f"'{name}' is neither a run folder nor packaged", ", ".join(known), nearest(name, known))
    members = json.loads((PACKAGED / name / "card.json").read_text(encoding="utf-8"))["members"]
    return Network(name, PACKAGED / name, True, Card(**members[0]), [member["seed"] for member in members])


class Turnstile:
    """One at a time, the urgent first, a few waiting, the rest refused: two cores answer one question quicker than two at once.

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
    """All that are offered; the first is the default."""

    def __init__(self, networks: list[Network], turnstile: Turnstile | None = None) -> None:
        self.by_name: dict[str, Network] = {}
        for network in networks:
            name, number = network.name, 2
            while network.name in self.by_name:  # two run folders of one name in different places
                network.name, number = f"{name} ({number})", number + 1
            self.by_name[network.name] = network
        self.turn = turnstile or Turnstile()

    def get(self, name: str | None) -> Network:
        if not self.by_name:
            raise NotOffered("model", name or "any", "none", "Start the viewer with --model RUN.")
        if not name:
            return next(iter(self.by_name.values()))
        if name not in self.by_name:
            raise NotOffered("model", name, ", ".join(self.by_name), nearest(name[:100], list(self.by_name)))
        return self.by_name[name]
