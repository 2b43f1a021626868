"""Is one model better than another on the same sources? Paired difference of mean accuracies over seeds, bootstrap over sources.

Usage: python scripts/compare_seeds.py c4-attention attention lenet            (from the repository's root; the first against each other)
"""

import sys
from pathlib import Path

import numpy as np

from equiradio.artefacts.tables import read_predictions

DRAWS = 10_000


def correct(model: str) -> np.ndarray:
    """Of every source, the share of seeds whose mean probability over the augmented passes is right, in order of the sources' names."""
    seeds = []
    for folder in sorted(Path("results/runs").glob(f"{model}-mirabest-fast-seed*")):
        table = read_predictions(folder / "predictions" / "mirabest-test.parquet").to_pydict()
        passes, names = np.array(table["pass"]), np.array(table["source_id"])
        sources, rows = np.unique(names[passes > 0], return_inverse=True)
        p_frii = np.bincount(rows, np.array(table["p_frii"])[passes > 0]) / np.bincount(rows)
        labels = dict(zip(names.tolist(), table["label"], strict=True))
        seeds.append((p_frii > 0.5) == np.array([labels[name] for name in sources.tolist()]))
    return np.mean(seeds, 0)


def main(first: str, *others: str) -> None:
    """Print the difference to each other model."""
    ours = correct(first)
    drawn = np.random.default_rng(0).integers(0, len(ours), (DRAWS, len(ours)))
    for other in others:
        difference = ours - correct(other)
        low, high = np.percentile(difference[drawn].mean(1), [2.5, 97.5])
        print(f"{first} - {other}: {100 * difference.mean():+.1f} points [{100 * low:+.1f}, {100 * high:+.1f}]")


if __name__ == "__main__":
    main(*sys.argv[1:])
