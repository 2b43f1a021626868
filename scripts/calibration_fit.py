"""What `scripts/calibrate.py` fits: poses, temperature, threshold and feature distance from validation answers; then test scores."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file
from scipy.optimize import minimize_scalar
from sklearn.covariance import LedoitWolf
from sklearn.model_selection import KFold

from equiradio.artefacts.atomic import write_atomically, write_json
from equiradio.artefacts.shelf import PACKAGED, packaged_card
from equiradio.datasets.registry import open_data
from equiradio.errors import RunRefusal
from equiradio.evaluation import bootstrap
from equiradio.evaluation.calibration import brier, ece, nll
from equiradio.evaluation.scores import scores
from equiradio.inference.answers import frii, squared_distance
from equiradio.inference.team import load, weights_hash
from equiradio.sky.cutout import RECIPE

KEPT = Path("calibration")  # not in the repository; what follows from it is, in the cards
SELECTIVE = 0.95  # accuracy wanted of the sources that are not abstained from
FLAGGED = 3.0  # percent of cross-fitted validation sources beyond the reach, so that a test split of 153 stays below 5
WORTH = 0.005  # nats of validation NLL that more poses must win to be worth their time
POSE_CHOICES = (1, 2, 4, 8)


def answers_file(member: Classifier, split: str, pose: int) -> Path:
    """Named by the weights, so that no other member's answers are ever taken for these."""
    return KEPT / f"{member.card.model}-{split}-{weights_hash([member])[:12]}-pose{pose}.npz"


def kept(model: str, split: str, sources: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits (members, poses, sources, 2) and features of pose 0 (members, sources, features), of the poses that every member has."""
    poses, members = 0, load(model).members
    while all(answers_file(member, split, poses).is_file() for member in members):
        poses += 1
    if not poses:
        raise RunRefusal(KEPT, f"no answers of all {len(members)} members of {model} on {split}", "pose 0 at least", "Run 'ask' first.")
    files = [[np.load(answers_file(member, split, pose)) for pose in range(poses)] for member in members]
    logits, features = np.array([[f["logits"] for f in row] for row in files]), np.array([row[0]["features"] for row in files])
    if logits.shape[2] != sources or not (np.isfinite(logits).all() and np.isfinite(features).all()):
        raise RunRefusal(KEPT, f"answers of {model} for {logits.shape[2]} sources, or not finite", f"{sources} finite", "Ask anew.")
    return logits, features


def best_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Of lowest NLL of the mean over member x pose."""
    loss = lambda log_t: nll(labels, frii(logits, float(np.exp(log_t))).mean((0, 1)))
    return float(np.exp(minimize_scalar(loss, bounds=(-2, 2), method="bounded").x))


def abstention(labels: np.ndarray, p: np.ndarray) -> float:
    """The lowest top probability above which at least 95 % are right."""
    top, right = np.maximum(p, 1 - p), (p >= 0.5) == labels
    good = [t for t in np.sort(top) if right[top >= t].mean() >= SELECTIVE]
    return float(good[0]) if good else 1.0


def fit(model: str) -> None:
    """Choose everything on validation answers and write it into the card."""
    card = packaged_card(model)
    labels = open_data("mirabest").of_split("validation").labels
    logits, features = kept(model, "validation", len(labels))
    poses, temperature, curve = likeliest(logits, labels)
    before, after = (frii(logits[:, :poses], t).mean((0, 1)) for t in (1.0, temperature))
    threshold = abstention(labels, after)
    centre, precision, reach = distance(features)
    folder = PACKAGED / model
    stored = {"centre": centre.astype(np.float32), "precision": precision.astype(np.float32)}
    write_atomically(folder / "distance.safetensors", lambda part: save_file(stored, part))
    card |= {
        "recipe": RECIPE,
        "poses": poses,
        "nll_by_poses": curve,
        "temperature": temperature,
        "threshold": threshold,
        "out_of_distribution": {"file": "distance.safetensors", "reach": reach, "method": "Mahalanobis, Ledoit-Wolf, mean over members"},
        "validation": fitted(labels, before, after, threshold),
    }
    card.pop("test", None)  # measured with what was chosen before
    write_json(folder / "card.json", card)
    print(model, json.dumps({key: card[key] for key in ("poses", "nll_by_poses", "temperature", "threshold", "validation")}), reach)


def likeliest(logits: np.ndarray, labels: np.ndarray) -> tuple[int, float, dict[str, float]]:
    """How many poses, the temperature that goes with them, and the NLL of every number of poses that was asked."""
    tried = {count: best_temperature(logits[:, :count], labels) for count in POSE_CHOICES if count <= logits.shape[1]}
    curve = {count: nll(labels, frii(logits[:, :count], temperature).mean((0, 1))) for count, temperature in tried.items()}
    poses = next(count for count in tried if curve[count] <= min(curve.values()) + WORTH)
    return poses, tried[poses], {str(count): round(value, 5) for count, value in curve.items()}


def fitted(labels: np.ndarray, before: np.ndarray, after: np.ndarray, threshold: float) -> dict[str, Any]:
    """Scores on the split that everything was chosen on: flattering, kept for comparing models and not as a promise."""
    right, answered = (after >= 0.5) == labels, np.maximum(after, 1 - after) >= threshold
    return {
        "sources": len(labels),
        "nll_before": nll(labels, before),
        "nll_after": nll(labels, after),
        "ece_after": ece(labels, after),
        "accuracy": float(right.mean()),
        "selective_accuracy": float(right[answered].mean()) if answered.any() else None,
        "coverage": float(answered.mean()),
    }


def distance(features: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Centre and precision of each member's features, and the reach: distances of sources held out of the fit, 10 folds."""
    held = np.zeros(features.shape[:2])
    for known, out in KFold(10, shuffle=True, random_state=0).split(features[0]):
        for member, seen in enumerate(features):
            held[member, out] = squared_distance(seen[out], *shape_of(seen[known]))
    shapes = [shape_of(seen) for seen in features]
    reach = float(np.percentile(np.sqrt(held.mean(0)), 100 - FLAGGED))
    return np.array([s[0] for s in shapes]), np.array([s[1] for s in shapes]), reach


def shape_of(seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and inverse covariance, shrunk after scaling every feature to unit variance; one that hardly varies counts as a hundredth of
    the median, or else the least activity elsewhere would be infinitely far away."""
    spread = seen.std(0)
    scale = np.maximum(spread, 0.01 * np.median(spread) + 1e-9)
    shrunk = LedoitWolf().fit((seen - seen.mean(0)) / scale)
    return seen.mean(0), shrunk.precision_ / np.outer(scale, scale)


def score(model: str) -> None:
    """Test scores as shipped, into the card. Nothing is chosen here."""
    card = packaged_card(model)
    sources = open_data("mirabest").of_split("test")
    logits, features = kept(model, "test", len(sources.labels))
    if logits.shape[1] < card["poses"]:
        raise RunRefusal(KEPT, f"{logits.shape[1]} poses of {model} on test", f"the card's {card['poses']}", "Run 'ask test' to its end.")
    logits = logits[:, : card["poses"]]
    before, after = (frii(logits, t).mean((0, 1)) for t in (1.0, card["temperature"]))
    known = _stats(model)
    away = np.sqrt(np.mean([squared_distance(f, c, p) for f, c, p in zip(features, *known, strict=True)], axis=0))
    usual = away <= card["out_of_distribution"]["reach"]
    answered = (np.maximum(after, 1 - after) >= card["threshold"]) & usual  # as the column `uncertain` says
    parts = {"all": np.ones(len(after), bool), "answered": answered}
    parts |= {name: sources.confidence == name for name in ("confident", "uncertain")}
    card["test"] = {name: _part(sources.labels[rows], after[rows]) for name, rows in parts.items() if rows.any()} | {
        "coverage": float(answered.mean()),
        "unusual": float((~usual).mean()),
        "nll_before": nll(sources.labels, before),
        "nll_after": nll(sources.labels, after),
        "brier": brier(sources.labels, after),
        "ece": ece(sources.labels, after),
    }
    write_json(PACKAGED / model / "card.json", card)
    print(model, json.dumps(card["test"], indent=1))


def _stats(model: str) -> tuple[np.ndarray, np.ndarray]:
    from safetensors.numpy import load_file

    known = load_file(PACKAGED / model / "distance.safetensors")
    return known["centre"], known["precision"]


def _part(labels: np.ndarray, p: np.ndarray) -> dict[str, Any]:
    point = scores(labels, p)
    edges = bootstrap.intervals(labels, p[:, None], bootstrap.draw(len(labels), 2000, 0))
    return {"sources": len(labels)} | {key: {"value": point[key], "interval95": edges[key]} for key in ("accuracy", "auc")}
