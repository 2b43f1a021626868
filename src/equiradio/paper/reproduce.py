"""The verb ``reproduce``: train what is missing, evaluate it, and write the page; alone, or many processes on one folder."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from equiradio.artefacts.card import read_card
from equiradio.artefacts.claim import Claim, Claimed, claimed, free_of
from equiradio.artefacts.run import Epoch
from equiradio.datasets.registry import chosen_split, open_data
from equiradio.errors import Refusal, SettingRefusal
from equiradio.paper.plan import SPLIT, Item
from equiradio.paper.results import UNTRAINED
from equiradio.printable import duration

OnLine = Callable[[str], object]
Step = Callable[[str, int, int], None]


@dataclass
class Outcome:
    """What became of a plan: names of runs that are done, that others hold, and those that failed, each with its line."""

    done: list[str]
    elsewhere: list[str]
    failed: dict[str, str]


def carry_out(
    items: Sequence[Item],
    *,
    data_dir: Path | None = None,
    device: str = "cpu",
    passes: int = 100,
    on_line: OnLine = lambda line: None,
    step: Step = lambda what, done, total: None,
) -> Outcome:
    """Bring every run of a plan to its metrics, as far as no other process does so.

    A run is claimed while it is worked on; how far it is, is looked up again under the claim, so nothing is done twice. A run that fails
    (a dead head, a loss that is not finite) stays failed and does not stop the others.

    Raises
    ------
    KeyboardInterrupt : interrupted; finished runs and epochs are kept.
    """
    items = [replace(item, passes=passes) for item in items]
    outcome, clock = Outcome([], [], {}), TimeLeft(items)

    def bring(number: int, item: Item) -> None:
        step("runs", number, len(items))
        heading = f"run {number + 1} of {len(items)}: {item.name}"
        with _noted(outcome, item, heading, on_line):
            item.check_settings()
            if not item.evaluated:
                _finish(item, heading, clock, passes, data_dir=data_dir, device=device, on_line=on_line, step=step)

    for number, item in enumerate(items):
        bring(number, item)
    while left := _abandoned(items, outcome, on_line):
        for number, item in left:
            outcome.elsewhere.remove(item.name)
            bring(number, item)
    step("runs", len(items), len(items))
    return outcome


@contextmanager
def _noted(outcome: Outcome, item: Item, heading: str, on_line: OnLine) -> Iterator[None]:
    """Note what becomes of a run: done, left to another process, or failed."""
    try:
        yield
        outcome.done.append(item.name)
    except Claimed as refusal:
        on_line(f"{heading}: {refusal.found}; left to it")
        outcome.elsewhere.append(item.name)
    except Refusal as refusal:
        on_line(f"{heading}: {refusal}")
        outcome.failed[item.name] = str(refusal)


def _abandoned(items: Sequence[Item], outcome: Outcome, on_line: OnLine) -> list[tuple[int, Item]]:
    """Runs that were left to others who are gone now, with their numbers; those who live are waited for until they give a sign of it."""
    others = {item.run.folder: (number, item) for number, item in enumerate(items) if item.name in outcome.elsewhere}
    if others:
        on_line(f"looking whether {len(others)} runs are still worked on elsewhere")
    return [others[folder] for folder in free_of(others)]


def _finish(item: Item, heading: str, clock: "TimeLeft", passes: int, *, on_line: OnLine, step: Step, **where: Any) -> None:
    """Train and evaluate a run under a claim, as far as that is not done; ``where``: data_dir and device."""
    with claimed(item.run.folder) as claim:
        if item.failed:
            raise Failed(item)
        if not item.trained:
            _train(item, heading, clock, on_line=on_line, step=step, claim=claim, **where)
        if not item.evaluated:
            on_line(f"{heading}, evaluation")
            _evaluate(item, passes, step, claim, **where)


class Failed(Refusal):
    """A run that failed before."""

    kind = "run"

    def __init__(self, item: Item) -> None:
        card = item.card()
        reason = card.reason if card else ""
        super().__init__(item.run.folder, f"failed before ({reason})", "a run that can finish", "Delete its folder to train it anew.")


def _train(item: Item, heading: str, clock: "TimeLeft", *, on_line: OnLine, step: Step, **options: Any) -> None:
    from equiradio.training.fit import train  # lightning takes seconds to import

    epochs = item.settings.training.epochs

    def on_epoch(row: Epoch) -> None:
        clock.add(item, row["seconds"])
        step("epochs", row["epoch"] + 1, epochs)
        losses = f"training loss {row['train_loss']:.4f}, validation loss {row['validation_loss']:.4f}"
        on_line(f"{heading}, epoch {row['epoch'] + 1} of {epochs}: {losses}; {clock.in_words()}")

    resume = item.run.settings_file.is_file()
    on_line(f"{heading}: {'goes on' if resume else 'begins'}")
    train(item.settings, item.run.folder, resume=resume, on_epoch=on_epoch, step=step, **options)


def _evaluate(item: Item, passes: int, step: Step, claim: Claim, data_dir: Path | None, device: str) -> None:
    from equiradio.verbs.evaluate import evaluate

    card = item.run.card()
    where: dict[str, Any] = {"data_dir": data_dir, "device": device, "precision": card.precision}
    evaluate(item.run.folder, passes=passes, progress=step, claim=claim, **where)


class TimeLeft:
    """Seconds that training still takes on this machine, from epochs seen here: a model's own, or another's scaled by multiply-adds."""

    def __init__(self, items: Sequence[Item]) -> None:
        self.items, self.seconds = items, dict[str, float]()
        self._costs: dict[str, int] = {}

    def add(self, item: Item, seconds: float) -> None:
        """An epoch of this model took so long."""
        self.seconds[item.model] = seconds

    def left(self) -> float | None:
        """Over all runs that are not trained yet; None before the first epoch."""
        if not self.seconds:
            return None
        total = 0.0
        for item in self.items:
            if not item.trained:
                card = item.card()
                total += (item.settings.training.epochs - (card.epochs if card else 0)) * self._epoch(item.model)
        return total

    def in_words(self) -> str:
        """In words; empty where another run's card cannot be read, which does not concern the run that is training."""
        try:
            left = self.left()
        except (Refusal, OSError):
            return ""
        return "" if left is None else f"about {duration(left)} of training left"

    def _epoch(self, model: str) -> float:
        if model in self.seconds:
            return self.seconds[model]
        seen = next(reversed(self.seconds))
        return self.seconds[seen] * self._cost(model) / self._cost(seen)

    def _cost(self, model: str) -> int:
        from equiradio.bench.run import multiply_adds

        if model not in self._costs:
            self._costs[model] = multiply_adds(model)["float32"]["training"]
        return self._costs[model]


def untrained_maps(
    items: Sequence[Item], out: Path, *, data_dir: Path | None = None, device: str = "cpu", step: Step = lambda what, done, total: None
) -> None:
    """Maps of one untrained network for each model with gates, by the plan's first seed, as a control; where not there yet."""
    from equiradio.verbs.stored_maps import map_arrays, untrained, write_maps

    for model in dict.fromkeys(item.model for item in items):
        first = next(item for item in items if item.model == model)
        target = out / UNTRAINED / first.name / "maps.npz"
        if _is_of(target, first) or not any(item.run.maps_file.is_file() for item in items if item.model == model):
            continue
        try:
            with claimed(target.parent):
                sources = chosen_split(open_data(first.settings.data.name, data_dir, first.settings.data.classes), SPLIT)
                classifier = untrained(first.settings, sources, device)
                if classifier.network.gate_count and not _is_of(target, first):
                    target.unlink(missing_ok=True)
                    classifier.card.write(target.with_name("card.json"))
                    write_maps(target, map_arrays(classifier, sources, progress=step))
        except Claimed:
            continue


def _is_of(maps: Path, item: Item) -> bool:
    """Are maps of an untrained network there, of the data that the item was trained on? Those without a card are trusted."""
    card, about = item.card(), maps.with_name("card.json")
    return maps.is_file() and (card is None or not about.is_file() or read_card(about).data_md5 == card.data_md5)


def check_part(part: int | None, count: int) -> None:
    """Refuse the number of a run that is not in the plan."""
    if part is not None and not 0 <= part < count:
        raise SettingRefusal("--part", f"{part}", f"0 to {count - 1}, a run of the plan", "See the plan with --dry-run.")
