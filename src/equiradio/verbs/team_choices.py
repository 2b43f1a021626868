"""What `calibrate` chooses on validation answers, and the test scores of what was chosen."""

from typing import cast

import numpy as np
from safetensors.numpy import load_file, save_file

from equiradio.artefacts.atomic import write_atomically
from equiradio.artefacts.team import PosesChoice, TeamCard, TeamFolder
from equiradio.artefacts.team_scores import PartScores, SplitScores, ValidationScores
from equiradio.datasets.sources import Sources
from equiradio.evaluation import bootstrap
from equiradio.evaluation.calibration import brier, ece, is_right, nll, top_probability
from equiradio.evaluation.choosing import POSES, WORTH, abstention, choose_poses, feature_reach, mean_probabilities, team_distance
from equiradio.evaluation.scores import scores
from equiradio.inference.asking import Asking
from equiradio.labels import Labels

METHOD = "Mahalanobis, Ledoit-Wolf, mean over members"


def choose(folder: TeamFolder, card: TeamCard, asking: Asking, validation: Sources, most_poses: int) -> TeamCard:
    """Everything that is chosen on validation; more poses are asked while they are worth it."""
    validation = validation.choose(validation.labels >= 0)
    last = np.inf
    for count in (each for each in POSES if each <= most_poses):
        logits, features = asking.ask(validation.images, "validation", count)
        poses = choose_poses(logits, validation.labels)
        if poses.nll[str(count)] > last - WORTH:
            break
        last = poses.nll[str(count)]
    before, after = (binary(mean_probabilities(logits[:, : poses.number], t)) for t in (1.0, poses.temperature))
    reach = feature_reach(features)
    by_poses = {str(count): choice_for(logits[:, :count], validation.labels, t, reach.usual) for count, t in poses.temperatures.items()}
    threshold = by_poses[str(poses.number)]["threshold"]
    stored = {"centre": reach.centre.astype(np.float32), "precision": reach.precision.astype(np.float32)}
    write_atomically(folder.statistics_file, lambda part: save_file(stored, part))
    return card.with_changes(
        poses=poses.number,
        nll_by_poses=poses.nll,
        by_poses=by_poses,
        temperature=poses.temperature,
        threshold=threshold,
        out_of_distribution={"file": folder.statistics_file.name, "reach": reach.reach, "method": METHOD},
        validation=_fitted(validation.labels, before, after, (top_probability(after) >= threshold) & reach.usual),
    )


def choice_for(logits: np.ndarray, labels: np.ndarray, temperature: float, usual: np.ndarray) -> PosesChoice:
    """Threshold that goes with the poses and the temperature of logits (members, poses, sources, classes), and how it does.

    Answered are, as in a catalogue, sources above it that are ``usual`` (sources,).
    """
    p = binary(mean_probabilities(logits, temperature))
    threshold = abstention(labels, p)
    right, answered = is_right(labels, p), (top_probability(p) >= threshold) & usual
    return {
        "temperature": temperature,
        "threshold": threshold,
        "coverage": float(answered.mean()),
        "selective_accuracy": float(right[answered].mean()) if answered.any() else None,
    }


def binary(p: np.ndarray) -> np.ndarray:
    """Of two classes the second's probability, as scores take it."""
    return p[:, 1] if p.shape[1] == 2 else p


def _fitted(labels: np.ndarray, before: np.ndarray, after: np.ndarray, answered: np.ndarray) -> ValidationScores:
    """Scores on the split that everything was chosen on: flattering, for comparing models and not as a promise."""
    right = is_right(labels, after)
    return {
        "sources": len(labels),
        "nll_before": nll(labels, before),
        "nll_after": nll(labels, after),
        "ece_after": ece(labels, after),
        "accuracy": float(right.mean()),
        "selective_accuracy": float(right[answered].mean()) if answered.any() else None,
        "coverage": float(answered.mean()),
    }


def usual_to(folder: TeamFolder, card: TeamCard, features: np.ndarray) -> np.ndarray:
    """Which sources lie within a team's reach, by features (members, sources, features)."""
    stored = load_file(folder.statistics_file)
    return np.asarray(team_distance(features, stored["centre"], stored["precision"]) <= card.out_of_distribution["reach"])


def score(folder: TeamFolder, card: TeamCard, asking: Asking, test: Sources) -> SplitScores:
    """Test scores as the team will answer. Nothing is chosen here."""
    assert card.poses is not None
    assert card.temperature is not None
    assert card.threshold is not None
    test = test.choose(test.labels >= 0)
    logits, features = asking.ask(test.images, "test", card.poses)
    before, after = (binary(mean_probabilities(logits, t)) for t in (1.0, card.temperature))
    usual = usual_to(folder, card, features)
    answered = (top_probability(after) >= card.threshold) & usual  # a catalogue abstains by further flags, see `inference.rows.abstains`
    parts = {"all": np.ones(len(after), bool), "answered": answered}
    parts |= {name: test.confidence == name for name in ("confident", "uncertain")}
    of_parts = {name: _part(test.labels[rows], after[rows], card.labels) for name, rows in parts.items() if rows.any()}
    of_all: SplitScores = {
        "coverage": float(answered.mean()),
        "unusual": float((~usual).mean()),
        "nll_before": nll(test.labels, before),
        "nll_after": nll(test.labels, after),
        "brier": brier(test.labels, after),
        "ece": ece(test.labels, after),
    }
    return cast(SplitScores, of_parts | of_all)


def _part(labels: np.ndarray, p: np.ndarray, classes: Labels) -> PartScores:
    point = scores(labels, p, classes=classes)
    edges = bootstrap.intervals(labels, p[:, None], bootstrap.draw(len(labels), 2000, 0), classes)
    return {
        "sources": len(labels),
        "accuracy": {"value": point["accuracy"], "interval95": edges["accuracy"]},
        "auc": {"value": point["auc"], "interval95": edges["auc"]},
    }
