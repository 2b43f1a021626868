"""Fine-tuning: a training that begins with the weights of a network that was trained before, on other sources or for other classes."""

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from equiradio.artefacts.card import Card
from equiradio.artefacts.job import training_hash
from equiradio.artefacts.run import Run
from equiradio.artefacts.shelf import trained_at
from equiradio.artefacts.team import TeamFolder
from equiradio.artefacts.weights import load_into
from equiradio.datasets.seen import without_seen
from equiradio.datasets.sources import Sources
from equiradio.errors import DataRefusal, SettingRefusal
from equiradio.inference.member import Member
from equiradio.inference.team import Team, load
from equiradio.labels import Labels
from equiradio.models.names import architecture
from equiradio.models.network import Network
from equiradio.settings import Settings, beginning, change, preset
from equiradio.sky.recipe import Recipe, in_place_of

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


class Beginning(NamedTuple):
    """What a training begins with.

    Attributes
    ----------
    sources : to train on, without those of validation and test that the start, or the teacher, has learned from.
    start : network whose weights are taken; None where they are drawn.
    start_data : data sets that the start, what it began with, and the teacher learned from: name -> md5.
    notes : in a line each, what of the start does not quite go with the sources.
    """

    sources: Sources
    start: Member | None
    start_data: dict[str, str]
    notes: list[str]


def beginning_of(settings: Settings, sources: Sources, data_dir: Path | None = None) -> Beginning:
    """What a training on these sources begins with.

    Raises
    ------
    SettingRefusal, RunRefusal, ModelRefusal : as `start_of` and `refuse_unlike`. DataRefusal : the start, or the teacher, has learned from
    all that would validate it.
    """
    start, named, notes = start_of(settings), settings.training.teacher, list[str]()
    data, new = dict[str, str](), sources
    if start is not None:
        refuse_unlike(settings, start, sources.recipe)
        began = Path(settings.training.start_from)
        of_run = began.is_dir() and not TeamFolder(began).is_team
        data = _learned_from(start.card, start.settings.data.name if of_run else None, sources)
        notes = [*other_recipe(sources, start), *_doubts(start, sources)]
        new = _held_back(sources, data, data_dir, "the start")
    if named:
        theirs = {name: md5 for each in _cards_of(named) for name, md5 in _learned_from(*each, sources).items()}
        new = _held_back(new, {name: md5 for name, md5 in theirs.items() if data.get(name) != md5}, data_dir, "the teacher")
        data = theirs | data
    return Beginning(new, start, data, notes)


def _is_of(card: Card, sources: Sources) -> bool:
    return sources.md5 == card.data_md5 and sources.classes.names == card.labels.names


def _cards_of(named: str) -> list[tuple[Card, str | None]]:
    """Cards of a team's members, or of a run with the name of its data, without opening a network."""
    place = trained_at(named)
    if isinstance(place, Run):
        return [(place.card(), place.settings().data.name)]
    return [(card, None) for card in place.card().members]


def _learned_from(card: Card, of_run: str | None, sources: Sources) -> dict[str, str]:
    """Data sets that a network learned from, its own where these sources' training split is another or not sure to be it: name -> md5.

    ``of_run`` is the name of its data, where a run's settings hold it; those of a team do not.
    """
    alike = _is_of(card, sources) and card.training_hash == training_hash(sources)
    own = {of_run or card.opened_as: card.data_md5}
    return {**card.start_data, **({} if alike and of_run is None else own)}


def _held_back(sources: Sources, data: dict[str, str], data_dir: Path | None, who: str) -> Sources:
    """Sources without those of validation and test that ``who`` learned from."""
    new = without_seen(sources, data, data_dir, who)
    if (sources.split == "validation").any() and not (new.split == "validation").any():
        found, expected = f"no validation source is left ({new.left_out[-1]})", f"some that {who} has not learned from"
        raise DataRefusal(sources.where, found, expected, f"Split the data anew, or choose another {who.removeprefix('the ')}.")
    return new


def _doubts(start: Member, sources: Sources) -> list[str]:
    """A line on each reason why a start may have learned from sources that are held back."""
    card, notes = start.card, []
    if _is_of(card, sources) and card.training_hash and card.training_hash != training_hash(sources):
        line = f"{start.name}: learned from other training sources or labels of {card.data} than it has now"
        notes.append(f"{line}; some that are held back may be among them")
    if card.started_from and not card.start_data:
        notes.append(
            f"{start.name}: began with {card.started_from}; its card does not say on what that was trained, so nothing was left out"
        )
    return notes


def other_recipe(sources: Sources, start: Member) -> list[str]:
    """A line where images are made otherwise than those that the start learned from; none where they are made alike."""
    ways = in_place_of(sources.recipe, start.card.images.as_card())
    return [f"{sources.name}: images made otherwise than those of {start.name} ({ways}); they are normalised as those were"] if ways else []


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


def refuse_unlike(settings: Settings, start: Member, recipe: Recipe) -> None:
    """Refuse settings of another model, or of images prepared otherwise, than those of the network that is begun with.

    Images may be made by another recipe, which `other_recipe` puts in words; only a LeNet's dense layers need the side of its own.

    Raises
    ------
    SettingRefusal : says the first setting that differs, or the side.
    """
    own = start.card.images.side
    if recipe.side != own and not architecture(start.card.model).gated:
        found = f"{start.name} has weights for images of {own} x {own} pixels, and these have {recipe.side} x {recipe.side}"
        do = f"Import them with --side {own}, or begin with a network with gates, which takes any side."
        raise SettingRefusal(SETTING, found, f"{own} x {own}", do)
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
