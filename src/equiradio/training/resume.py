"""May a training begin, or go on, in this folder?"""

from pathlib import Path

import torch
from torch import Tensor

from equiradio.artefacts.atomic import is_unused
from equiradio.artefacts.job import catalogue_hash
from equiradio.artefacts.run import Run, refuse_other_settings
from equiradio.artefacts.weights import read_weights
from equiradio.compute.device import choose_precision
from equiradio.datasets.sources import Sources
from equiradio.errors import RunRefusal
from equiradio.inference.member import Member
from equiradio.inference.team import Team
from equiradio.models.names import architecture
from equiradio.settings import Settings
from equiradio.training.keeper import RunKeeper

PARTS = ("state_dict", "optimizer_states", "lr_schedulers", "loops", "callbacks", "epoch")  # of a Lightning checkpoint
DATA_BACK = "Put the data back, or choose another --out."
ANEW = "Put it back, delete the folder to train anew, or choose another --out."


def checkpoint_to_resume(run: Run, settings: Settings, resume: bool, sources: Sources) -> Path | None:
    """The checkpoint to go on from; None for a training that begins.

    Raises
    ------
    RunRefusal : the folder holds something else, a training not to be resumed, one of other settings or data, or a damaged one.
    """
    if not run.settings_file.is_file():
        if not is_unused(run.folder):
            found = "a folder with other files and no settings.toml" if run.folder.is_dir() else "a file"
            raise RunRefusal(run.folder, found, "an empty or new folder, or a run", "Choose another --out.")
        return None
    refuse_other_settings(run, settings)
    if not resume:
        epochs = len(run.history()) if run.history_file.is_file() else 0
        found = f"holds a training already ({epochs} of {settings.training.epochs} epochs done)"
        raise RunRefusal(run.folder, found, "a new folder", "Add --resume to go on with it, or choose another --out.")
    if not run.checkpoint.is_file():
        _refuse_lost_checkpoint(run, settings)
        return None
    state, trained_on, listed = _read_checkpoint(run.checkpoint)
    if trained_on != sources.md5:
        found = f"trained so far on data of md5 {trained_on}, but {sources.name} now has {sources.md5}"
        raise RunRefusal(run.folder, found, "the same data", DATA_BACK)
    if listed not in ("", catalogue_hash(sources)):
        found = f"trained so far on other labels, splits or sizes of {sources.name} than it has now"
        raise RunRefusal(run.folder, found, "the same data", DATA_BACK)
    if run.card_file.is_file() and (names := run.card().labels.names) != sources.classes.names:
        found = f"trained so far on the classes {', '.join(names)}, but {sources.name} now has {', '.join(sources.classes.names)}"
        raise RunRefusal(run.folder, found, "the same data", DATA_BACK)
    if not run.weights_file.is_file():
        raise RunRefusal(run.weights_file, "no such file, though epochs are done", "the best weights so far", ANEW)
    best = read_weights(run.weights_file, model=settings.model.name, group=architecture(settings.model.name).group_name)
    _refuse_other_network(run.checkpoint, state, best)
    return run.checkpoint


def precision_to_train_in(run: Run, settings: Settings, checkpoint: Path | None, device: str) -> str:
    """``float32`` or ``bf16``: what is asked for; of ``auto`` what the device does, and of a training that goes on what it began with."""
    asked = settings.training.precision
    here = choose_precision(asked, device)
    if asked != "auto" or checkpoint is None or not run.card_file.is_file():
        return here
    before = run.card().precision
    if (before, here) == ("bf16", "float32"):
        found = f"trained so far in bf16, which this {device} does not compute natively"
        do = "Go on there, or choose another --out to train anew in float32."
        raise RunRefusal(run.folder, found, "a machine that does", do)
    return before


def refuse_other_teacher(run: Run, teacher: Team | None, checkpoint: Path | None) -> None:
    """Refuse to go on learning from another team than until now."""
    if teacher is not None:
        words = "learned so far from {}, but training.teacher is {} now"
        _refuse_other(run, checkpoint, "teacher", teacher.name, words, "the same teacher")


def refuse_other_start(run: Run, start: Member | None, checkpoint: Path | None) -> None:
    """Refuse to go on with a training that began with other weights than are there now."""
    if start is not None:
        words = "began with {}, but training.start_from is {} now"
        _refuse_other(run, checkpoint, "started_from", start.name, words, "the same start")


def _refuse_other(run: Run, checkpoint: Path | None, entry: str, name: str, words: str, expected: str) -> None:
    """Refuse to go on where an entry of the card, which older ones leave empty, has another network's name than ``name``."""
    if checkpoint is None or not run.card_file.is_file():
        return
    if (before := getattr(run.card(), entry)) not in ("", name):
        raise RunRefusal(run.folder, words.format(before, name), expected, "Put its weights back, or choose another --out.")


def _refuse_lost_checkpoint(run: Run, settings: Settings) -> None:
    """Refuse to write over finished epochs; a first one, killed before its checkpoint was written, may be repeated."""
    epochs = len(run.history()) if run.history_file.is_file() else 0
    if epochs > 1 or (epochs == 1 and run.card_file.is_file() and run.card().state == "finished"):
        found = f"no such file, though {epochs} of {settings.training.epochs} epochs are done"
        raise RunRefusal(run.checkpoint, found, "the checkpoint of the last of them", ANEW)


def _refuse_other_network(checkpoint: Path, state: dict[str, Tensor], best: dict[str, Tensor]) -> None:
    """Refuse a checkpoint whose network is not that of the run's best weights."""
    ours = {f"network.{name}": weight.shape for name, weight in best.items()}
    theirs = {name: weight.shape for name, weight in state.items()}
    if odd := sorted(ours.items() ^ theirs.items()):
        found = f"the checkpoint of another network ({odd[0][0]} differs)"
        raise RunRefusal(checkpoint, found, "that of this run", ANEW)


def _read_checkpoint(checkpoint: Path) -> tuple[dict[str, Tensor], str, str]:
    """A checkpoint's weights, and the checksums of their data and of its lists ("" in older ones); refuses one that cannot be read."""
    try:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
        lacking = [name for name in PARTS if name not in state]
        if lacking or not all(isinstance(weight, Tensor) for weight in state["state_dict"].values()):
            raise ValueError(f"lacks {', '.join(lacking) or 'weights'}")
        about = state["callbacks"][RunKeeper.__qualname__]
        return state["state_dict"], str(about["data_md5"]), str(about.get("catalogue", ""))
    except Exception as error:
        found = f"{checkpoint.stat().st_size:,} bytes that cannot be read as a checkpoint ({type(error).__name__})"
        raise RunRefusal(checkpoint, found, "a whole checkpoint", ANEW) from None
