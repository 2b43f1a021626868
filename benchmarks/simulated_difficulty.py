"""How hard is `simulated`? Accuracy from brightness, size and lit area (should be poor) and from morphology (should be good), as JSON.

Run: python benchmarks/simulated_difficulty.py [--train 4000] [--test 2000] [--seed 1]
"""

import argparse
import json
import time

import numpy as np
from scipy.ndimage import gaussian_filter, label, maximum_filter

from equiradio.datasets.simulated import VERSION_HASH, Simulation, extent, simulate

FAINTEST = 0.05  # share of the brightest island; fainter islands are mostly noise and unrelated sources


def islands(image: np.ndarray) -> np.ndarray:
    """The lit pixels (bool) of an image that belong to the source: islands with at least FAINTEST of the brightest island's sum."""
    numbered, _ = label(image > 0, np.ones((3, 3)))
    sums = np.bincount(numbered.ravel(), image.ravel())
    return (sums >= FAINTEST * sums.max())[numbered] & (image > 0)


def peak_ratio(image: np.ndarray, lit: np.ndarray) -> float:
    """Distance between the two brightest peaks of an image over the extent of the source; 0 where there is one peak."""
    smooth = gaussian_filter(np.where(lit, image, 0).astype(float), 0.7)
    rows, columns = np.nonzero((smooth == maximum_filter(smooth, 3)) & (smooth > 0.15 * smooth.max()))
    if len(rows) < 2:
        return 0.0
    first, second = np.argsort(smooth[rows, columns])[-2:]
    return float(np.hypot(rows[first] - rows[second], columns[first] - columns[second])) / extent(lit)


def features(simulation: Simulation) -> dict[str, np.ndarray]:
    """What could give a class away without looking at its shape, each (count, 1) on a log scale, and the ratio of Fanaroff & Riley."""
    images = simulation.images
    lit = np.stack([islands(image) for image in images])
    logs = {
        "integrated_brightness": images.sum((1, 2), dtype=np.int64),
        "size": np.array([extent(one) for one in lit]),
        "lit_pixels": (images > 0).sum((1, 2)),
        "true_size": simulation.size_arcsec + 1,
    }
    ratio = np.array([peak_ratio(image, one) for image, one in zip(images, lit, strict=True)])
    return {name: np.log(value)[:, None] for name, value in logs.items()} | {"peak_distance_over_extent": ratio[:, None]}


def best_of_three(train: np.ndarray, train_labels: np.ndarray, test: np.ndarray, test_labels: np.ndarray) -> float:
    """Test accuracy of the best of a decision tree, a logistic regression and nearest neighbours."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.tree import DecisionTreeClassifier

    models = (DecisionTreeClassifier(max_depth=5, min_samples_leaf=10, random_state=0), LogisticRegression(), KNeighborsClassifier(31))
    return max(float(model.fit(train, train_labels).score(test, test_labels)) for model in models)


def difficulty(train: Simulation, test: Simulation) -> dict[str, float]:
    """Test accuracy of each feature alone and of a small network on brightness, size and lit pixels together."""
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    known, unknown = features(train), features(test)
    scores = {name: best_of_three(known[name], train.labels, unknown[name], test.labels) for name in known}
    three = ("integrated_brightness", "size", "lit_pixels")
    network = make_pipeline(StandardScaler(), MLPClassifier((16, 16), early_stopping=True, max_iter=400, random_state=0))
    network.fit(np.hstack([known[name] for name in three]), train.labels)
    return scores | {"network_on_the_three": float(network.score(np.hstack([unknown[name] for name in three]), test.labels))}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("train", 4000), ("test", 2000), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    chosen = parser.parse_args()
    start = time.perf_counter()
    train, test = simulate(chosen.train, chosen.seed), simulate(chosen.test, chosen.seed + 1)
    seconds = time.perf_counter() - start
    figures = {"version_hash": VERSION_HASH, **vars(chosen), "seconds_per_1000": 1000 * seconds / (chosen.train + chosen.test)}
    print(json.dumps(figures | {"accuracy": difficulty(train, test)}, indent=1))


if __name__ == "__main__":
    main()
