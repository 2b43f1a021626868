"""Does a trained network's start help with few labels? The four classes of `first`, from trained weights and from drawn ones; resumable.

Run: python benchmarks/fine_tuning.py WORK --out results/fine-tuning/first.json [--start quick] [--labels 100,300,all] [--seeds 0,1,2]
Sources within 45 arcsec of any MiraBest source stay out, since the start has learned from those; of `all` labels, which are learned from
alone, those within 45 arcsec of a MiraBest test source. What is scored are the published validation sources; networks with drawn weights
and `all` labels, which have seen no MiraBest source, are scored on those near MiraBest too (`everyone`). The weights kept are chosen on
150 training sources that are not learned from. Needs the data sets first and mirabest.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from ending import run as end_with
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, log_loss, precision_recall_fscore_support

from equiradio.artefacts.run import Run
from equiradio.datasets.folder import write_folder
from equiradio.datasets.registry import open_data
from equiradio.datasets.sources import Sources
from equiradio.datasets.splits import pairs_within
from equiradio.evaluation.calibration import ece
from equiradio.evaluation.choosing import best_temperature, mean_probabilities
from equiradio.inference.posed import in_pose
from equiradio.inference.team import load
from equiradio.labels import Labels
from equiradio.settings import Settings, beginning, change, parse_assignment
from equiradio.training.fit import train
from equiradio.training.start import fitted, start_of

NEAR_ARCSEC, CHOSEN_ON, DRAWS = 45.0, 150, 500
ARMS: dict[str, dict[str, Any]] = {
    "drawn": {},
    "last layers drawn": {"training.last_layers": "drawn", "model.dropout": 0.5},  # as it was before they were fitted
    "fine-tuned": {},
    "frozen": {"training.freeze": "blocks"},
}


def far_from_mirabest(sources: Sources, split: str | None = None) -> np.ndarray:
    """Which sources lie beyond `NEAR_ARCSEC` of every MiraBest source, or of those of a split: bool (count,)."""
    other = open_data("mirabest") if split is None else open_data("mirabest").of_split(split)
    ra, dec = (np.concatenate([getattr(each, name) for each in (sources, other)]) for name in ("ra_deg", "dec_deg"))
    near = {one for one, two in pairs_within(ra, dec, NEAR_ARCSEC).tolist() if one < len(sources) <= two}
    return np.array([row not in near for row in range(len(sources))])


def evenly(rows: np.ndarray, labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """So many of the rows, every class with its share."""
    shuffled = np.random.default_rng([13, seed]).permutation(rows)
    ranks = np.array([np.flatnonzero(shuffled[labels[shuffled] == labels[row]] == row)[0] for row in shuffled])
    sizes = np.array([(labels[shuffled] == labels[row]).sum() for row in shuffled])
    return shuffled[np.argsort((ranks + 0.5) / sizes, kind="stable")][:count]


def data_of(folder: Path, labels: str, seed: int) -> Path:
    """A data set of so many training sources, drawn by the seed, or of all; written once."""
    place = folder / (f"four-{labels}-seed{seed}" if labels != "all" else "four-all")
    if place.is_dir():
        return place
    whole = open_data("first")
    far = far_from_mirabest(whole)
    pool, scored = (np.flatnonzero(far & (whole.split == split)) for split in ("train", "validation"))
    chosen_on = evenly(pool, whole.labels, CHOSEN_ON, 0)
    if labels == "all":
        untested = far_from_mirabest(whole, "test")
        learned = np.setdiff1d(np.flatnonzero(untested & (whole.split == "train")), chosen_on)
        scored = np.flatnonzero(untested & (whole.split == "validation"))
    else:
        learned = evenly(np.setdiff1d(pool, chosen_on), whole.labels, int(labels), 1 + seed)
    rows = np.concatenate([learned, chosen_on, scored])
    split = np.repeat(["train", "validation", "test"], [len(learned), len(chosen_on), len(scored)])
    write_folder(replace(whole.choose(rows), name=place.name, split=split, masks=None), place)
    return place


def settings_of(arm: str, start: str, data: Path, seed: int, epochs: int, more: dict[str, Any]) -> Settings:
    """The same training for all arms, but for what it begins with; ``more`` of those that begin with trained weights."""
    named: dict[str, Any] = {"data.name": str(data), "training.seed": seed, "training.epochs": epochs}
    named |= {"training.passes": 1, "training.validation_passes": 1, "training.batch_size": 16, "training.start_from": start}
    fresh = arm == "drawn"
    settings = change(beginning("fast", None if fresh else start), named | ARMS[arm] | ({} if fresh else more))
    begun = start_of(settings)
    assert begun is not None
    settings = fitted(settings, begun)
    return change(settings, {"training.start_from": ""}) if fresh else settings


def answers(run: Run, data: Path, poses: int) -> np.ndarray:
    """Probabilities (sources, classes) of the scored sources, mean over poses; the temperature fits what the weights were chosen on."""
    member, sources = load(run.folder).members[0], open_data(str(data))
    chosen_on, scored = (sources.of_split(split) for split in ("validation", "test"))
    logits = lambda images: np.stack([[in_pose(member, images, pose, outputs=False).logits for pose in range(poses)]])
    return mean_probabilities(logits(scored.images), best_temperature(logits(chosen_on.images), chosen_on.labels))


def everyone(scored: Sources, each: list[np.ndarray]) -> dict[str, Any]:
    """Scores of networks that have seen no MiraBest source, those near MiraBest among the scored."""
    by_catalogue = {}
    for catalogue in np.unique(scored.catalogues).tolist():
        here = scored.catalogues == catalogue
        right = [accuracy_score(scored.labels[here], p[here].argmax(1)) for p in each]
        by_catalogue[catalogue] = [{"sources": int(here.sum()), "accuracy": accuracy} for accuracy in right]
    scores = {"scores": [measures(scored.labels, p) for p in each], "means": mean_of(scored.labels, each)}
    classes = [by_class(scored.labels, p, scored.classes) for p in each]
    return {"sources": len(scored), **scores, "by_class": classes, "by_catalogue": by_catalogue}


def measures(labels: np.ndarray, p: np.ndarray) -> dict[str, float]:
    """Scores of one network."""
    top, classes = p.argmax(1), np.arange(p.shape[1])
    return {
        "macro_f1": f1_score(labels, top, average="macro", labels=classes, zero_division=0),
        "balanced_accuracy": balanced_accuracy_score(labels, top),
        "accuracy": accuracy_score(labels, top),
        "nll": log_loss(labels, p, labels=classes),
        "ece": ece(labels, p),
    }


def by_class(labels: np.ndarray, p: np.ndarray, classes: Labels) -> dict[str, dict[str, float]]:
    """F1, precision and recall of one network for each class."""
    scores = precision_recall_fscore_support(labels, p.argmax(1), labels=np.arange(len(classes)), zero_division=0)
    named = dict(zip(("precision", "recall", "f1", "sources"), scores, strict=True))
    return {name: {score: float(each[place]) for score, each in named.items()} for place, name in enumerate(classes)}


def over_sources(labels: np.ndarray, value: Callable[[np.ndarray], dict[str, float]]) -> dict[str, Any]:
    """Values of all sources, each with its 95 % interval over sources."""
    rng = np.random.default_rng(0)
    drawn = [value(rng.integers(0, len(labels), len(labels))) for _ in range(DRAWS)]
    edges = lambda name: np.percentile([each[name] for each in drawn], (2.5, 97.5)).tolist()
    return {name: {"mean": mean, "interval95": edges(name)} for name, mean in value(np.arange(len(labels))).items()}


def mean_of(labels: np.ndarray, each: list[np.ndarray], others: list[np.ndarray] | None = None) -> dict[str, Any]:
    """Scores, means over seeds; or the differences from others of the same seeds, paired over sources."""

    def value(rows: np.ndarray) -> dict[str, float]:
        mine = [measures(labels[rows], p[rows]) for p in each]
        theirs = [measures(labels[rows], p[rows]) for p in others] if others else [dict.fromkeys(mine[0], 0.0)] * len(mine)
        return {name: float(np.mean([a[name] - b[name] for a, b in zip(mine, theirs, strict=True)])) for name in mine[0]}

    return over_sources(labels, value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, help="folder for data sets and runs")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--start", default="quick")
    parser.add_argument("--labels", default="100,300", help="how many, or all; comma-separated")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--arms", default=",".join(ARMS), help=f"of {', '.join(ARMS)}; the others are compared with the first")
    parser.add_argument("--poses", type=int, default=1, help="in which each source is asked about")
    parser.add_argument("--set", action="append", default=[], help="one more setting of trainings that begin with the start, key=value")
    options = parser.parse_args()
    arms, seeds, more = options.arms.split(","), [int(seed) for seed in options.seeds.split(",")], dict(map(parse_assignment, options.set))
    about = {"start": options.start, "epochs": options.epochs, "data": "first", "scored": "published validation sources far from MiraBest"}
    result: dict[str, Any] = {**about, "settings": more, "poses": options.poses, "seeds": seeds, "labels": {}}
    for count in options.labels.split(","):
        asked: dict[str, list[np.ndarray]] = {arm: [] for arm in arms}
        for seed in seeds:
            data = data_of(options.work, count, seed)
            whole = open_data(str(data)).of_split("test")
            far = far_from_mirabest(whole)
            scored = whole.choose(np.flatnonzero(far))
            for arm in arms:
                run = Run(options.work / f"{options.start}-{arm}-{count}-seed{seed}")
                settings = settings_of(arm, options.start, data, seed, options.epochs, more)
                if not run.card_file.is_file() or run.card().state != "finished":
                    train(settings, run.folder, resume=run.settings_file.is_file(), device="cpu")
                asked[arm].append(answers(run, data, options.poses))
                said = {name: round(value, 3) for name, value in measures(scored.labels, asked[arm][-1][far]).items()}
                print(count, seed, arm, said, flush=True)
        answered = {arm: [p[far] for p in each] for arm, each in asked.items()}  # all seeds are scored on the same sources
        first, *others = arms
        result["sources"] = len(scored)
        result["labels"][count] = {
            "scores": {arm: [measures(scored.labels, p) for p in each] for arm, each in answered.items()},
            "means": {arm: mean_of(scored.labels, each) for arm, each in answered.items()},
            "by_class": {arm: [by_class(scored.labels, p, scored.classes) for p in each] for arm, each in answered.items()},
            f"against {first}": {arm: mean_of(scored.labels, answered[arm], answered[first]) for arm in others},
        }
        if count == "all" and "drawn" in arms:
            result["labels"][count]["everyone"] = everyone(whole, asked["drawn"])
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    end_with(main)
