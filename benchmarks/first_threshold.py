"""How well the threshold of images of `first` is estimated, and what putting it back changes in answers, where MiraBest shows a source too.

python benchmarks/first_threshold.py quick c4-attention --out results/wide/first-threshold.json

Fitted on MiraBest's training sources, whose threshold their images say (those of which it is known better than by half), and tried on its
validation sources: the weights of `equiradio.datasets.threshold`, and how far the logarithm of an estimate lies from the truth. Teams are
asked about the latter as MiraBest shows them, as the data set was published, with the threshold as estimated, and as MiraBest says it.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from ending import run as end_with
from sklearn.metrics import log_loss

from equiradio.datasets import first
from equiradio.datasets.registry import open_data
from equiradio.datasets.splits import pairs_within
from equiradio.datasets.threshold import restored, traces, with_threshold
from equiradio.folders import data_folder
from equiradio.inference.team import load
from equiradio.sky.levels import faintest, peak_in_sigma
from equiradio.sky.recipe import MIRABEST

SAME_ARCSEC = 3.0  # of one source; positions of both data sets are rounded


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("teams", nargs="*")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    mirabest, published = open_data("mirabest"), first.published(data_folder() / "first")
    ra = np.concatenate([mirabest.ra_deg, [entry.ra_deg for entry in published]])
    dec = np.concatenate([mirabest.dec_deg, [entry.dec_deg for entry in published]])
    level = faintest(mirabest.images)
    same = [(one, two - len(mirabest)) for one, two in pairs_within(ra, dec, SAME_ARCSEC).tolist() if one < len(mirabest) <= two]
    pairs = [(one, first.excess_of(published[two].pixels)) for one, two in same if level[one] >= 2]
    rows = np.array([one for one, excess in pairs if excess is not None])
    seen = [excess for _, excess in pairs if excess is not None]
    share = MIRABEST.clip_sigma / peak_in_sigma(mirabest.images[rows])
    split = mirabest.split[rows]
    result: dict[str, Any] = fitted(seen, np.log(share), split == "train", split == "validation")
    print(json.dumps(result), flush=True)
    tried = np.flatnonzero(split == "validation")
    labels = mirabest.labels[rows[tried]]
    shown = {
        "as MiraBest shows them": mirabest.images[rows[tried]],
        "threshold left out": np.stack([with_threshold(seen[row], first.CENTRE, 0.0) for row in tried]),
        "as estimated": np.stack([restored(seen[row], first.CENTRE) for row in tried]),
        "as MiraBest says it": np.stack([with_threshold(seen[row], first.CENTRE, share[row]) for row in tried]),
    }
    result["answers"] = {name: answers(name, shown, labels) for name in asked.teams}
    if asked.out:
        asked.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def fitted(seen: list[np.ndarray], truth: np.ndarray, learn: np.ndarray, tried: np.ndarray) -> dict[str, Any]:
    """Weights by least squares, and how far their estimates lie from the truth."""
    columns = np.array([[1, *traces(excess, first.CENTRE)] for excess in seen])
    weights = np.round(np.linalg.lstsq(columns[learn], truth[learn], rcond=None)[0], 2)
    away = truth - columns @ weights
    result: dict[str, Any] = {"weights": weights.tolist(), "spread_of_truth": truth.std()}
    for name, rows in (("train", learn), ("validation", tried)):
        about = {"sources": int(rows.sum()), "standard_deviation": away[rows].std(), "median": np.median(away[rows])}
        result[name] = {**about, "middle_90_percent": np.percentile(away[rows], (5, 95)).tolist()}
    return result


def answers(name: str, shown: dict[str, np.ndarray], labels: np.ndarray) -> dict[str, dict[str, float]]:
    """Scores of a team on each kind of image, and how far its answers lie from those about MiraBest's."""
    team = load(name, "cpu")
    by_kind = {kind: team.answer(images).p for kind, images in shown.items()}
    reference = by_kind["as MiraBest shows them"]
    scored = {
        kind: {
            "accuracy": float((p.argmax(1) == labels).mean()),
            "nll": float(log_loss(labels, p, labels=[0, 1])),
            "mean_move": float(np.abs(p - reference)[:, 0].mean()),
            "other_class": int((p.argmax(1) != reference.argmax(1)).sum()),
        }
        for kind, p in by_kind.items()
    }
    for kind, each in scored.items():
        print(name, "|", kind, "|", {key: round(value, 3) for key, value in each.items()}, flush=True)
    return scored


if __name__ == "__main__":
    end_with(main)
