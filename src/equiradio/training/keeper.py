"""What a training leaves on disk after every epoch, so that it can be killed at any moment and go on."""

import math
import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback

from equiradio.artefacts.atomic import named
from equiradio.artefacts.card import Card, Stage
from equiradio.artefacts.run import Epoch, Run
from equiradio.artefacts.weights import write_weights
from equiradio.errors import RunRefusal, TrainingRefusal
from equiradio.training.averaging import learned
from equiradio.training.task import ClassificationTask

OnEpoch = Callable[[Epoch], object]
PROVENANCE = ("device", "precision", "versions", "commit")  # of a card: what its epochs were trained by


class RunKeeper(Callback):
    """Write history, best weights, card and checkpoint after each epoch, the checkpoint last: how far a run is, is read from it alone.

    The history lives in the checkpoint too; resuming rewrites what else was written after it.
    ``on_epoch(row)`` is called with each epoch's row of the history; ``catalogue`` is the hash of what the data list beside images.
    """

    def __init__(self, run: Run, card: Card, images_per_epoch: int, on_epoch: OnEpoch | None = None, catalogue: str = "") -> None:
        self.catalogue = catalogue
        self.run, self.card, self.images_per_epoch, self.on_epoch = run, card, images_per_epoch, on_epoch
        self.rows: list[Epoch] = []
        self.stages: list[Stage] = []
        self._resumed: dict[str, Any] = {}  # provenance of the epochs that were there
        self._started = 0.0

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows, "data_md5": self.card.data_md5, "catalogue": self.catalogue, "stages": self.stages}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.rows = list(state["rows"])
        self.card = self.card.with_changes(weights_hash=self.run.weights_hash())
        with suppress(RunRefusal):  # a card that cannot be read is written anew
            before = self.run.card()
            self._resumed = {name: getattr(before, name) for name in PROVENANCE}
            self.stages = [{"epochs": len(self.rows), "device": before.device, "precision": before.precision}]
        self.stages = list(state.get("stages", self.stages))  # which older checkpoints lack

    def on_fit_start(self, trainer: lightning.Trainer, task: Any) -> None:
        trainer.should_stop |= self.out_of_patience(task.settings.training.patience)  # resumed though it had finished

    def on_train_epoch_start(self, trainer: lightning.Trainer, task: Any) -> None:
        self._started = time.perf_counter()
        self._rate = trainer.optimizers[0].param_groups[0]["lr"]

    def on_train_epoch_end(self, trainer: lightning.Trainer, task: Any) -> None:
        assert isinstance(task, ClassificationTask)
        means, seconds = task.epoch_means(), time.perf_counter() - self._started
        epoch = trainer.current_epoch
        self._refuse_hopeless(epoch, means, task.dead_heads())
        row: Epoch = {
            "epoch": epoch,
            "train_loss": means["train"],
            "validation_loss": means["validation"],
            "validation_accuracy": means["correct"],
            "learning_rate": self._rate,
            "seconds": round(seconds, 3),
            "images_per_second": round(self.images_per_epoch / seconds, 2),
        }
        best = min((earlier["validation_loss"] for earlier in self.rows), default=math.inf)
        self.rows.append(row)
        self._resumed = {}
        self._count_epoch()
        if trainer.is_global_zero:
            if row["validation_loss"] < best:
                write_weights(self.run.weights_file, learned(trainer, task).state_dict(), model=self.card.model, group=self.card.group)
                self.card = self.card.with_changes(weights_hash=self.run.weights_hash())
            self.run.write_history(self.rows)
            self.write_card("training")
        trainer.should_stop |= self.out_of_patience(task.settings.training.patience)
        part = self.run.checkpoint.with_suffix(".part")
        with named(self.run.checkpoint):
            trainer.save_checkpoint(part)  # every process of a distributed training must call this; the first one writes
            if trainer.is_global_zero:
                os.replace(part, self.run.checkpoint)
        if self.on_epoch:
            self.on_epoch(row)

    def out_of_patience(self, patience: int) -> bool:
        """Has the validation loss not fallen for ``patience`` epochs? Never, if that is 0."""
        losses = [row["validation_loss"] for row in self.rows]
        return bool(patience and losses) and len(losses) - 1 - losses.index(min(losses)) >= patience

    def _count_epoch(self) -> None:
        """Add an epoch to the last stage, or begin another where it was elsewhere."""
        here: Stage = {"epochs": 1, "device": self.card.device, "precision": self.card.precision}
        if self.stages and self.stages[-1] | {"epochs": 1} == here:
            here["epochs"] += self.stages[-1]["epochs"]
            self.stages = self.stages[:-1]
        self.stages = [*self.stages, here]

    def write_card(self, state: str, reason: str = "") -> None:
        """Bring the card up to date with the history."""
        changes: dict[str, Any] = {"state": state, "reason": reason, "epochs": len(self.rows), "stages": self.stages}
        if self.rows:
            best = min(self.rows, key=lambda row: row["validation_loss"])
            changes |= {"best_epoch": best["epoch"], "best_validation_loss": best["validation_loss"]}
            seconds = sum(row["seconds"] for row in self.rows)
            changes |= {"seconds": round(seconds, 1), "images_seen": self.images_per_epoch * len(self.rows)}
        self.card = self.card.with_changes(**changes, **self._resumed)
        self.card.write(self.run.card_file)

    def _refuse_hopeless(self, epoch: int, means: dict[str, float], dead: list[int]) -> None:
        for name in ("train", "validation"):
            if not math.isfinite(means[name]):
                found = f"{'training' if name == 'train' else name} loss is {means[name]} in epoch {epoch}"
                raise TrainingRefusal(self.run.folder, found, "a finite loss", "Lower training.learning_rate or use --precision float32.")
        if dead:
            heads = ", ".join(f"of gate {number}" for number in dead)
            found = f"head{'s' if len(dead) > 1 else ''} {heads} said the same of every image in epoch {epoch}"
            do = "Set model.head_relu=false, lower training.learning_rate, or take another seed."
            raise TrainingRefusal(self.run.folder, f"{found} (dead)", "outputs that differ between images", do)
