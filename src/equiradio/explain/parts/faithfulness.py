"""The part of an explanation that asks whether maps mark what matters: curves, islands, truth, randomisation; always against controls."""

from typing import Any

import numpy as np

from equiradio.datasets.simulated_shapes import Part as Structure
from equiradio.explain.case import Case
from equiradio.explain.controls import randomised
from equiradio.explain.equivariance import inscribed
from equiradio.explain.faithfulness import curves, paired_lift, similarity, sky_values
from equiradio.explain.islands import energy_inside, points_at, precision_of, rank_of, source_islands

KINDS = ("attention", "departure", "image", "gaussian", "untrained", "grad_cam", "gradients")
CONTROLS = KINDS[2:]
HIGHER_IS_BETTER = {
    "deletion": False,
    "insertion": True,
    "pointing": True,
    "energy": True,
    "precision": True,
    "hot_spot_rank": True,
    "core_rank": True,
}
Part = tuple[dict[str, Any], dict[str, np.ndarray]]


def planes_of(case: Case, found: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """One map of each kind for every source of the sample (nan where a kind was made for a part of it)."""
    images = case.sources.images.astype(np.float32)
    gradients = np.full(images.shape, np.nan, np.float32)
    gradients[found["deep"]] = found["gradients"]
    attention = found["maps"][:, -1].astype(np.float32)
    return {
        "attention": attention,
        "departure": departure(attention, images > 0),
        "image": images,
        "gaussian": np.broadcast_to(found["gaussian"], images.shape),
        "untrained": found["untrained"].astype(np.float32),
        "grad_cam": found["grad_cam"],
        "gradients": gradients,
    }


def faithfulness(case: Case, found: dict[str, np.ndarray]) -> Part:
    """Every measure of every kind of map: (kinds, sources) each, and lifts of attention over the controls."""
    planes = planes_of(case, found)
    islands = np.stack([source_islands(image) for image in case.sources.images])
    deletion, insertion = _curves(case, planes, found, islands)
    measured: dict[str, np.ndarray] = {"deletion": deletion.mean(-1), "insertion": insertion.mean(-1)}
    measured |= _on_source(planes, islands)
    truth = _truth(case, planes) if case.truth is not None else {}
    measured |= truth
    cascade, stages = _cascade(case)
    summary: dict[str, Any] = {
        "means": {name: dict(zip(KINDS, _means(values), strict=True)) for name, values in measured.items()},
        "lifts": {name: _lifts(name, values) for name, values in measured.items()},
        "departure_lifts": {name: _lifts(name, values, "departure") for name, values in measured.items()},
        "island_area": islands.mean(),
        "background_lit": np.mean([(image[~mask] > 0).mean() for image, mask in zip(case.sources.images, islands, strict=True)]),
        "randomisation": dict(zip(stages, cascade.mean(1), strict=True)),
        "wins": {},
    }
    summary["wins"] = {name: winners(lifts) for name, lifts in summary["lifts"].items()}
    arrays = {
        "deletion_curves": deletion,
        "insertion_curves": insertion,
        "cascade": cascade,
        "stages": np.array(stages),
        "islands": islands,
    }
    return summary, arrays | {f"measure_{name}": values for name, values in measured.items()}


def winners(lifts: dict[str, dict[str, float | None]]) -> list[str]:
    """Controls that do better than attention by more than chance: the interval of the lift lies below 0."""
    return [kind for kind, lift in lifts.items() if lift["high"] is not None and lift["high"] < 0]


def _means(values: np.ndarray) -> list[float | None]:
    return [float(np.nanmean(row)) if np.isfinite(row).any() else None for row in values]


def departure(attention: np.ndarray, lit: np.ndarray) -> np.ndarray:
    """|attention - its median on dark pixels|, map by map (count, side, side): high where a map differs from empty sky, up or down.

    The range of a gate is free to run either way: a network may mark a source by attending to it less than to the sky.
    """
    level = np.array([np.median(plane[~mask]) if not mask.all() else 0.0 for plane, mask in zip(attention, lit, strict=True)])
    return np.abs(attention - level[:, None, None]).astype(np.float32)


def _lifts(name: str, values: np.ndarray, kind: str = "attention") -> dict[str, dict[str, float | None]]:
    hand = 1 if HIGHER_IS_BETTER[name] else -1
    return {control: paired_lift(hand * values[KINDS.index(kind)], hand * values[KINDS.index(control)]) for control in CONTROLS}


def _curves(case: Case, planes: dict[str, np.ndarray], found: dict[str, np.ndarray], islands: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(kinds, deep sources, fractions): probability of the class given, over that of the whole image."""
    deleted, inserted = [], []
    rows = found["deep"]
    for done, row in enumerate(rows, 1):
        image, said = case.sources.images[row], found["p_frii"][row] >= 0.5
        sky = sky_values(image, islands[row], np.random.default_rng([0, int(row)]))

        def probability(images: np.ndarray, said: bool = bool(said)) -> np.ndarray:
            p_frii = case.look(case.classifier, images)[1]
            return p_frii if said else 1 - p_frii

        pairs = [curves(probability, image, planes[kind][row], sky, int(row), case.plan.fractions) for kind in KINDS]
        deleted.append([pair[0] for pair in pairs])
        inserted.append([pair[1] for pair in pairs])
        case.progress("deletion and insertion", done, len(rows))
    return np.stack(deleted, 1), np.stack(inserted, 1)


def _on_source(planes: dict[str, np.ndarray], islands: np.ndarray) -> dict[str, np.ndarray]:
    return {
        "pointing": _each(points_at, planes, islands),
        "energy": _each(energy_inside, planes, islands),
    }


def _truth(case: Case, planes: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    assert case.truth is not None
    structures, lit = case.truth > 0, case.sources.images > 0
    hot, core = (case.truth & bit > 0 for bit in (Structure.HOT_SPOT, Structure.CORE))
    rank = lambda mask: np.stack(
        [
            [
                rank_of(plane, some, near) if np.isfinite(plane).all() else np.nan
                for plane, some, near in zip(planes[kind], mask, lit, strict=True)
            ]
            for kind in KINDS
        ]
    )
    return {"precision": _each(precision_of, planes, structures), "hot_spot_rank": rank(hot), "core_rank": rank(core)}


def _each(measure, planes: dict[str, np.ndarray], masks: np.ndarray) -> np.ndarray:
    """(kinds, sources) of a measure of a map and a mask; nan where there is no map or no mask."""
    pair = lambda plane, mask: measure(plane, mask) if np.isfinite(plane).all() and mask.any() else np.nan
    return np.array([[pair(plane, mask) for plane, mask in zip(planes[kind], masks, strict=True)] for kind in KINDS], dtype=float)


def _cascade(case: Case) -> tuple[np.ndarray, list[str]]:
    """Rank correlation of each source's map with that of the randomised network: (stages, deep sources)."""
    rows, where = case.deep, inscribed(case.sources.images.shape[-1])
    whole = case.look(case.classifier, case.sources.images[rows])[0][:, -1]
    stages, found = [], []
    for name, classifier in randomised(case.classifier):
        there = case.look(classifier, case.sources.images[rows], "randomised networks")[0][:, -1]
        stages.append(name)
        found.append([similarity(one, other, where) for one, other in zip(whole, there, strict=True)])
    return np.array(found), stages
