"""Two teams as one: a quick one answers where it is sure, a better one everywhere else."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from equiradio.artefacts.catalogue import Row
from equiradio.artefacts.features import of_two_teams
from equiradio.artefacts.provenance import Provenance
from equiradio.artefacts.shelf import default_name, list_models, names_here
from equiradio.errors import ModelRefusal, RunRefusal, SettingRefusal
from equiradio.inference import reading
from equiradio.inference.answers import Answers
from equiradio.inference.catalogue import Catalogue
from equiradio.inference.member import weights_hash
from equiradio.inference.rows import abstains
from equiradio.inference.team import Team, load
from equiradio.labels import Labels
from equiradio.sky.cutout import Cutout
from equiradio.sky.recipe import Recipe, apart

OPTION = "--cascade"
WEIGHTS_DIGITS = 12  # of the hash of the weights that follow, in a card
AGAIN = "calibrate the quick team again, with --cascade."


class Cascade:
    """A quick team and the one that is asked where it is not sure: below ``threshold``, and where it abstains.

    A row of the catalogue is that of the team that answered, which its column ``model`` names.
    """

    def __init__(self, quick: Team, team: Team, threshold: float) -> None:
        self.quick, self.team, self.chosen = quick, team, threshold
        gates = {member.network.gate_count for member in (*quick.members, *team.members)}
        odd = [apart(quick.recipe, team.recipe)]
        if quick.labels.names != team.labels.names:
            odd.append(f"classes {quick.labels} and {team.labels}")
        if len(gates) > 1:
            odd.append(f"gates {' and '.join(map(str, sorted(gates)))}")
        if any(odd):
            found = f"{quick.name} before {team.name}: {', '.join(filter(None, odd))}"
            raise SettingRefusal(OPTION, found, "teams of the same classes, recipe and number of gates", "Choose teams alike.")

    @property
    def threshold(self) -> float:
        """The one that was chosen, and never below the one under which the quick team abstains."""
        return max(self.chosen, self.quick.calibration.threshold or 0.0)

    def in_poses(self, poses: int) -> "Cascade":
        """Both asked in another number of poses; see `Team.in_poses`."""
        return Cascade(self.quick.in_poses(poses), self.team.in_poses(poses), self.chosen)

    def for_prior(self, prior: Mapping[str, float] | str) -> "Cascade":
        """Both for sources of another mix of classes; see `Team.for_prior`."""
        return Cascade(self.quick.for_prior(prior), self.team.for_prior(prior), self.chosen)

    @property
    def name(self) -> str:
        """The better team's, which has the last word."""
        return self.team.name

    @property
    def labels(self) -> Labels:
        """The classes that both distinguish."""
        return self.team.labels

    @property
    def recipe(self) -> Recipe:
        """By which files become images for both."""
        return self.team.recipe

    @property
    def identity(self) -> list[Any]:
        """All that its answers depend on beside its name, version and precision."""
        return [self.quick.name, *self.quick.identity, *self.team.identity, self.threshold]

    @property
    def precision(self) -> str:
        """In which both compute."""
        return self.team.precision

    @property
    def about(self) -> Provenance:
        """What products say of it."""
        return self.about_of(self.team.name)

    def about_of(self, model: str) -> Provenance:
        """What products of one source say, whose row names this model: that of the team that answered."""
        return {**self._who(model).about, "quick_model": self.quick.name, "sure_from": self.threshold}

    def __repr__(self) -> str:
        return f"Cascade({self.quick!r} from probability {self.threshold:.3f}, else {self.team!r})"

    def ask(self, cutouts: Sequence[Cutout], *, why: bool = True) -> tuple[list[Row], Answers]:
        """A row of the catalogue for each cutout, and the answers, with evidence unless ``why`` is false."""
        rows, answers = self.quick.ask(cutouts, why=why)
        sure = answers.p.max(1) >= self.threshold
        asked = (self._goes_on(*each) for each in zip(cutouts, rows, sure, strict=True))
        places = [place for place, goes_on in enumerate(asked) if goes_on]
        if not places:
            return rows, answers
        better, others = self.team.ask([cutouts[place] for place in places], why=why)
        for place, row in zip(places, better, strict=True):
            rows[place] = row
        return rows, answers.with_others(places, others)

    def _goes_on(self, cutout: Cutout, row: Row, sure: bool) -> bool:
        """Whether the better team is asked: not where it would abstain, like the quick one, by the image alone."""
        if not row["uncertain"]:
            return not sure
        chosen = self.team.calibration
        flags = cutout.flags | cutout.doubts | chosen.of_beam(cutout.beam, cutout.file_pixel_arcsec)
        return not row["answered"] or not (abstains(flags) or chosen.unresolved(cutout.shape.beams_across))

    def classify(self, sources: reading.Sources, *, prior: Mapping[str, float] | str | None = None, **options: Any) -> Catalogue:
        """The catalogue of one image or many, as `Team.classify` makes it."""
        return reading.catalogue(self if prior is None else self.for_prior(prior), sources, **options)

    def attention(self, sources: reading.Sources, **options: Any) -> np.ndarray:
        """Attention maps as of `Team.attention`, of each source by the team that answers it."""
        return self._by_who_answers(lambda team: team.attention, sources, options)

    def evidence(self, sources: reading.Sources, **options: Any) -> np.ndarray:
        """Evidence as of `Team.evidence`, of each source by the team that answers it."""
        return self._by_who_answers(lambda team: team.evidence, sources, options)

    def features(self, sources: reading.Sources, **options: Any) -> np.ndarray:
        """Refused: vectors of two teams are of different lengths, and cannot be compared."""
        raise of_two_teams("features", "Ask .team.features or .quick.features.")

    def _by_who_answers(
        self, door: Callable[[Team], Callable[..., np.ndarray]], sources: reading.Sources, options: dict[str, Any]
    ) -> np.ndarray:
        """Maps of sources, which are read twice: to be answered, and by the team that did."""
        if reading.is_one(sources):
            return door(self._who(self.classify(sources, **options)["model"][0]))(sources, **options)
        each = list(reading.as_sources(sources))
        who = [self._who(model) for model in self.classify(each, **options)["model"]]
        maps = np.empty((len(each), self.recipe.side, self.recipe.side), np.float32)
        for team in (self.quick, self.team):
            places = [place for place, other in enumerate(who) if other is team]
            maps[places] = door(team)([each[place] for place in places], **options)
        return maps

    def _who(self, model: str) -> Team:
        """The team that a row names; the better one where nobody answered."""
        return self.quick if model == self.quick.name else self.team


def load_cascade(model: str | None = None, device: str = "auto", precision: str = "float32") -> Cascade:
    """Open a team and the quick team before it.

    Parameters
    ----------
    model : a team by name or folder that some packaged quick team goes with, or a quick team, whose card says what follows it
        (``equiradio calibrate --cascade``); by default the team that `equiradio.load` would be asked for.
    device, precision : as for `equiradio.load`.

    Raises
    ------
    SettingRefusal : no quick team goes with it, or one that was chosen for other weights; the team behind it is not there.
    """
    named = model or default_name()
    last = load(named, device, precision)
    if chosen := last.card.cascade:
        quick, last = last, _behind(named, chosen["team"], device, precision)
    else:
        quick = load(_quick_name(named, last), device, precision)
        chosen = quick.card.cascade
    if _digits(last) != chosen["weights"]:
        found = f"{quick.name} was chosen to go before weights {chosen['weights']}, but {last.name} has others"
        raise SettingRefusal(OPTION, found, "the same weights", AGAIN.capitalize())
    return Cascade(quick, last, chosen["threshold"])


def _behind(quick: str, named: str, device: str, precision: str) -> Team:
    """The team that a quick team's card names."""
    try:
        team = load(named, device, precision)
    except (RunRefusal, ModelRefusal) as refusal:
        found = f"{quick} goes before {named}, which cannot be opened ({refusal.where}: {refusal.found})"
        raise SettingRefusal(OPTION, found, "the team that it was chosen with", f"Put it back, or {AGAIN}") from None
    if not team.calibration.calibrated:
        raise SettingRefusal(OPTION, f"{quick} goes before {named}, which is not calibrated", "a calibrated team", AGAIN.capitalize())
    return team


def _quick_name(named: str, team: Team) -> str:
    """The packaged quick team that goes before a team, which has the name in its card or the weights."""
    pairs = {name: card.cascade for name, card in list_models().items() if card.cascade and name in names_here()}
    digits = _digits(team)
    for name, chosen in pairs.items():
        if named == chosen["team"] or digits == chosen["weights"]:
            return name
    there = ", ".join(dict.fromkeys(chosen["team"] for chosen in pairs.values())) or "no packaged team"
    raise SettingRefusal(OPTION, f"no quick team goes before '{named}'", f"one of {there}", "Drop --cascade, or take one of these.")


def _digits(team: Team) -> str:
    """The beginning of the hash of a team's weights, as cards have it."""
    return weights_hash(team.members)[:WEIGHTS_DIGITS]
