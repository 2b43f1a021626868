"""Lightning data module: indices travel, images stay on the device and are posed there."""

from typing import Any

import lightning
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, DistributedSampler

from equiradio.compute.poses import TRAINING, VALIDATION, draw_poses, show
from equiradio.compute.preprocess import Preprocessing
from equiradio.compute.wide_sky import WideSky, draw_views
from equiradio.datasets.registry import chosen_split
from equiradio.datasets.sources import Sources
from equiradio.errors import DataRefusal, SettingRefusal
from equiradio.labels import UNKNOWN
from equiradio.settings import TrainingSettings
from equiradio.sky.recipe import MIRABEST
from equiradio.training.teacher import Lesson

DRAW = 3  # a stream of random numbers beside those of `equiradio.compute.poses`


def drawn(weights: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """``count`` places in ``weights``, sorted: each as often as its share of them, rounded up or down by chance (systematic sampling)."""
    ends = np.cumsum(weights / weights.sum())
    return np.minimum(np.searchsorted(ends, (np.arange(count) + rng.random()) / count, side="right"), len(weights) - 1)


class SourcesModule(lightning.LightningDataModule):
    """Training and validation batches of labelled sources.

    A batch is (images (batch, 1, 150, 150) normalised, labels (batch,)), with the label `UNKNOWN` for what only fills the last validation
    batches of several processes, so that all have as many. Training poses are drawn anew every epoch; validation poses are
    the same every epoch. Where training sources have weights, an epoch shows as many images as without, and each source by its weight
    as often. With a ``lesson`` its skies follow the training sources, and a training batch has probabilities (batch, classes)
    in the place of labels; where the sources have soft labels, so has a validation batch, with zeros for what only fills it.

    Where the setting ``sky`` is wide, training views are wide ones, and validation shows every view twice: as it is, and wide. What is best
    on both is neither what has not learned other telescopes yet nor what has forgotten this one.
    """

    def __init__(self, sources: Sources, settings: TrainingSettings, preprocess: Preprocessing) -> None:
        super().__init__()
        self.settings, self.preprocess = settings, preprocess
        self.lesson: Lesson | None = None
        self.splits = {name: chosen_split(sources, name) for name in ("train", "validation")}
        unknown = sum(int((part.labels < 0).sum()) for part in self.splits.values())
        if unknown:
            word = sources.classes.unknown
            found = f"{unknown} of the sources are '{word}'" if word else f"{unknown} sources have no class"
            raise DataRefusal(sources.name, found, f"{sources.classes} only", "Train on sources of these classes, and evaluate on this.")
        if self._wide and sources.recipe != MIRABEST:
            found = f"wide for {sources.name}, whose images are not made as MiraBest's"
            raise SettingRefusal("training.sky", found, "images by MiraBest's recipe", "Leave it at first.")
        self._device: dict[str, tuple[Tensor, Tensor]] = {}
        self._poses: tuple[tuple[str, int], Tensor, Tensor] | None = None
        self._skies: dict[str, WideSky] = {}

    @property
    def _wide(self) -> bool:
        return self.settings.sky == "wide"

    def _passes(self, split: str) -> int:
        """How often a split shows each image."""
        if split == "train":
            return self.settings.passes
        return self.settings.validation_passes * (2 if self._wide else 1)

    def _plain(self, split: str) -> int:
        """How many views of a split, the first ones, are of the sky as it is."""
        return self._views(split) if not self._wide else 0 if split == "train" else self._views(split) // 2

    def _images(self, split: str) -> int:
        """How many images a split shows."""
        skies = 0 if self.lesson is None or split != "train" else len(self.lesson.skies)
        return len(self.splits[split]) + skies

    def _views(self, split: str) -> int:
        return self._images(split) * self._passes(split)

    @property
    def images_per_epoch(self) -> int:
        """Augmented images that a network is trained on in an epoch."""
        return self._views("train")

    def _loader(self, split: str, shuffle: bool) -> DataLoader:
        count = self._views(split)
        world, rank = (self.trainer.world_size, self.trainer.global_rank) if self.trainer else (1, 0)
        if (
            split == "validation"
        ):  # every process takes as many; an index beyond the views is padding, which has no class and counts for nothing
            count += -count % world
        sampler = DistributedSampler(range(count), world, rank, shuffle=shuffle, seed=self.settings.seed)  # type: ignore[arg-type, var-annotated]
        # a generator of its own: starting a loader draws a number, which would shift dropout in the first epoch after a resume
        return DataLoader(range(count), self.settings.batch_size, sampler=sampler, generator=torch.Generator())  # type: ignore[arg-type]

    def train_dataloader(self) -> DataLoader:
        return self._loader("train", shuffle=True)

    def val_dataloader(self) -> DataLoader:
        return self._loader("validation", shuffle=False)

    def shown(self, split: str, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """Which image each view of an epoch shows, and for the how-manieth time since training began: int (images x passes,) each.

        Pass by pass, all alike; with weights by a draw of (seed, epoch) that gives each source its expected number, rounded up or down.
        """
        count, passes = self._images(split), self._passes(split)
        weights = self.splits[split].weights if split == "train" else None
        views = np.arange(count * passes)
        if weights is None:
            return views % count, (epoch * passes if split == "train" else 0) + views // count
        weights = np.concatenate([weights, np.ones(count - len(weights))])  # skies weigh as usual
        images = drawn(weights, count * passes, np.random.default_rng([self.settings.seed, DRAW, epoch]))
        again = np.arange(len(images)) - np.searchsorted(images, images)  # sorted: how often an image was shown before in this epoch
        return images, epoch * count * passes + again

    def poses(self, split: str, epoch: int) -> Tensor:
        """Affine matrices of a whole epoch (images x passes, 2, 3), in the order of `shown`; of a wide sky the numbers of each view,
        (images x passes, 20), which begin with them."""
        purpose = TRAINING if split == "train" else VALIDATION
        sources, passes = self.shown(split, epoch)
        if split != "train":
            passes = passes % self.settings.validation_passes  # the wide views of validation are posed as the plain ones
        poses = draw_poses(self.settings.seed, purpose, sources, passes)
        if not self._wide:
            return poses.matrices()
        views = draw_views(self.settings.seed, purpose, sources, passes)
        views.shift[: self._plain(split)] = 0  # of plain views nothing but the matrices is used
        return self._sky(split).numbers(poses, views, sources)

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> tuple[Tensor, Tensor]:
        assert self.trainer is not None
        split = "train" if self.trainer.training else "validation"
        return self.batch(split, self.trainer.current_epoch, batch)

    def batch(self, split: str, epoch: int, views: Tensor) -> tuple[Tensor, Tensor]:
        """Images and labels of some of an epoch's views, int (batch,), on the device where these are."""
        images, labels = self._on_device(split, views.device)
        key = (split, epoch if split == "train" else 0)
        if self._poses is None or self._poses[0] != key:
            self._poses = key, self.poses(*key).to(views.device), torch.from_numpy(self.shown(*key)[0]).to(views.device)
        count = self._views(split)
        shown = views % count
        sources = self._poses[2][shown]
        answers = labels[sources]
        if split != "train":  # what only fills the last batches is of no class
            answers = answers.where(views < count, UNKNOWN) if answers.dim() == 1 else answers * (views < count)[:, None]
        return self.preprocess(self._show(split, images[sources], self._poses[1][shown], shown < self._plain(split))), answers

    def _show(self, split: str, images: Tensor, poses: Tensor, plain: Tensor) -> Tensor:
        """Raw pixels (batch, 1, height, width) of images by rows of `poses`, those of ``plain`` (batch,) as they are."""
        if not self._wide:
            return show(images, poses)
        wide = self._sky(split).show
        if not self._plain(split):
            return wide(images, poses)
        sky = torch.empty(len(images), 1, *images.shape[1:], device=images.device)
        for rows, how in ((plain, lambda images, poses: show(images, poses[:, :6].unflatten(1, (2, 3)))), (~plain, wide)):
            if rows.any():
                sky[rows] = how(images[rows], poses[rows])
        return sky

    def _sky(self, split: str) -> WideSky:
        """Made once, of all images that a split shows."""
        if split not in self._skies:
            self._skies[split] = WideSky(self._pixels(split), self.settings.seed)
        return self._skies[split]

    def _pixels(self, split: str) -> np.ndarray:
        """Images that a split shows, uint8."""
        images = self.splits[split].images
        return images if split != "train" or self.lesson is None else np.concatenate([images, self.lesson.skies])

    def _on_device(self, split: str, device: torch.device) -> tuple[Tensor, Tensor]:
        if split not in self._device or self._device[split][0].device != device:
            part, lesson = self.splits[split], self.lesson if split == "train" else None
            labels = part.labels if part.soft is None else part.soft.astype(np.float32)
            labels = labels if lesson is None else lesson.targets
            self._device[split] = torch.from_numpy(self._pixels(split)).to(device), torch.from_numpy(labels).to(device)
        return self._device[split]
