"""Table 1 from finished runs: rows, paired comparisons, and what so many sources could show at all."""

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from equiradio.evaluation import bootstrap
from equiradio.evaluation.compare import holm, mcnemar_exact, paired_bootstrap, right, smallest_difference, smallest_unpaired
from equiradio.evaluation.scores import CONFIDENCES
from equiradio.evaluation.seeds import RESAMPLES, SEED, over_seeds
from equiradio.paper.published import BASES, HOURS, MODELS, paper_row
from equiradio.paper.results import Result, Results

PRINTED = ("accuracy", "auc", "f1", "precision", "recall")
CONVERGED = 1.05  # a loss within this factor of the lowest counts as the lowest


def table1(results: Results, size_only: dict[str, Any] | None) -> dict[str, Any]:
    """Everything that table1.json holds: see docs/reference/files.md."""
    names = [*MODELS, *sorted({result.model for result in results.runs} - set(MODELS))]
    compared = comparisons(results, names)
    shares = [pair["discordant"] for pair in compared]
    sources = len(results.runs[0].predictions.labels)
    return {
        "data": results.data,
        "split": "test",
        "preset": results.preset,
        "sources": sources,
        "rows": [row(results, model) for model in names],
        "comparisons": compared,
        "smallest_difference": {
            "paired": smallest_difference(sources, float(np.median(shares))) if shares and max(shares) > 0 else None,
            "unpaired": smallest_unpaired(sources, 0.85),
        },
        "size_only": size_only,
        "bootstrap": {"resamples": RESAMPLES, "seed": SEED},
    }


def row(results: Results, model: str) -> dict[str, Any]:
    """One model: paper and ours; without a run every block of ours is None."""
    runs = results.of(model)
    head: dict[str, Any] = {
        "model": model,
        "seeds": len(runs),
        "seed_numbers": [result.card.seed for result in runs],
        "epochs": _common([result.card.epochs for result in runs]),
        "hours": float(np.mean([result.card.seconds for result in runs]) / 3600) if runs else None,
        "hours_paper": HOURS.get(model),
        "device": ", ".join(sorted({f"{result.card.device}, {result.card.precision}" for result in runs})) or None,
        "undertrained": undertrained(results, runs),
        "paper": paper_row(model) if model in MODELS else None,
    }
    files = {"runs": [result.run.folder.relative_to(results.folder).as_posix() for result in runs]}
    return head | (_scores(runs) if runs else dict.fromkeys(("pooled", "per_source", "plain", *CONFIDENCES))) | files


def _scores(runs: list[Result]) -> dict[str, Any]:
    answers = [result.predictions for result in runs]
    labels, confidence = answers[0].labels, answers[0].confidence
    passes = min(part.views.shape[1] for part in answers)
    views = np.stack([part.views[:, :passes] for part in answers])
    mean = np.stack([part.views.mean(axis=1, keepdims=True) for part in answers])
    plain = np.stack([part.p_frii[:, part.passes == 0] for part in answers]) if all((part.passes == 0).any() for part in answers) else None
    parts: dict[str, Any] = {}
    for name in CONFIDENCES:
        rows = confidence == name
        parts[name] = {"sources": int(rows.sum())} | _of_paper(over_seeds(labels[rows], mean[:, rows])) if rows.any() else None
    return {
        "pooled": _of_paper(over_seeds(labels, views)) | {"passes": passes},
        "per_source": _of_paper(over_seeds(labels, mean)),
        "plain": _of_paper(over_seeds(labels, plain)) if plain is not None else None,
        **parts,
    }


def _of_paper(block: dict[str, Any]) -> dict[str, Any]:
    """The scores that the paper's table has, of a block and of its ``sd`` and ``interval95``."""
    printed = {score: block[score] for score in PRINTED}
    return printed | {key: _of_paper(block[key]) for key in ("sd", "interval95") if key in block}


def comparisons(results: Results, names: list[str]) -> list[dict[str, Any]]:
    """Every run model against the models without a group, per source; Holm over all the pairs, for each of the two tests."""
    here = [name for name in names if results.of(name)]
    pairs = [(late, early) for early, late in combinations(here, 2) if early in BASES]
    rows: list[dict[str, Any]] = []
    for first, second in pairs:
        labels = results.of(first)[0].predictions.labels
        p_frii = [np.stack([result.predictions.views.mean(axis=1) for result in results.of(model)]) for model in (first, second)]
        correct = [right(labels, p) for p in p_frii]
        together = [right(labels, p.mean(axis=0)) for p in p_frii]
        counts = bootstrap.draw(len(labels), RESAMPLES, SEED)
        rows.append(
            {
                "first": first,
                "second": second,
                "seed_mean_accuracy": [float(share.mean()) for share in together],
                "discordant": float((together[0] != together[1]).mean()),
                "mcnemar": mcnemar_exact(*together),
                "bootstrap": paired_bootstrap(correct[0].mean(axis=0) - correct[1].mean(axis=0), counts),
            }
        )
    for test in ("mcnemar", "bootstrap"):
        for pair, corrected in zip(rows, holm([pair[test]["p"] for pair in rows]), strict=True):
            pair[test]["p_holm"] = corrected
    return rows


def undertrained(results: Results, runs: list[Result]) -> str:
    """Why a row is undertrained, in a few words; empty where nothing says so."""
    short = [result for result in runs if not result.complete]
    if short:
        return f"{len(short)} of {len(runs)} runs stopped before their last epoch"
    for path in sorted((results.folder / "exploration").glob("*.json")):
        longer = _longer(json.loads(path.read_text(encoding="utf-8")), runs)
        if longer:
            return f"{longer} ({path.relative_to(results.folder).as_posix()})"
    return ""


def _longer(exploration: dict[str, Any], runs: list[Result]) -> str:
    """Do longer trainings of the same settings end with a validation loss lower by more than `CONVERGED`?"""
    if not runs:
        return ""
    losses: dict[int, list[float]] = {}
    for run in exploration.get("runs", []):
        if run["model"] == runs[0].model and not run["changes"]:
            losses.setdefault(run["epochs"], []).append(run["best_validation_loss"])
    ours = runs[0].card.epochs
    for epochs in sorted(losses, reverse=True):
        if epochs > ours in losses and np.mean(losses[ours]) > CONVERGED * np.mean(losses[epochs]):
            return f"{epochs} epochs lower its validation loss from {np.mean(losses[ours]):.2f} to {np.mean(losses[epochs]):.2f}"
    return ""


def _common(values: list[int]) -> int | list[int] | None:
    return values[0] if len(set(values)) == 1 else values or None


def stored_size_only(folder: Path) -> dict[str, Any] | None:
    """The size-only baseline kept with results, for places without the catalogue."""
    path = folder / "size_only.json"
    return json.loads(path.read_text(encoding="utf-8"))["size_only"] if path.is_file() else None
