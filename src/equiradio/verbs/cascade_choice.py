"""From where a quick team's answer may stand for a better one's: chosen on validation, looked at once on test."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from equiradio.artefacts.team import CascadeChoice, TeamCard, TeamFolder
from equiradio.artefacts.team_scores import CascadeScores
from equiradio.datasets.sources import Sources
from equiradio.errors import RunRefusal
from equiradio.evaluation.calibration import is_right, nll, top_probability
from equiradio.evaluation.choosing import cascaded, mean_probabilities, sure_from, team_distance
from equiradio.inference.asking import Asking
from equiradio.inference.cascade import WEIGHTS_DIGITS
from equiradio.inference.member import weights_hash
from equiradio.inference.team import Team, load
from equiradio.models.names import architecture
from equiradio.sky.recipe import apart
from equiradio.verbs.team_choices import binary, usual_to


class _Both(NamedTuple):
    """Answers about one split as scores take them: the quick team's, the better one's; who is usual to the quick one, and of whom the
    better one does not abstain."""

    labels: np.ndarray
    quick: np.ndarray
    team: np.ndarray
    usual: np.ndarray
    answers: np.ndarray

    def threshold(self, least: float) -> float:
        """From where the quick team is sure, not under ``least``."""
        return sure_from(self.labels, self.quick, self.team, self.usual, least)

    def scores(self, threshold: float) -> CascadeScores:
        sure = (top_probability(self.quick) >= threshold) & self.usual
        both = cascaded(self.quick, self.team, sure)
        right, answered = is_right(self.labels, both), sure | self.answers
        return {
            "sources": len(self.labels),
            "asked": float(1 - sure.mean()),
            "answered": float(answered.mean()),
            "selective_accuracy": float(right[answered].mean()) if answered.any() else None,
            "accuracy": float(right.mean()),
            "nll": nll(self.labels, both),
            "team_accuracy": float(is_right(self.labels, self.team).mean()),
            "team_nll": nll(self.labels, self.team),
        }


class Last(NamedTuple):
    """The team that is asked where a quick one is not sure; its name, or its folder wherever one stands."""

    name: str
    team: Team


def open_last(name: str | None, quick: TeamCard, device: str) -> Last | None:
    """The team to be asked where the quick one is not sure, None where none is named; refused where it cannot be."""
    if name is None:
        return None
    team = load(name, device)
    if team.labels.names != quick.labels.names:
        found = f"{name} tells {team.labels} apart, the runs {quick.labels}"
        raise RunRefusal("--cascade", found, "a team of the same classes", "Choose another.")
    if odd := apart(quick.members[0].images, team.recipe):
        found = f"the runs read images by another recipe than {name}: {odd}"
        raise RunRefusal("--cascade", found, "a team of the same recipe", "Choose another.")
    settings, gates = quick.settings_of(quick.members[0]).model, team.members[0].network.gate_count
    if (own := settings.gates if architecture(quick.model).gated else 0) != gates:
        found = f"the runs have {own} gates, {name} has {gates}"
        raise RunRefusal("--cascade", found, "a team of as many, whose maps go with theirs", "Choose another.")
    if not team.calibration.calibrated:
        raise RunRefusal("--cascade", f"{name} is not calibrated", "a calibrated team", "Make one of its runs by equiradio calibrate.")
    return Last(str(Path(name).resolve()) if Path(name).is_dir() else name, team)


def with_cascade(folder: TeamFolder, card: TeamCard, asking: Asking, last: Last | None, sources: Sources) -> TeamCard:
    """The card of a quick team with what follows it, from which probability that need not be asked, and what the two are worth."""
    if last is None:
        return card
    name, team = last
    before = lambda split: _answers(folder, card, asking, team, sources.of_split(split), split)
    fitted, test = before("validation"), sources.of_split("test")
    threshold = fitted.threshold(card.threshold or 0.0)
    digits = weights_hash(team.members)[:WEIGHTS_DIGITS]
    chosen: CascadeChoice = {"team": name, "weights": digits, "threshold": threshold, "validation": fitted.scores(threshold)}
    if (test.labels >= 0).any():
        chosen["test"] = before("test").scores(threshold)
    return card.with_changes(cascade=chosen)


def _answers(folder: TeamFolder, card: TeamCard, asking: Asking, team: Team, sources: Sources, split: str) -> _Both:
    assert card.poses is not None
    assert card.temperature is not None
    sources = sources.choose(sources.labels >= 0)
    logits, features = asking.ask(sources.images, split, card.poses)
    chosen = team.calibration
    last = Asking(team.members, asking.folder, asking.progress).ask(sources.images, split, chosen.poses)
    quick, better = binary(mean_probabilities(logits, card.temperature)), binary(mean_probabilities(last.logits, chosen.temperature))
    assert chosen.centre is not None
    assert chosen.precision is not None
    answers = top_probability(better) >= (chosen.threshold or 0.0)
    answers &= team_distance(last.features, chosen.centre, chosen.precision) <= (chosen.reach or np.inf)
    return _Both(sources.labels, quick, better, usual_to(folder, card, features), answers)
