"""What a team's card promises of its answers: sets of classes with their coverage, and how right answers of one kind were."""

from collections.abc import Iterator

import numpy as np

from equiradio.artefacts.team import TeamCard, TeamFolder
from equiradio.datasets.sources import Sources
from equiradio.evaluation.calibration import top_probability
from equiradio.evaluation.choosing import abstention, mean_probabilities
from equiradio.evaluation.conformal import class_thresholds, measured_coverage, sets
from equiradio.evaluation.expected import LEAST, accuracy_rows
from equiradio.inference.asking import Asking
from equiradio.sky.conditions import OWN, Condition
from equiradio.sky.recipe import MIRABEST
from equiradio.verbs.resolution_choice import Views, views_of
from equiradio.verbs.team_choices import binary, usual_to

LEVEL = 0.9  # of sets


def with_sets(card: TeamCard, asking: Asking, validation: Sources) -> TeamCard:
    """The card with limits of the classes' sets, chosen on validation."""
    validation = validation.choose(validation.labels >= 0)
    limits = class_thresholds(validation.labels, _answers(card, asking, validation, "validation"), LEVEL)
    named = dict(zip(card.labels, map(float, limits), strict=True))
    counts = {name: int((validation.labels == place).sum()) for place, name in enumerate(card.labels)}
    return card.with_changes(sets={"level": LEVEL, "limits": named, "sources": counts})


def with_coverage(card: TeamCard, asking: Asking, test: Sources) -> TeamCard:
    """The card with how often the sets of test sources hold the true class. Nothing is chosen here."""
    test = test.choose(test.labels >= 0)
    limits = np.array([card.sets["limits"][name] for name in card.labels])
    inside = sets(_answers(card, asking, test, "test"), limits)
    parts = {name: test.labels == place for place, name in enumerate(card.labels)} | {"all": np.ones(len(test), bool)}
    measured = {name: measured_coverage(test.labels[rows], inside[rows]) for name, rows in parts.items()}
    return card.with_changes(sets=card.sets | {"test": measured})


def with_expected(folder: TeamFolder, card: TeamCard, asking: Asking, validation: Sources) -> TeamCard:
    """The card with how right answers about validation sources were, by kind, through every beam that classes are told apart through.

    Answered are, as in a catalogue, sources above the threshold that are usual and resolved. Of images by another recipe than MiraBest's no
    beams are known, and nothing is measured.
    """
    if validation.recipe != MIRABEST:
        return card
    rows = []
    for beam, views, able in _through_beams(folder, card, asking, validation):
        level = card.thresholds.get(beam, card.threshold or 0.0)
        rows += accuracy_rows(beam, views.right, views.beams, able & (top_probability(views.p) >= level))
    return card.with_changes(expected={"least_sources": LEAST, "rows": rows})


def with_thresholds(folder: TeamFolder, card: TeamCard, asking: Asking, validation: Sources) -> TeamCard:
    """The card with a threshold for each beam that classes are told apart through, none lower than through the images' own.

    Through each, as many of the answers about usual and resolved validation sources are right as through the images' own.
    """
    if validation.recipe != MIRABEST:
        return card
    levels = {}
    for beam, views, able in _through_beams(folder, card, asking, validation):
        if beam != OWN.major:
            levels[f"{beam:g}"] = abstention(views.labels[able], views.p[able], card.threshold or 0.0)
    return card.with_changes(by_beams=card.by_beams | {"thresholds": levels})


def _through_beams(folder: TeamFolder, card: TeamCard, asking: Asking, validation: Sources) -> Iterator[tuple[float, Views, np.ndarray]]:
    """Each beam that classes are told apart through, what is seen through it, and which of that is usual and resolved."""
    validation = validation.choose(validation.labels >= 0)
    for beam in sorted({*card.by_beams.get("finer_arcsec", []), *card.by_beams.get("beams_arcsec", [])}):
        views = views_of(card, asking, validation, Condition() if beam == OWN.major else Condition("beam", beam))
        yield beam, views, usual_to(folder, card, views.features) & ~(views.beams < (card.resolved_from or 0.0))


def _answers(card: TeamCard, asking: Asking, sources: Sources, split: str) -> np.ndarray:
    """Probabilities as scores take them, of sources as they are."""
    assert card.poses is not None
    assert card.temperature is not None
    return binary(mean_probabilities(asking.ask(sources.images, split, card.poses).logits, card.temperature))
