"""Does a trained network's start help with few labels? The four classes of `first`, from trained weights and from drawn ones; resumable.

Run: python benchmarks/fine_tuning.py WORK --out results/fine-tuning/first.json [--start quick] [--labels 100,300,all] [--seeds 0,1,2]
Sources within 45 arcsec of any MiraBest source stay out, since the start has learned from those; of `all` labels, which are learned from
alone, those within 45 arcsec of a MiraBest test source. What is scored are the published validation sources; the weights kept are chosen
on 150 training sources that are not learned from. Needs the data sets first and mirabest.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from ending import run as end_with
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, log_loss

from equiradio.artefacts.run import Run
from equiradio.datasets.folder import write_folder
from equiradio.datasets.registry import open_data
from equiradio.datasets.sources import Sources
from equiradio.datasets.splits import pairs_within
from equiradio.evaluation.choosing import probabilities
from equiradio.inference.posed import in_pose
from equiradio.inference.team import load
from equiradio.settings import Settings, beginning, change
from equiradio.training.fit import train
from equiradio.training.start import fitted, start_of

NEAR_ARCSEC, CHOSEN_ON, DRAWS = 45.0, 150, 500
ARMS: dict[str, dict[str, Any]] = {
    "drawn": {},
    "last layers drawn": {"training.last_layers": "drawn"},
    "fine-tuned": {},
    "all alike": {"training.body_rate": 1.0},
    "frozen": {"training.freeze": "blocks"},
}
BEGUN = ("fine-tuned", "all alike", "frozen")  # with fitted last layers, and so without dropout


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
        learned = np.setdiff1d(np.flatnonzero(far_from_mirabest(whole, "test") & (whole.split == "train")), chosen_on)
    else:
        learned = evenly(np.setdiff1d(pool, chosen_on), whole.labels, int(labels), 1 + seed)
    rows = np.concatenate([learned, chosen_on, scored])
    split = np.repeat(["train", "validation", "test"], [len(learned), len(chosen_on), len(scored)])
    write_folder(replace(whole.choose(rows), name=place.name, split=split, masks=None), place)
    return place


def settings_of(arm: str, start: str, data: Path, seed: int, epochs: int) -> Settings:
    """The same training for all arms, but for what it begins with."""
    named: dict[str, Any] = {"data.name": str(data), "training.seed": seed, "training.epochs": epochs}
    named |= {"training.passes": 1, "training.validation_passes": 1, "training.batch_size": 16, "training.start_from": start}
    settings = change(beginning("fast", start if arm in BEGUN else None), named | ARMS[arm])
    begun = start_of(settings)
    assert begun is not None
    settings = fitted(settings, begun)
    return settings if arm != "drawn" else change(settings, {"training.start_from": ""})


def answers(run: Run, data: Path) -> np.ndarray:
    """Probabilities (sources, classes) of the scored sources, each as it is."""
    return probabilities(in_pose(load(run.folder).members[0], open_data(str(data)).of_split("test").images, 0, outputs=False).logits)


def measures(labels: np.ndarray, p: np.ndarray) -> dict[str, float]:
    """Scores of one network."""
    top, classes = p.argmax(1), np.arange(p.shape[1])
    return {
        "macro_f1": f1_score(labels, top, average="macro", labels=classes),
        "balanced_accuracy": balanced_accuracy_score(labels, top),
        "accuracy": accuracy_score(labels, top),
        "nll": log_loss(labels, p, labels=classes),
    }


def compared(labels: np.ndarray, one: list[np.ndarray], other: list[np.ndarray]) -> dict[str, Any]:
    """Mean over seeds of the difference one - other with its 95 % interval over sources, paired."""
    rng, drawn = np.random.default_rng(0), []
    pairs = list(zip(one, other, strict=True))

    def difference(rows: np.ndarray) -> dict[str, float]:
        each = [(measures(labels[rows], a[rows]), measures(labels[rows], b[rows])) for a, b in pairs]
        return {name: float(np.mean([mine[name] - theirs[name] for mine, theirs in each])) for name in ("balanced_accuracy", "nll")}

    for _ in range(DRAWS):
        drawn.append(difference(rng.integers(0, len(labels), len(labels))))
    whole = difference(np.arange(len(labels)))
    edges = lambda name: np.percentile([each[name] for each in drawn], (2.5, 97.5)).tolist()
    return {name: {"mean": mean, "interval95": edges(name)} for name, mean in whole.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, help="folder for data sets and runs")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--start", default="quick")
    parser.add_argument("--labels", default="100,300")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--epochs", type=int, default=10)
    options = parser.parse_args()
    about = {"start": options.start, "epochs": options.epochs, "data": "first", "scored": "published validation sources far from MiraBest"}
    result: dict[str, Any] = {**about, "labels": {}}
    for count in map(int, options.labels.split(",")):
        found: dict[str, list[np.ndarray]] = {arm: [] for arm in ARMS}
        for seed in map(int, options.seeds.split(",")):
            data = data_of(options.work, count, seed)
            for arm in ARMS:
                run = Run(options.work / f"{arm}-{count}-seed{seed}")
                settings = settings_of(arm, options.start, data, seed, options.epochs)
                if not run.card_file.is_file() or run.card().state != "finished":
                    train(settings, run.folder, resume=run.settings_file.is_file(), device="cpu")
                found[arm].append(answers(run, data))
                labels = open_data(str(data)).of_split("test").labels
                print(count, seed, arm, {name: round(value, 3) for name, value in measures(labels, found[arm][-1]).items()}, flush=True)
        result["sources"] = len(labels)
        scores = {arm: [measures(labels, p) for p in each] for arm, each in found.items()}
        paired = {arm: compared(labels, found[arm], found["drawn"]) for arm in ARMS if arm != "drawn"}
        result["labels"][str(count)] = {"scores": scores, "against drawn": paired}
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    end_with(main)
