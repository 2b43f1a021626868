"""Make labels wrong on purpose, and say how many of them `equiradio data labels` lists.

Usage: python scripts/plant_labels.py plant mirabest wrong --share 0.05
       (train and evaluate on wrong@1of5 ... wrong@5of5, as docs/how-to/your-own-classes.md has it)
       equiradio data labels runs/lenet-wrong@*of5-fast-seed0 --out labels.csv
       python scripts/plant_labels.py score mirabest labels.csv

Labels of the test split stay as they are.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.csv
from sklearn.metrics import average_precision_score, roc_auc_score

from equiradio.datasets.folder import write_folder
from equiradio.datasets.registry import open_data


def plant(data: str, out: Path, share: float, seed: int) -> str:
    """Write the data set with this share of its training and validation labels changed to another class, drawn evenly."""
    sources, rng = open_data(data), np.random.default_rng(seed)
    rows = np.flatnonzero((sources.split != "test") & (sources.labels >= 0))
    wrong = rng.choice(rows, round(share * len(rows)), replace=False)
    labels = sources.labels.copy()
    labels[wrong] = (labels[wrong] + rng.integers(1, len(sources.classes), len(wrong))) % len(sources.classes)
    write_folder(replace(sources, labels=labels, name=out.name, masks=None, soft=None), out)
    return f"{out}: {len(wrong)} of {len(rows)} labels are wrong"


def score(data: str, table: Path) -> str:
    """How the planted labels stand in the list: those in question, and their ranks by the probability of the label."""
    sources, rows = open_data(data), pyarrow.csv.read_csv(table)
    right = {name: sources.classes.names[label] for name, label in zip(sources.source_ids.tolist(), sources.labels.tolist(), strict=True)}
    names, labels, other = (np.array(rows[name].to_pylist(), object) for name in ("source_id", "label", "other"))
    wrong = np.array([right[name] != label for name, label in zip(names, labels, strict=True)])
    listed = np.array([bool(each) for each in other])
    columns = dict(zip(sources.classes.names, sources.classes.columns(), strict=True))
    p = {name: np.array(rows[column].to_pylist(), float) for name, column in columns.items()}
    doubt = 1 - np.array([p[label][row] for row, label in enumerate(labels)])
    sure = dict(zip(sources.source_ids.tolist(), sources.confidence.tolist(), strict=True))
    lines = []
    for what in ("all", "confident", "uncertain"):
        part = np.array([what in ("all", sure[name]) for name in names])
        planted, inside, order = wrong[part], listed[part], doubt[part]
        hits, others = int((planted & inside).sum()), int((~planted & inside).sum())
        ranks = f"AUC {roc_auc_score(planted, order):.3f}, average precision {average_precision_score(planted, order):.3f}"
        lines.append(
            f"{what}: {hits} of {int(planted.sum())} wrong labels are in question, {others} of {int((~planted).sum())} others; {ranks}"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("plant", "score"))
    parser.add_argument("data")
    parser.add_argument("path", type=Path, help="a new folder, or the table")
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    print(plant(asked.data, asked.path, asked.share, asked.seed) if asked.what == "plant" else score(asked.data, asked.path))


if __name__ == "__main__":
    main()
