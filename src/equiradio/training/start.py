"""Fine-tuning: a training that begins with the weights of a network that was trained before, on other sources or for other classes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from equiradio.artefacts.run import Run
from equiradio.artefacts.weights import load_into
from equiradio.errors import SettingRefusal
from equiradio.inference.member import Member
from equiradio.inference.team import Team, load
from equiradio.labels import Labels
from equiradio.models.network import Network
from equiradio.settings import Settings, beginning, change, preset
from equiradio.training.resume import refuse_other_start

SETTING = "training.start_from"
OWN = ("dropout",)  # settings of a model that may be others than the start's


def start_of(settings: Settings, device: str = "cpu") -> Member | None:
    """The network that a training begins with: of a team the member of the same seed, else the one whose turn it is; None for a fresh one.

    Raises
    ------
    SettingRefusal : blocks to be frozen that were never trained. RunRefusal, ModelRefusal : no such run or team.
    """
    training = settings.training
    if not training.start_from:
        if training.freeze != "none":
            do = "Name a team or run with --from, or drop --freeze."
            raise SettingRefusal("training.freeze", f"{training.freeze}, and no {SETTING}", "weights to begin with", do)
        return None
    members = load(training.start_from, device).members
    return next((each for each in members if each.card.seed == training.seed), members[training.seed % len(members)])


def open_start(settings: Settings, run: Run, checkpoint: Path | None) -> Member | None:
    """The network that a run begins with, which settings and what was done so far must go with; see `start_of`.

    Raises
    ------
    SettingRefusal, RunRefusal, ModelRefusal : as `start_of` and `refuse_unlike`, or it went on from other weights.
    """
    start = start_of(settings)
    if start is not None:
        refuse_unlike(settings, start)
    refuse_other_start(run, start, checkpoint)
    return start


def fitted(settings: Settings, start: Member) -> Settings:
    """Settings with the model and the preprocessing of the network that is begun with.

    Dropout stays as it is, and so does what was set to another value than the preset's, which `refuse_unlike` has something to say about.
    """
    usual = preset(settings.training.preset)
    model = {name: value for name, value in vars(start.settings.model).items() if name not in OWN}
    data = _where_usual(settings.data, usual.data, prepared_by(start))
    return replace(settings, model=_where_usual(settings.model, usual.model, model), data=data)


def prepared_by(start: Member) -> dict[str, Any]:
    """Settings of the data by which a network's images are prepared; of other images than MiraBest's the numbers were measured on them."""
    return {"mask": start.settings.data.mask, "pixel_mean": start.preprocess.pixel_mean, "pixel_std": start.preprocess.pixel_std}


def _where_usual(mine: Any, usual: Any, theirs: dict[str, Any]) -> Any:
    """A section of settings with ``theirs`` wherever it has the usual value."""
    return replace(mine, **{name: value for name, value in theirs.items() if getattr(mine, name) == getattr(usual, name)})


def refuse_unlike(settings: Settings, start: Member) -> None:
    """Refuse settings of another model, or of images prepared otherwise, than those of the network that is begun with.

    Raises
    ------
    SettingRefusal : says the first setting that differs.
    """
    before = vars(start.settings.model)
    odd = [
        (f"model.{name}", value, before[name]) for name, value in vars(settings.model).items() if value != before[name] and name not in OWN
    ]
    prepared = prepared_by(start).items()
    odd += [(f"data.{name}", mine, theirs) for name, theirs in prepared if theirs != (mine := getattr(settings.data, name))]
    if odd:
        name, value, theirs = odd[0]
        do = "Leave it out: with --from the network's own is taken."
        raise SettingRefusal(name, f"{value}, but {start.name} has {theirs}", f"{theirs}, as {SETTING} has it", do)


def begin_with(network: Network, start: Member, classes: Labels) -> bool:
    """Load the start's weights into a network that is alike; were the layers that tell classes apart taken too?

    They are where the classes are the same; else they stay as they were drawn.
    """
    state, same = dict(start.network.state_dict()), start.labels.names == classes.names
    if not same:
        own = network.state_dict()
        state |= {name: value for name, value in own.items() if name.startswith(f"{network.last}.")}
    load_into(network, {name: value.detach().cpu().clone() for name, value in state.items()}, Path(start.name))
    return same


def fine_tune(start: str | Path, data: str | Path, out: str | Path, *, seed: int = 0, freeze: str = "none", **changes: Any) -> Team:
    """Train a team's or a run's network on: the same body, new heads where the classes are others. The trained network as a team of one.

    Parameters
    ----------
    start : a team by name, or the folder of a team or run.
    data : a data set, or a folder of your own: see `equiradio.open_data`.
    out : the run folder.
    seed : of order and augmentation; of a team, its member of that seed is begun with.
    freeze : none, or blocks to train gates and heads alone.
    changes : other settings by name, such as ``epochs=8`` or ``learning_rate=1e-3``; ``device``, ``data_dir`` and ``resume`` go to
        `equiradio.train`.

    Raises
    ------
    Refusal : what cannot be used, in a line.
    """
    from equiradio.training.fit import train

    passed = {name: changes.pop(name) for name in ("data_dir", "device", "resume") if name in changes}
    named = {"data.name": str(data), "training.start_from": str(start), "training.seed": seed, "training.freeze": freeze}
    settings = change(beginning("fast", str(start)), named | changes, where="fine_tune")
    member = start_of(settings)
    assert member is not None
    run = train(fitted(settings, member), out, **passed)
    return load(run.folder, passed.get("device", "auto"))
