"""What `reproduce` has to do: runs, how far each is, and how long the rest may take."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from equiradio.artefacts.card import Card
from equiradio.artefacts.claim import is_claimed
from equiradio.artefacts.run import Run, refuse_other_settings
from equiradio.artefacts.tables import predicted_by
from equiradio.bench.record import Record
from equiradio.bench.run import Cell, batch_of, measure_ours
from equiradio.bench.summary import TIME
from equiradio.compute.machine import processors
from equiradio.datasets.sources import Sources
from equiradio.models.names import architecture
from equiradio.settings import Settings, change, preset, with_habits

SPLIT = "test"
AUDITED = "sixteen-passes"  # the habit that needs a training of its own


@dataclass(frozen=True)
class Item:
    """One run of the plan: a model, a seed, where it lies, and the passes of its evaluation (None: however many)."""

    settings: Settings
    run: Run
    passes: int | None = None

    @property
    def name(self) -> str:
        return self.run.folder.name

    @property
    def model(self) -> str:
        return self.settings.model.name

    def card(self) -> Card | None:
        """How far it is, if it was begun."""
        return self.run.card() if self.run.card_file.is_file() else None

    @property
    def data(self) -> str:
        """Name of the data set; that of a folder where the settings name one."""
        card = self.card()
        return card.data if card else self.settings.data.name

    @property
    def trained(self) -> bool:
        card = self.card()
        return card is not None and card.state == "finished"

    @property
    def failed(self) -> bool:
        card = self.card()
        return card is not None and card.state == "failed"

    @property
    def evaluated(self) -> bool:
        """Are there scores of the finished weights, of their data and at least as many passes? What older scores do not say is trusted."""
        card, scores = self.card(), self.run.metrics_file(self.data, SPLIT)
        if card is None or card.state != "finished" or not scores.is_file():
            return False
        there = predicted_by(self.run.predictions_file(self.data, SPLIT))
        if self.passes is not None and _passes_of(scores, self.passes) < self.passes:
            return False
        wanted = {"data_md5": card.data_md5}
        if "weights" in there and self.run.weights_file.is_file():
            wanted["weights"] = self.run.weights_digest()
        return all(there.get(key, value) == value for key, value in wanted.items())

    def check_settings(self) -> None:
        """Refuse a run that is there, of another plan."""
        if self.run.settings_file.is_file():
            refuse_other_settings(self.run, self.settings)

    def state(self) -> str:
        """In a word or two: evaluated, trained, claimed, failed, begun, to do."""
        card = self.card()
        if self.evaluated:
            return "done"
        if is_claimed(self.run.folder):
            return "running elsewhere"
        if self.trained:
            return "to evaluate"
        if card is None:
            return "to do"
        return "failed" if self.failed else f"{card.epochs} of {self.settings.training.epochs} epochs"


def _passes_of(scores: Path, usual: int) -> int:
    """How many augmented passes scores are of; ``usual`` where they do not say, -1 where they cannot be read."""
    try:
        return int(json.loads(scores.read_text(encoding="utf-8")).get("passes", usual))
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return -1


def plan(
    models: Sequence[str], seeds: Sequence[int], name: str, data: str, out: Path, *, passes: int | None = None, audit: bool = False
) -> list[Item]:
    """The runs, model by model within a seed, so that an early stop leaves as many models as it can.

    ``audit`` adds a run of the first model and seed with the habit ``sixteen-passes``.
    """
    base = preset(name)
    items = []
    for seed in seeds:
        for model in dict.fromkeys(architecture(model).name for model in models):
            settings = change(base, {"model.name": model, "data.name": data, "training.seed": seed})
            items.append(Item(settings, Run(out / "runs" / f"{model}-{Path(data).name}-{name}-seed{seed}"), passes))
    if audit:
        first = items[0]
        items.append(Item(with_habits(first.settings, [AUDITED]), Run(out / "audit" / f"{first.name}-{AUDITED}"), passes))
    return items


def images_of(item: Item, sources: Sources) -> dict[str, int]:
    """Images that the whole item costs: to train on, and to answer (validation, evaluation with 101 passes, maps over 36 rotations)."""
    training, counts = item.settings.training, {split: int((sources.split == split).sum()) for split in ("train", "validation", SPLIT)}
    epochs = training.epochs
    validation = counts["validation"] * training.validation_passes * epochs
    maps = 37 if architecture(item.model).gated else 0
    return {"training": counts["train"] * training.passes * epochs, "inference": validation + counts[SPLIT] * (101 + maps)}


def estimate(items: Sequence[Item], sources: Sources, times: dict[str, dict[str, float]]) -> list[float]:
    """Seconds that are left of each item; ``times`` are milliseconds per image for each model and task."""
    left = []
    for item in items:
        cost, card = images_of(item, sources), item.card()
        done = card.epochs / item.settings.training.epochs if card else 0.0
        shares = {"training": 0.0 if item.trained else 1 - done, "inference": 0.0 if item.evaluated else 1 - 0.9 * done}
        left.append(sum(times[item.model][task] * cost[task] * shares[task] for task in cost) / 1000)
    return left


def measure(models: Sequence[str], on_line: Callable[[str], object]) -> dict[str, dict[str, float]]:
    """Milliseconds per image of a training step and of an answer, for each model, from two steps each on this machine's processor."""
    record, threads = Record(None, {}), processors()
    times: dict[str, dict[str, float]] = {}
    for model in dict.fromkeys(models):
        own: dict[str, float] = {}
        for task in ("training", "inference"):
            cell = Cell(0, model, task, "default")
            own[task] = measure_ours(record, cell, {"steps": 2, "seconds": 0.0}, threads)[TIME]
        times[model] = own
        on_line(f"{model}: {own['training']:.1f} ms per image in training, {own['inference']:.1f} ms to answer (batch {batch_of(model)})")
    return times


def rows(items: Sequence[Item], seconds: Sequence[float]) -> list[list[str]]:
    """The plan as text: run, state, hours left."""
    lines = [[item.name, item.state(), f"{left / 3600:.2f}"] for item, left in zip(items, seconds, strict=True)]
    return [*lines, ["all on this machine", "", f"{sum(seconds) / 3600:.2f}"]]


class PlannedRun(TypedDict):
    """A run, its state and the seconds that it still takes."""

    run: str
    state: str
    seconds_left: float


class PlanJson(TypedDict):
    """The plan for other programs; milliseconds by model and task."""

    runs: list[PlannedRun]
    seconds_left: float
    milliseconds_per_image: dict[str, dict[str, float]]


COLUMNS = ("run", "state", "hours left (estimate)")


def as_json(items: Sequence[Item], seconds: Sequence[float], times: dict[str, dict[str, float]]) -> PlanJson:
    """The plan for other programs."""
    runs: list[PlannedRun] = [
        {"run": item.name, "state": item.state(), "seconds_left": round(left, 1)} for item, left in zip(items, seconds, strict=True)
    ]
    return {"runs": runs, "seconds_left": round(sum(seconds), 1), "milliseconds_per_image": times}
