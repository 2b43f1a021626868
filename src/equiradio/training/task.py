"""Lightning module: the loss, the optimiser and what is watched while a network trains."""

from typing import Any

import lightning
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equiradio.compute.empty_sky import forget_empty_sky, show_empty_sky, would_help
from equiradio.labels import UNKNOWN
from equiradio.models.network import Network, Output
from equiradio.settings import Settings


class ClassificationTask(lightning.LightningModule):
    """Train a network on (images, labels) batches with cross-entropy.

    Sums stay on the device and are read once an epoch, so that nothing waits for the host in between.
    ``heads`` are watched for their spread over all images of an epoch: one whose output is the same for every image is dead.
    """

    def __init__(self, network: Network, settings: Settings) -> None:
        super().__init__()
        self.network, self.settings = network, settings
        self._body = [network.layer(name) for name in network.body] if settings.training.start_from else []
        if self._frozen:
            for part in self._body:
                part.requires_grad_(False)
        self._sums: dict[str, Tensor] = {}
        self._ranges: list[Tensor] = []

    def forward(self, images: Tensor) -> Output:
        return self.network(images)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_index: int) -> Tensor:
        loss, output = self._loss(batch)
        count = torch.full_like(loss, len(batch[1]))
        self._add("train", loss * count, count)
        self._watch(output.heads)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_index: int) -> None:
        output = self(batch[0])
        logits, labels = output.logits.float(), batch[1]
        if labels.dim() == 2:  # soft labels; their padding is all zeros, which costs nothing
            real = labels.sum(1) > 0
            self._add("validation", F.cross_entropy(logits, labels, reduction="sum"), real.sum())
            self._add("correct", ((logits.argmax(1) == labels.argmax(1)) & real).sum(), real.sum())
            return
        count = (labels != UNKNOWN).sum()  # the others are padding
        self._add("validation", F.cross_entropy(logits, labels, ignore_index=UNKNOWN, reduction="sum"), count)
        self._add("correct", (logits.argmax(1) == labels).sum(), count)

    def on_validation_epoch_start(self) -> None:
        self._show_empty_sky()

    def _show_empty_sky(self) -> None:
        """What layers make of empty sky, with the weights as they are now, is not computed again for every image.

        In the precision of the images that follow: in another one no pixel would be the same.
        """
        if would_help(self.network):
            empty = torch.zeros(1, 1, self.network.image_side, self.network.image_side, device=self.device)
            with self.trainer.precision_plugin.forward_context():
                show_empty_sky(self.network, self.trainer.datamodule.preprocess(empty))

    def on_validation_epoch_end(self) -> None:
        forget_empty_sky(self.network)

    @property
    def _frozen(self) -> bool:
        return self.settings.training.freeze == "blocks"

    def on_train_epoch_start(self) -> None:
        if self._frozen:
            for part in self._body:
                part.eval()  # batch norm keeps the statistics that the weights were learned with
            self._show_empty_sky()
        # dropout depends on (seed, epoch) alone, so that a resumed run draws what an uninterrupted one would
        state = np.random.SeedSequence([self.settings.training.seed, self.current_epoch, self.global_rank])
        torch.manual_seed(int(state.generate_state(1)[0]))
        self._sums, self._ranges = {}, []

    def configure_optimizers(self) -> Any:
        training = self.settings.training
        kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[training.optimiser]
        groups = self._groups()
        optimiser = kind(groups, lr=training.learning_rate, weight_decay=training.weight_decay, fused=True)
        if training.schedule == "constant":
            return optimiser
        steps = int(self.trainer.estimated_stepping_batches)
        highest = [group["lr"] for group in groups] if len(groups) > 1 else training.learning_rate
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, highest, total_steps=steps)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _groups(self) -> list[dict[str, Any]]:
        """Weights with their learning rates: those of gates and heads, and where a training began with trained ones those of the body."""
        rate, slow = self.settings.training.learning_rate, {weight for part in self._body for weight in part.parameters()}
        groups = [{"params": [weight for weight in self.parameters() if weight not in slow], "lr": rate}]
        if slow and not self._frozen:
            body = [weight for weight in self.parameters() if weight in slow]
            groups.append({"params": body, "lr": rate * self.settings.training.body_rate})
        return groups

    def configure_gradient_clipping(self, optimizer: Any, gradient_clip_val: Any = None, gradient_clip_algorithm: Any = None) -> None:
        """Clip by the norm of all gradients. Lightning refuses to for a fused optimiser: gradients might be scaled; ours never are."""
        if self.settings.training.gradient_clip:
            nn.utils.clip_grad_norm_(self.parameters(), self.settings.training.gradient_clip)

    def epoch_means(self) -> dict[str, float]:
        """Mean training loss, validation loss and validation accuracy of the epoch, over all devices."""
        names = sorted(self._sums)
        sums = torch.stack([self._sums[name] for name in names])
        totals = self.trainer.strategy.reduce(sums, reduce_op="sum")
        return {name: float(total / count) for name, (total, count) in zip(names, totals, strict=True)}

    def dead_heads(self) -> list[int]:
        """Numbers (from 1, shallow to deep) of the heads whose output was the same for every training image of the epoch."""
        return [number for number, (low, high) in enumerate(self._ranges, 1) if bool((high - low <= 1e-12 * high.abs()).all())]

    def _loss(self, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Output]:
        images, labels = batch
        output = self(images)
        loss = F.cross_entropy(output.logits.float(), labels)
        if self.settings.model.aggregation == "deep-supervision" and output.heads:
            loss = torch.stack([loss, *(F.cross_entropy(head.float(), labels) for head in output.heads)]).mean()
        return loss, output

    def _add(self, name: str, total: Tensor, count: Tensor) -> None:
        entry = torch.stack([total.detach().float(), count.float()])
        self._sums[name] = self._sums[name] + entry if name in self._sums else entry

    def _watch(self, heads: list[Tensor]) -> None:
        ranges = [torch.stack([head.detach().amin(0), head.detach().amax(0)]) for head in heads]
        if self._ranges:
            ranges = [
                torch.stack([torch.minimum(a[0], b[0]), torch.maximum(a[1], b[1])]) for a, b in zip(ranges, self._ranges, strict=True)
            ]
        self._ranges = ranges
