"""Compare scores that tell what is no FRI or FRII from validation sources: distance, neighbours, energy, shape, and them together.

Usage: python scripts/compare_unusual.py [--answers FOLDER] NAME...            (from the repository's root)

Made outliers: noise, stripes, rings of side lobes, spirals, pairs of training sources blended; and hybrids of the training split. Each
score flags 3 % of validation sources, each left out of the fit (10 folds). Prints the share of each kind that is flagged, and writes
nothing but answers, into FOLDER/NAME.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import named_teams
import numpy as np
from sklearn.model_selection import KFold
from sklearn.neighbors import NearestNeighbors

from equiradio.datasets.registry import open_data
from equiradio.datasets.sources import Sources
from equiradio.errors import ImageRefusal
from equiradio.evaluation.choosing import FLAGGED, FOLDS, mean_and_precision, squared_distance
from equiradio.inference.team import load
from equiradio.sky.conditions import all_seen, conditions
from equiradio.sky.cutout import to_mirabest
from equiradio.sky.pictures import from_pixels

sys.path.insert(0, "tests/rooms/sky")
from strange_skies import BEAM_SIGMA, FIELD, KINDS, noise

COUNT, NEIGHBOURS = 40, 5
Fit = Callable[[np.ndarray, np.ndarray], Callable[[np.ndarray], np.ndarray]]  # (vectors, labels) -> score of others


def rings(seed: int) -> np.ndarray:
    """Side lobes around a strong source beside the middle."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices((FIELD, FIELD)) - FIELD / 2 - rng.uniform(-15, 15, (2, 1, 1))
    away = np.hypot(rows, columns)
    lobes = np.cos(2 * np.pi * away / rng.uniform(12, 20)) * np.exp(-away / 60)
    return (noise(seed) + 0.004 * lobes + 0.05 * np.exp(-(away**2) / (2 * BEAM_SIGMA**2))).astype(np.float32)


def outliers() -> dict[str, np.ndarray]:
    """uint8 images by kind."""
    made = {}
    for name, make in {**KINDS, "rings": rings}.items():
        images = []
        for seed in range(COUNT):
            try:
                images.append(to_mirabest(make(seed)))
            except ImageRefusal:  # nothing stands out: refused as blank in use, too
                continue
        made[name] = np.array(images)
    training = open_data("mirabest").of_split("train").images
    pairs = np.random.default_rng(0).choice(len(training), (COUNT, 2), replace=False)
    made["blended pairs"] = np.array([np.maximum(training[one], np.roll(training[two], (12, 12), (0, 1))) for one, two in pairs])
    made["hybrids"] = open_data("mirabest-hybrid").of_split("train").images
    return made


def shapes(images: np.ndarray) -> np.ndarray:
    """What is measured of sources in MiraBest form: size, axis ratio, islands, lit share, light in the peak; log where it spans decades."""
    rows = []
    for image in images:
        shape, light = from_pixels("image", image, [5.4]).shape, image[image > 0].astype(float)
        size, ratio, islands = shape.size_arcsec or 1.0, shape.axis_ratio or 0.0, shape.islands or 0
        rows.append([np.log(size), ratio, np.log1p(islands), np.log(len(light)), np.log(light.sum()), np.log(light.min())])
    return np.array(rows)


def mahalanobis(vectors: np.ndarray, labels: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    centre, precision = mean_and_precision(vectors)
    return lambda others: squared_distance(others, centre, precision)


def a_feature(vectors: np.ndarray, labels: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """The same over the number of features, by which depths of different widths compare."""
    return lambda others: mahalanobis(vectors, labels)(others) / vectors.shape[1]


def of_class(vectors: np.ndarray, labels: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Distance to the nearer class, with the precision of what is left within classes (Lee et al. 2018)."""
    centres = np.array([vectors[labels == place].mean(0) for place in np.unique(labels)])
    precision = mean_and_precision(vectors - centres[labels])[1]
    return lambda others: np.min([squared_distance(others, centre, precision) for centre in centres], 0)


def neighbours(vectors: np.ndarray, labels: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Distance to the 5th nearest, each feature in units of its spread (Sun et al. 2022)."""
    middle, spread = vectors.mean(0), vectors.std(0) + 0.01 * np.median(vectors.std(0)) + 1e-9
    tree = NearestNeighbors(n_neighbors=NEIGHBOURS).fit((vectors - middle) / spread)
    return lambda others: tree.kneighbors((others - middle) / spread)[0][:, -1]


def plain(vectors: np.ndarray, labels: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """A number that needs no fit."""
    return lambda others: others.ravel()


def cross_fitted(fit: Fit, vectors: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Scores of validation sources, each left out of the fit."""
    scores = np.zeros(len(vectors))
    for seen, out in KFold(FOLDS, shuffle=True, random_state=0).split(vectors):
        scores[out] = fit(vectors[seen], labels[seen])(vectors[out])
    return scores


def strange_shapes(validation: Sources, vectors: np.ndarray) -> None:
    """Print how many validation sources the score of shape flags when they are seen otherwise: these are what they were."""
    limit = np.percentile(cross_fitted(mahalanobis, vectors, validation.labels), 100 - FLAGGED)
    for condition in conditions(["noise:2,5 field:120 beam:6.48"])[1:]:
        _, cutouts = all_seen(validation.source_ids, validation.images, condition)
        others = shapes(np.array([cutout.image for cutout in cutouts]))
        flagged = mahalanobis(vectors, validation.labels)(others) > limit
        print(f"shape, ordinary sources, {condition}: {100 * flagged.mean():.0f}%", flush=True)


def main(names: list[str], answers: Path) -> None:
    validation, made = open_data("mirabest").of_split("validation"), outliers()
    shape = {"validation": shapes(validation.images)} | {kind: shapes(images) for kind, images in made.items()}
    strange_shapes(validation, shape["validation"])
    print(f"{'':32}" + "".join(f"{kind:>15}" for kind in made), flush=True)
    for name in names:
        team = load(name, "cpu")
        asking = named_teams.asking_of(name, team.members, answers)
        images = {"validation": validation.images} | made
        asked = {kind: asking.ask(stack, kind.replace(" ", "-"), 1) for kind, stack in images.items()}
        members = range(len(team.members))
        vectors = {kind: [one.features[k] for k in members] for kind, one in asked.items()}
        energy = {kind: [-np.logaddexp.reduce(one.logits[k, 0], -1)[:, None] for k in members] for kind, one in asked.items()}
        kinds = {kind: [shape[kind]] for kind in images}
        scores: dict[str, tuple[Fit, dict[str, list[np.ndarray]]]] = {
            "distance (as today)": (mahalanobis, vectors),
            "distance to a class": (of_class, vectors),
            "5th neighbour": (neighbours, vectors),
            "energy": (plain, energy),
            "shape": (mahalanobis, kinds),
        }
        ends = np.cumsum([gate.from_features.in_channels for gate in team.members[0].network.gates])
        depths = lambda stack, ends=ends: np.split(stack, ends[:-1], axis=1)
        deep = {kind: [part for stack in stacks for part in depths(stack)] for kind, stacks in vectors.items()}
        scores["distance, worst depth"] = (a_feature, deep)
        _compare(name, scores, validation.labels, list(made))


def _compare(name: str, scores: dict[str, tuple[Fit, dict[str, list[np.ndarray]]]], labels: np.ndarray, kinds: list[str]) -> None:
    """Print the share flagged of each kind, by each score and by distance and shape together (either is beyond 98.5 %)."""
    ranks: dict[str, dict[str, np.ndarray]] = {}
    for title, (fit, stacks) in scores.items():
        join = np.max if "worst" in title else np.mean
        own = join([cross_fitted(fit, part, labels) for part in stacks["validation"]], axis=0)
        pairs = {kind: zip(stacks["validation"], stacks[kind], strict=True) for kind in kinds}
        found = {kind: join([fit(ref, labels)(part) for ref, part in pairs[kind]], axis=0) for kind in kinds}
        ordered = np.sort(own)
        ranks[title] = {kind: np.searchsorted(ordered, score) / len(ordered) for kind, score in ({"validation": own} | found).items()}
        limit = np.percentile(own, 100 - FLAGGED)
        print(f"{name + ', ' + title:32}" + "".join(f"{100 * (found[kind] > limit).mean():14.0f}%" for kind in kinds), flush=True)
    both = {kind: np.maximum(ranks["distance (as today)"][kind], ranks["shape"][kind]) for kind in ["validation", *kinds]}
    limit = np.percentile(both["validation"], 100 - FLAGGED)
    print(f"{name + ', distance or shape':32}" + "".join(f"{100 * (both[kind] > limit).mean():14.0f}%" for kind in kinds), flush=True)


if __name__ == "__main__":
    given = named_teams.parser(__doc__).parse_args()
    with named_teams.folder_for(given.answers) as folder:
        main(given.names, folder)
