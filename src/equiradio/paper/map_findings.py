"""Measured on stored maps: asymmetry of the class difference, overlap with the source, and the sources that a rule picks for Figure 2."""

from pathlib import Path

import numpy as np

from equiradio.datasets.sources import Sources
from equiradio.evaluation import bootstrap
from equiradio.evaluation.asymmetry import asymmetry
from equiradio.evaluation.compare import right
from equiradio.evaluation.overlap import centred_gaussian, overlap, with_interval
from equiradio.evaluation.seeds import RESAMPLES, SEED
from equiradio.labels import FANAROFF_RILEY
from equiradio.paper.contents import AsymmetryRow, ConvergenceRow, OverlapRow, Pick
from equiradio.paper.published import PLAIN
from equiradio.paper.results import Results, read_maps

RULES = ("right by all", "split", "wrong by all")


def asymmetries(results: Results) -> list[AsymmetryRow]:
    """One row per run with maps over rotations, trained or not: file, model, seed (None: untrained), and `asymmetry`."""
    rows = []
    for result in results.runs:
        if result.maps is not None and "rotation_maps" in result.maps:
            rows.append(_asymmetry(results, result.run.maps_file, result.maps, result.model, result.card.seed))
    for model, path in results.untrained.items():
        rows.append(_asymmetry(results, path, read_maps(path), model, None))
    return sorted(rows, key=lambda row: (row["model"], row["seed"] is None, row["seed"] or 0))


def _asymmetry(results: Results, path: Path, maps: dict[str, np.ndarray], model: str, seed: int | None) -> AsymmetryRow:
    scored = maps["label"] >= 0
    measured = asymmetry(maps["rotation_maps"][scored] / 255, maps["label"][scored])
    return {"file": path.relative_to(results.folder).as_posix(), "model": model, "seed": seed, **measured}


def overlaps(results: Results, sources: Sources | None) -> list[OverlapRow]:
    """Overlap of maps with their sources: models (mean over seeds), untrained networks, a centred Gaussian, chance; none without images.

    Hybrids are left out, as in every other number of the report.
    """
    if sources is None:
        return []
    sources = sources.choose(sources.labels >= 0)
    counts = bootstrap.draw(len(sources), RESAMPLES, SEED)
    rows: list[OverlapRow] = []
    for model in sorted({result.model for result in results.runs}):
        with_maps = [result for result in results.of(model) if result.maps is not None]
        if with_maps:
            shares = np.mean([_overlap(result.maps, sources) for result in with_maps], axis=0)
            files = [result.run.maps_file.relative_to(results.folder).as_posix() for result in with_maps]
            rows.append({"map": model, "kind": "trained", "files": files, **with_interval(shares, counts)})
    for model, path in results.untrained.items():
        shares = _overlap(read_maps(path), sources)
        file = path.relative_to(results.folder).as_posix()
        rows.append({"map": model, "kind": "untrained", "files": [file], **with_interval(shares, counts)})
    side = sources.images.shape[-1]
    hill = np.broadcast_to(centred_gaussian(side), sources.images.shape)
    lit = (sources.images > 0).mean(axis=(1, 2))
    controls = {"centred Gaussian": overlap(hill, sources.images), "the image itself": overlap(sources.images, sources.images)}
    controls["a map that knows nothing"] = np.where(lit > 0, lit, np.nan)
    for name, shares in controls.items():
        rows.append({"map": name, "kind": "control", "files": [], **with_interval(shares, counts)})
    return rows


def _overlap(maps: dict[str, np.ndarray] | None, sources: Sources) -> np.ndarray:
    assert maps is not None
    place = {name: row for row, name in enumerate(maps["source_id"].tolist())}
    return overlap(maps["maps"][[place[name] for name in sources.source_ids.tolist()]], sources.images)


def figure2_sources(results: Results, models: list[str]) -> list[Pick]:
    """For each rule and class the first source by name that fits; ``source_id`` None where there is none, ``fitting`` says how many.

    Right and wrong are those of the seed-mean probability over the augmented passes.
    """
    first_run = results.of(models[0])[0].predictions
    correct = np.stack([right(first_run.labels, np.mean([r.per_source for r in results.of(model)], axis=0)) for model in models])
    number = correct.sum(axis=0)
    fits = {RULES[0]: number == len(models), RULES[1]: (number > 0) & (number < len(models)), RULES[2]: number == 0}
    rows: list[Pick] = []
    for rule in RULES:
        for label, name in enumerate(FANAROFF_RILEY.names):
            candidates = np.flatnonzero(fits[rule] & (first_run.labels == label))
            first = int(candidates[0]) if len(candidates) else None  # sources are in the order of their names
            rows.append(
                {
                    "rule": rule,
                    "class": name,
                    "fitting": len(candidates),
                    "source_id": None if first is None else str(first_run.source_ids[first]),
                    "right": {} if first is None else {model: bool(correct[k, first]) for k, model in enumerate(models)},
                }
            )
    return rows


def images_to_converge(results: Results, factor: float) -> list[ConvergenceRow]:
    """Of each run at a constant learning rate: training images seen until the validation loss was within ``factor`` of its lowest.

    A longer run finds a lower loss later, so all are judged by as many images as the shortest saw (``horizon``). ``images_to_match``: until
    the loss was as low as every run of `attention` came (``to_match``); None where it never was, or without `attention`.
    """
    constant = [result for result in [*results.runs, *results.variants] if result.settings.training.schedule == "constant"]
    constant = [result for result in constant if result.run.history_file.is_file() and result.card.epochs]
    horizon = min((result.card.images_seen for result in constant), default=0)
    rows: list[tuple[ConvergenceRow, np.ndarray, float]] = []
    for result in constant:
        per_epoch = result.card.images_seen / result.card.epochs
        losses = np.array([epoch["validation_loss"] for epoch in result.run.history()])[: max(1, round(horizon / per_epoch))]
        epochs = _first(losses <= factor * losses.min())
        row: ConvergenceRow = {
            "model": result.model,
            "seed": result.card.seed,
            "learning_rate": result.settings.training.learning_rate,
            "epochs": len(losses),
            "lowest": float(losses.min()),
            "lowest_epoch": int(losses.argmin()) + 1,
            "epochs_to": epochs,
            "images": round((epochs or 0) * per_epoch),
            "horizon": horizon,
            "file": result.run.history_file.relative_to(results.folder).as_posix(),
            "to_match": None,
            "images_to_match": None,
        }
        rows.append((row, losses, per_epoch))
    plain = [row["lowest"] for row, _, _ in rows if row["model"] == PLAIN]
    target = max(plain, default=None)
    for row, losses, per_epoch in rows:
        matched = None if target is None else _first(losses <= target)
        row["to_match"], row["images_to_match"] = target, None if matched is None else round(matched * per_epoch)
    return sorted((row for row, _, _ in rows), key=lambda row: (row["model"], row["seed"]))


def _first(there: np.ndarray) -> int | None:
    """Which is the first that is true, counted from 1."""
    return int(there.argmax()) + 1 if there.any() else None
