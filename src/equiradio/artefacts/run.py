"""A training's folder: where each of its files lies, and nothing about what made them."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypedDict, cast

from equiradio.artefacts.atomic import numbers_hash, write_text
from equiradio.artefacts.card import Card, read_card
from equiradio.artefacts.form_choices import FILE as FORMS
from equiradio.errors import RunRefusal
from equiradio.settings import Settings, as_named, from_toml, keys, to_toml


class Epoch(TypedDict):
    """One row of the history: ``epoch`` counts from 0, losses are in nats per image, ``learning_rate`` is that at the epoch's beginning."""

    epoch: int
    train_loss: float
    validation_loss: float
    validation_accuracy: float
    learning_rate: float
    seconds: float
    images_per_second: float


HISTORY = tuple(Epoch.__annotations__)


@dataclass(frozen=True)
class Run:
    """The folder of one training."""

    folder: Path

    @property
    def settings_file(self) -> Path:
        return self.folder / "settings.toml"

    @property
    def card_file(self) -> Path:
        return self.folder / "card.json"

    @property
    def weights_file(self) -> Path:
        """Weights at the lowest validation loss."""
        return self.folder / "weights.safetensors"

    @property
    def checkpoint(self) -> Path:
        """Everything needed to go on training."""
        return self.folder / "last.ckpt"

    @property
    def history_file(self) -> Path:
        return self.folder / "history.csv"

    @property
    def forms_file(self) -> Path:
        """Which form each steerable layer takes."""
        return self.folder / FORMS

    @property
    def teacher_folder(self) -> Path:
        """Answers of the team that it learns from."""
        return self.folder / "teacher"

    @property
    def maps_file(self) -> Path:
        return self.folder / "maps.npz"

    def predictions_file(self, data: str, split: str) -> Path:
        return self.folder / "predictions" / f"{data}-{split}.parquet"

    def metrics_file(self, data: str, split: str) -> Path:
        return self.folder / "metrics" / f"{data}-{split}.json"

    def figure_file(self, name: str) -> Path:
        return self.folder / "figures" / f"{name}.png"

    def settings(self) -> Settings:
        """The settings that the run was trained with."""
        if not self.settings_file.is_file():
            found = "no settings.toml in it" if self.folder.is_dir() else "a file" if self.folder.exists() else "no such folder"
            raise RunRefusal(self.folder, found, "the folder of a training", "Give a folder that 'equiradio train' wrote.")
        settings = from_toml(self.settings_file)
        return replace(settings, model=as_named(settings.model))

    def weights_digest(self) -> str:
        """The beginning of `weights_hash`; predictions name the weights that they are of by it."""
        return self.weights_hash()[:12]

    def weights_hash(self) -> str:
        """SHA-256 of all weights in the order of their names."""
        from safetensors.numpy import load_file

        try:
            numbers = load_file(self.weights_file)
        except Exception as error:
            raise RunRefusal(self.weights_file, f"cannot be read ({error})", "whole weights", "Train anew.") from None
        return numbers_hash([numbers])

    def card(self) -> Card:
        return read_card(self.card_file)

    def write_settings(self, settings: Settings) -> None:
        write_text(self.settings_file, to_toml(settings))

    def write_history(self, rows: Sequence[Epoch]) -> None:
        """One row per epoch, columns of `HISTORY`."""
        text = io.StringIO()
        writer = csv.DictWriter(text, HISTORY, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_text(self.history_file, text.getvalue())

    def history(self) -> list[Epoch]:
        """The rows of the history, as numbers."""
        if not self.history_file.is_file():
            raise RunRefusal(self.history_file, "no such file", "a history of at least one epoch", "Train for an epoch first.")
        try:
            with self.history_file.open(encoding="utf-8", newline="") as file:
                rows = [{key: float(row[key]) for key in HISTORY} for row in csv.DictReader(file)]
            if odd := next((key for row in rows for key, value in row.items() if not math.isfinite(value)), None):
                raise ValueError(f"{odd} is not finite")
            return [cast(Epoch, row) for row in rows]
        except Exception as error:
            do = "Take it away to go without, or train anew."
            raise RunRefusal(self.history_file, f"cannot be read ({error})", f"columns {', '.join(HISTORY)}", do) from None


def refuse_other_settings(run: Run, settings: Settings) -> None:
    """Refuse a run folder that holds a training by other settings than these."""
    theirs = run.settings()
    if theirs != settings:
        values = [(key, *(getattr(getattr(s, key.split(".")[0]), key.split(".")[1]) for s in (theirs, settings))) for key in keys()]
        differing = ", ".join(f"{key} {old!r} there, {new!r} asked" for key, old, new in values if old != new)
        raise RunRefusal(run.folder, f"holds a training with other settings ({differing})", "the same settings", "Choose another --out.")
