"""What teams are worth on the validation sources of two catalogues' union that are of no MiraBest source, by the catalogue of their label.

python benchmarks/catalogues.py quick quick-wide c4-attention --out results/wide/catalogues.json

They are FIRST's, elsewhere on the sky than any validation, test or training source of MiraBest: those at places of training sources, of
which packaged teams learned, are left out whatever catalogue names them. `quick-wide` was calibrated by them. With --training those of
the training split are asked about too, by teams that learned of MiraBest alone. Intervals over sources (bootstrap).
"""

import argparse
import json
from pathlib import Path

import numpy as np

from equiradio.datasets.registry import open_data
from equiradio.datasets.seen import without_seen
from equiradio.evaluation.resolution import balanced
from equiradio.inference.reading import BATCH
from equiradio.inference.team import load
from equiradio.sky.conditions import Condition, all_seen

DATA, DRAWS = "mirabest+first-fr", 2000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("teams", nargs="+")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--training", action="store_true", help="sources of the training split too; not for teams that learned of them")
    given = parser.parse_args()
    splits = ("train", "validation") if given.training else ("validation",)
    far = without_seen(open_data(DATA), {"mirabest": open_data("mirabest").md5})
    validation = far.choose(np.flatnonzero(np.isin(far.split, splits) & (far.catalogues != "MiraBest")))
    catalogues = validation.catalogues
    kinds = {str(name): catalogues == name for name in sorted(set(catalogues))}
    kinds["outside MiraBest, all"] = np.ones(len(validation), bool)
    result: dict = {"data": DATA, "split": " and ".join(splits), "teams": {}}
    for name in given.teams:
        right, answered = asked(name, validation)
        result["teams"][name] = {kind: scored(validation.labels[rows], right[rows], answered[rows]) for kind, rows in kinds.items()}
        for kind, part in result["teams"][name].items():
            shown = {
                key: value if isinstance(value, int) else [None if each is None else round(100 * each) for each in value]
                for key, value in part.items()
            }
            print(name, "|", kind, "|", shown, flush=True)
    if given.out:
        given.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def asked(name: str, sources) -> tuple[np.ndarray, np.ndarray]:
    """Which sources a team is right about, and which it answers, as a catalogue says."""
    team = load(name, "cpu")
    rows, cutouts = all_seen(sources.source_ids, sources.images, Condition())
    assert len(rows) == len(sources)
    cells = [row for start in range(0, len(cutouts), BATCH) for row in team.ask(cutouts[start : start + BATCH])[0]]
    right = np.array([row["label"] == sources.classes.names[label] for row, label in zip(cells, sources.labels, strict=True)])
    return right, np.array([not row["uncertain"] for row in cells])


def scored(labels: np.ndarray, right: np.ndarray, answered: np.ndarray) -> dict:
    """Numbers of sources, and scores with 95 % intervals: value, low, high."""
    draws = np.random.default_rng(0).integers(0, len(labels), (DRAWS, len(labels)))
    kinds = {
        "right": lambda rows: right[rows].mean(),
        "balanced": lambda rows: balanced(labels[rows], right[rows]),
        "answered": lambda rows: answered[rows].mean(),
        "right_of_answered": lambda rows: right[rows][answered[rows]].mean() if answered[rows].any() else None,
    }
    counts = {"sources": len(labels), "of_second_class": int((labels == 1).sum())}
    return counts | {name: with_interval(how, draws) for name, how in kinds.items()}


def with_interval(how, draws: np.ndarray) -> list[float | None]:
    value = how(np.arange(draws.shape[1]))
    drawn = [each for each in map(how, draws) if each is not None]
    return [None if value is None else float(value), *(np.percentile(drawn, (2.5, 97.5)).tolist() if drawn else [None, None])]


if __name__ == "__main__":
    main()
