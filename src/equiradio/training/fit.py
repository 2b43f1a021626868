"""From settings to a run folder."""

import logging
import platform
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.plugins.environments import LightningEnvironment
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from equiradio.artefacts.card import Card
from equiradio.artefacts.claim import Claim, Claimed, claimed
from equiradio.artefacts.job import catalogue_hash, training_hash, validation_hash
from equiradio.artefacts.run import Run
from equiradio.compute.device import choose_device, full_float32
from equiradio.compute.forms import find_form_or_auto, refuse_form, settle_forms
from equiradio.compute.memory import keep_large_blocks
from equiradio.compute.preprocess import Preprocessing, normalised_by, preprocessing
from equiradio.datasets.registry import name_to_open, open_data
from equiradio.datasets.sources import Sources
from equiradio.errors import DiskRefusal, TrainingRefusal
from equiradio.models.names import architecture
from equiradio.models.registry import build
from equiradio.settings import DataSettings, Settings, as_named
from equiradio.sky.recipe import MIRABEST
from equiradio.training.averaging import Averaging
from equiradio.training.batches import SourcesModule
from equiradio.training.keeper import OnEpoch, RunKeeper
from equiradio.training.last_layers import fit_last_layers
from equiradio.training.resume import checkpoint_to_resume, precision_to_train_in, refuse_other_start, refuse_other_teacher
from equiradio.training.start import Beginning, begin_with, beginning_of
from equiradio.training.task import ClassificationTask
from equiradio.training.teacher import ask_teacher, open_teacher
from equiradio.version import commit, version


def train(
    settings: Settings,
    out: Path | str,
    *,
    data_dir: Path | None = None,
    resume: bool = False,
    device: str = "auto",
    on_epoch: OnEpoch | None = None,
    step: Callable[[str, int, int], None] | None = None,
    max_minutes: float | None = None,
    trainer_options: dict[str, Any] | None = None,
    claim: Claim | None = None,
) -> Run:
    """Train a network and leave everything about it in a folder, which no other process may train in at the same time.

    Parameters
    ----------
    settings : what to train, on what, how.
    out : the run folder; must not hold another training.
    resume : go on where a training in ``out`` stopped (settings must agree); starts anew if it hasn't finished an epoch.
    device : auto, cpu or cuda.
    on_epoch : called with each epoch's row of the history.
    step : called with ("images", done in this epoch, images of an epoch) after every batch.
    max_minutes : stop cleanly at the end of the first epoch that ends later than this.
    trainer_options : more arguments for Lightning's Trainer, such as ``{"devices": 4, "strategy": "ddp", "num_nodes": 2}``.
    claim : a claim on ``out`` that is held already; else one is taken.

    Raises
    ------
    Refusal : settings, data or folder that cannot be used, or a training that went wrong.
    KeyboardInterrupt : interrupted; finished epochs are kept.
    """
    settings = replace(settings, model=as_named(settings.model))
    architecture(settings.model.name), find_form_or_auto(settings.training.layer_form)  # refused before anything else is done
    run, accelerator, options = Run(Path(out)), choose_device(device), trainer_options or {}
    begun = beginning_of(settings, _opened(settings.data, data_dir), data_dir)  # refused before anything is written
    follower = bool(rank_zero_only.rank) and any(options.get(name, 1) != 1 for name in ("devices", "num_nodes"))
    # the other processes of a distributed training work under the first one's claim, in the folder that it has begun
    with claimed(run.folder) if claim is None and not follower else nullcontext(claim) as held:
        return _train(settings, run, begun, resume or follower, accelerator, on_epoch, _Watcher(step, max_minutes, held), options)


def _opened(data: DataSettings, data_dir: Path | None) -> Sources:
    """The sources to train on, with weights where these are wanted."""
    sources = open_data(data.name, data_dir, data.classes)
    return replace(sources, weights=None) if data.weighing == "none" else sources


def _preprocessing(settings: Settings, sources: Sources, as_set: bool) -> Preprocessing:
    """How images are normalised: by the numbers that are set, or by those of the training images."""
    data = settings.data if as_set else normalised_by(settings.data, sources.of_split("train").images)
    return preprocessing(data, architecture(settings.model.name).published_mask, sources.recipe.side)


def _train(
    settings: Settings,
    run: Run,
    begun: Beginning,
    resume: bool,
    accelerator: str,
    on_epoch: OnEpoch | None,
    watcher: "_Watcher",
    trainer_options: dict[str, Any],
) -> Run:
    """Train under a claim."""
    sources, start = begun.sources, begun.start
    checkpoint = checkpoint_to_resume(run, settings, resume, sources)
    refuse_other_start(run, start, checkpoint)
    precision = precision_to_train_in(run, settings, checkpoint, accelerator)
    preprocess = _preprocessing(settings, sources, as_set=sources.recipe == MIRABEST or start is not None)
    module = SourcesModule(sources, settings.training, preprocess)
    keep_large_blocks()
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # a debugging aid that writes every tensor twice
    teacher = open_teacher(settings.training, sources.classes, sources.recipe, accelerator)
    refuse_other_teacher(run, teacher, checkpoint)
    lightning.seed_everything(settings.training.seed, verbose=False)
    network = build(settings.model, classes=len(sources.classes), blank=preprocess.blank, image_side=sources.recipe.side)
    taken = start is None or begin_with(network, start, sources.classes)
    refuse_form(network, settings.training.layer_form, precision, accelerator)
    run.write_settings(settings)
    progress = watcher.step or (lambda what, done, total: None)
    if teacher is not None:
        module.lesson = ask_teacher(teacher, settings.training, module.splits["train"], run.teacher_folder, progress)
    asked: dict[str, Any] = {"batch": settings.training.batch_size, "precision": precision, "training": True, "device": accelerator}
    settle_forms(network.to(accelerator), run.forms_file, form=settings.training.layer_form, progress=progress, **asked)
    if not taken and checkpoint is None and settings.training.last_layers == "fitted":
        fit_last_layers(network, module, progress)
    card = _card(settings, begun, module, network, accelerator, precision, asdict(preprocess))
    keeper = RunKeeper(run, card, module.images_per_epoch, on_epoch, catalogue_hash(sources))
    with quiet():
        trainer = _trainer(settings, accelerator, precision, [watcher, keeper], trainer_options)
    with _recorded(keeper, settings), quiet(), full_float32():
        trainer.fit(ClassificationTask(network, settings), module, ckpt_path=checkpoint, weights_only=True)
    return run


@contextmanager
def _recorded(keeper: RunKeeper, settings: Settings) -> Iterator[None]:
    """Write into the card how a training ended."""
    try:
        yield
    except SystemExit:  # Lightning's answer to Ctrl-C
        keeper.write_card("interrupted")
        raise KeyboardInterrupt from None
    except Claimed:  # the card is the new holder's
        raise
    except TrainingRefusal as refusal:
        keeper.write_card("failed", reason=str(refusal))
        raise
    except BaseException:  # Ctrl-C, no memory or space left, a defect of ours: nothing that training on cannot mend
        with suppress(DiskRefusal):
            keeper.write_card("interrupted")
        raise
    done = len(keeper.rows) >= settings.training.epochs or keeper.out_of_patience(settings.training.patience)
    keeper.write_card("finished" if done else "interrupted")


def _card(settings: Settings, begun: Beginning, module: SourcesModule, network: Any, device: str, precision: str, preprocess: dict) -> Card:
    made_of, sources = architecture(settings.model.name), begun.sources
    name = torch.cuda.get_device_name() if device == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    return Card(
        model=settings.model.name,
        group=made_of.group_name,
        order=made_of.order,
        weights=sum(weight.numel() for weight in network.parameters()),
        preprocessing=preprocess,
        data=sources.name,
        data_md5=sources.md5,
        data_named=name_to_open(settings.data.name, sources.name),
        sources={split: len(part) for split, part in module.splits.items()},
        seed=settings.training.seed,
        preset=settings.training.preset,
        precision=precision,
        device=name,
        classes=list(sources.classes.names),
        unknown=sources.classes.unknown,
        versions={
            "equiradio": version(),
            "torch": torch.__version__,
            "lightning": lightning.__version__,
            "python": platform.python_version(),
        },
        commit=commit(),
        started_from="" if begun.start is None else begun.start.name,
        start_data=begun.start_data,
        notes=[*begun.notes, *(() if module.lesson is None else module.lesson.notes)],
        sky=settings.training.sky,
        teacher="" if module.lesson is None else module.lesson.teacher,
        recipe=sources.recipe.as_card(),
        left_out=list(sources.left_out),
        of_class=of_class(module.splits["train"]),
        training_hash=training_hash(sources),
        validation_hash=validation_hash(sources),
    )


def of_class(training: Sources) -> dict[str, float]:
    """How many training sources each class has, by their weights where they have some; empty where one has none."""
    weights = np.ones(len(training)) if training.weights is None else training.weights * len(training) / training.weights.sum()
    sums = {name: round(float(weights[training.labels == place].sum()), 6) for place, name in enumerate(training.classes)}
    return sums if all(sums.values()) else {}


class _Watcher(Callback):
    """Call ``step`` after every batch; stop at the end of the epoch in which the time runs out.

    An epoch is not written without a claim.
    """

    def __init__(self, step: Callable[[str, int, int], None] | None, minutes: float | None, claim: Claim | None) -> None:
        self.step, self.claim = step, claim
        self.end = time.monotonic() + 60 * minutes if minutes is not None else float("inf")

    def on_train_batch_end(self, trainer: lightning.Trainer, task: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if self.step and trainer.train_dataloader is not None:
            total = len(trainer.train_dataloader.dataset)
            self.step("images of this epoch", min((batch_idx + 1) * trainer.train_dataloader.batch_size, total), total)

    def on_train_epoch_end(self, trainer: lightning.Trainer, task: Any) -> None:
        if self.claim:
            self.claim.check()
        trainer.should_stop |= time.monotonic() > self.end


def _trainer(settings: Settings, accelerator: str, precision: str, callbacks: list[Callback], options: dict[str, Any]) -> lightning.Trainer:
    training = settings.training
    # one device is one process, whatever SLURM or another launcher says of tasks
    alone = {} if options else {"plugins": [LightningEnvironment()]}
    arguments: dict[str, Any] = {"devices": 1} | alone | options
    return lightning.Trainer(
        accelerator="gpu" if accelerator == "cuda" else "cpu",
        precision="bf16-mixed" if precision == "bf16" else "32-true",
        max_epochs=training.epochs,
        callbacks=[*([Averaging(training.averaging)] if training.averaging else []), *callbacks],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,  # the data module's samplers know the rank
        deterministic=True,
        **arguments,
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Silence Lightning's messages about hardware, its own products, and choices that are made on purpose."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric", "lightning.pytorch.utilities.rank_zero")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*does not have many workers.*")
        warnings.filterwarnings("ignore", ".*LeafSpec.*")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
