"""A team's folder: members trained from different seeds, and what was chosen for them on validation; in the package as outside."""

import json
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypedDict

from equiradio.artefacts.atomic import write_json
from equiradio.artefacts.card import Card, card_of
from equiradio.artefacts.json_files import check, read_json
from equiradio.artefacts.promises import ClassSets, Expected, check_promises
from equiradio.artefacts.resolution import ByBeams
from equiradio.artefacts.run import Run
from equiradio.artefacts.team_scores import CascadeScores, SplitScores, ValidationScores
from equiradio.errors import RunRefusal, refused_as
from equiradio.labels import Labels
from equiradio.settings import Settings, change, keys, preset

AGAIN = "Calibrate the runs again, or fetch the team anew."
MOST_POSES = 64  # in which members are asked
MOST_BEAMS = 1000  # across a source
MOST_WIDTH = 3600  # arcsec, of a beam


class OutOfDistribution(TypedDict, total=False):
    """File of the features' statistics, distance beyond which an image is unusual, and how it is measured."""

    file: str
    reach: float
    method: str


class PosesChoice(TypedDict):
    """What goes with a number of poses, with the share answered by it, and the share right of these (None where none is answered)."""

    temperature: float
    threshold: float
    coverage: float
    selective_accuracy: float | None


class CascadeChoice(TypedDict, total=False):
    """The team that is asked where this one is not sure; empty where none was chosen.

    ``team`` its name or folder, ``weights`` the beginning of the hash of its weights, ``threshold`` the top probability from which this
    one's answer counts, chosen on validation.
    """

    team: str
    weights: str
    threshold: float
    validation: CascadeScores
    test: CascadeScores


@dataclass(frozen=True)
class TeamCard:
    """What a team is and how good it is.

    Attributes
    ----------
    model, members : the architecture's name, and the card of each member's training, with the hash of the weights that lie here.
    settings : by full name, what differs from the preset of the members' training (but for the seed).
    recipe : of the images that everything below was chosen on.
    chosen_on : the data set by whose validation sources everything below was chosen, and its md5; empty where it is the members' own.
    poses, nll_by_poses : how many poses each member is asked in, and the validation likelihood of each number that was tried.
    by_poses : temperature and threshold of every number of poses that was tried, for those who ask in fewer or more.
    temperature : logits are divided by it; None where nothing was calibrated.
    threshold : abstain where the top probability is lower.
    out_of_distribution : ``file`` of the features' statistics, ``reach`` beyond which an image is unusual, ``method``.
    validation, test : scores on the split that everything was chosen on, and on the split that was looked at once.
    cascade : the team that is asked where this one is not sure.
    resolved_from : beams across below which a source is unresolved; None where it was never chosen.
    by_beams : what it was chosen by.
    sets, expected : what it promises of its answers; see `equiradio.artefacts.promises`.
    """

    model: str
    members: list[Card]
    settings: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    chosen_on: dict[str, str] = field(default_factory=dict)
    poses: int | None = None
    nll_by_poses: dict[str, float] = field(default_factory=dict)
    by_poses: dict[str, PosesChoice] = field(default_factory=dict)
    temperature: float | None = None
    threshold: float | None = None
    out_of_distribution: OutOfDistribution = field(default_factory=OutOfDistribution)
    validation: ValidationScores = field(default_factory=ValidationScores)
    test: SplitScores = field(default_factory=SplitScores)
    cascade: CascadeChoice = field(default_factory=CascadeChoice)
    resolved_from: float | None = None
    by_beams: ByBeams = field(default_factory=ByBeams)
    sets: ClassSets = field(default_factory=ClassSets)
    expected: Expected = field(default_factory=Expected)

    @property
    def labels(self) -> Labels:
        return self.members[0].labels

    @property
    def seeds(self) -> list[int]:
        return [member.seed for member in self.members]

    @property
    def calibrated(self) -> bool:
        return self.temperature is not None

    @property
    def thresholds(self) -> dict[float, float]:
        """Below which top probability it abstains, by tested beam (arcsec); through the images' own it is ``threshold``."""
        return {float(beam): level for beam, level in self.by_beams.get("thresholds", {}).items()}

    @property
    def tested_beams(self) -> tuple[float, float] | None:
        """The finest and the widest beam (arcsec) through which it tells classes apart; None where that was not measured."""
        beams = [*self.by_beams.get("finer_arcsec", []), *self.by_beams.get("beams_arcsec", [])]
        return (min(beams), max(beams)) if beams else None

    def settings_of(self, member: Card, where: object = "card.json") -> Settings:
        """The settings that a member was trained by."""
        own = {"model.name": member.model, "training.seed": member.seed}
        return change(preset(member.preset), own | self.settings, where=str(where))

    def as_json(self) -> dict[str, object]:
        """What card.json holds: parts that were never measured are left out."""
        return {name: value for name, value in asdict(self).items() if value not in ({}, None)}

    def with_changes(self, **changes: Any) -> "TeamCard":
        return replace(self, **changes)


@dataclass(frozen=True)
class TeamFolder:
    """The folder of a team."""

    path: Path

    @property
    def card_file(self) -> Path:
        return self.path / "card.json"

    def weights_file(self, seed: int) -> Path:
        """Weights of a member, float16."""
        return self.path / f"seed{seed}.safetensors"

    @property
    def statistics_file(self) -> Path:
        """Mean and precision of the members' features on validation."""
        return self.path / "distance.safetensors"

    @property
    def page_file(self) -> Path:
        """What was measured, to look at: tables, figures and pictures of sources in one file."""
        return self.path / "index.html"

    @property
    def is_team(self) -> bool:
        """Does the folder hold a team's card? A run's card has no members."""
        try:
            return isinstance(json.loads(self.card_file.read_text(encoding="utf-8")).get("members"), list)
        except (OSError, ValueError, RecursionError, AttributeError):
            return False

    def card(self) -> TeamCard:
        """The card.

        Raises
        ------
        RunRefusal : missing, not JSON, without members, or with parts of another type.
        """
        if not self.card_file.exists():
            raise RunRefusal(self.card_file, "no such file", "a team's card", "Make one with 'equiradio calibrate'.")
        return team_card(read_json(self.card_file, Any, RunRefusal, "a card in JSON", AGAIN), self.card_file)

    def refuse_half_made(self) -> None:
        """Refuse a team that `equiradio calibrate` has begun and not ended: nothing was chosen for its answers."""
        if self.is_team and not self.card().calibrated:
            found, do = "a team whose calibration did not end", "Repeat the command that makes it, 'equiradio calibrate'."
            raise RunRefusal(self.path, found, "one with temperature and threshold", do)

    def write_card(self, card: TeamCard) -> None:
        write_json(self.card_file, card.as_json())


def team_card(content: Any, where: Path) -> TeamCard:
    """The card that parsed JSON holds; ``where`` names it in a refusal."""
    names = {spec.name for spec in fields(TeamCard)}
    with refused_as(RunRefusal, where, "members and what was chosen for them", AGAIN):
        members = [card_of(member, where) for member in content["members"]]
        if not members:
            raise ValueError("no members")
        check(content, TeamCard, "the card")
        card = TeamCard(**{key: value for key, value in content.items() if key in names} | {"members": members})
        _check_choices(card)
        return card


def _check_choices(card: TeamCard) -> None:
    """Raise ValueError for choices that no calibration makes."""
    ranges: list[tuple[str, float | None, float, float]] = [("poses", card.poses, 1, MOST_POSES)]
    ranges += [("by_poses", int(count) if count.isdecimal() else 0, 1, MOST_POSES) for count in card.by_poses]
    choices = [(card.temperature, card.threshold), *((each["temperature"], each["threshold"]) for each in card.by_poses.values())]
    for temperature, threshold in choices:
        ranges += [("temperature", temperature, 1e-6, 1e6), ("threshold", threshold, 0, 1)]
    ranges.append(("resolved_from", card.resolved_from, 0, MOST_BEAMS))
    ranges += [("by_beams", beam, 0, MOST_WIDTH) for beam in (*(card.tested_beams or ()), *card.thresholds)]
    ranges += [("thresholds", level, 0, 1) for level in card.thresholds.values()]
    ranges.append(("cascade.threshold", card.cascade.get("threshold"), 0, 1))
    for name, value, low, high in ranges:
        if value is not None and not low <= value <= high:
            raise ValueError(f"{name} is {value}, not {low:g} to {high:g}")
    check_promises(card.sets, card.expected, card.labels.names)
    apart = card.out_of_distribution
    if card.temperature is not None and (card.threshold is None or not {"file", "reach"} <= apart.keys()):
        raise ValueError("a temperature without threshold and out_of_distribution")
    lacking = [part for part in ("team", "weights", "threshold") if card.cascade.get(part) in ("", None)]
    lacking += [] if card.calibrated else ["temperature"]
    if card.cascade and lacking:
        raise ValueError(f"a cascade without {' and '.join(lacking)}")
    if Path(apart.get("file", "file")).name != apart.get("file", "file"):
        raise ValueError(f"{apart['file']} is no file of this folder")


def shared_settings(settings: list[Settings]) -> dict[str, Any]:
    """What the settings of all members change of their preset, by full name, but for name and seed.

    Raises
    ------
    RunRefusal : members whose settings differ in more than their seed.
    """
    # in each member's card, or without effect on the answers
    passing = {"training.seed", "model.name", "data.name", "training.precision", "training.layer_form"}
    each = [{key: _value(one, key) for key in keys() if key not in passing} for one in settings]
    for other in each[1:]:
        odd = [f"{key} {each[0][key]!r} and {value!r}" for key, value in other.items() if each[0][key] != value]
        if odd:
            raise RunRefusal(
                "team", f"members trained by other settings ({', '.join(odd)})", "the same but for the seed", "Choose runs alike."
            )
    usual = preset(settings[0].training.preset)
    return {key: list(value) if isinstance(value, tuple) else value for key, value in each[0].items() if _value(usual, key) != value}


def _value(settings: Settings, key: str) -> Any:
    section, name = key.split(".")
    return getattr(getattr(settings, section), name)


def run_of(folder: Path) -> Run:
    """The run in a folder.

    Raises
    ------
    RunRefusal : a team's folder, one that is missing, or one without settings.
    """
    if TeamFolder(folder).is_team:
        do = "Take the runs that it was made of; the team's own scores stand in its card."
        raise RunRefusal(folder, "a team", "the folder of one training", do)
    run = Run(folder)
    run.settings()
    return run
