"""Table 1 from finished runs: rows, paired comparisons, and what so many sources could show at all."""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import TypedDict, cast

import numpy as np

from equiradio.artefacts.json_files import read_json
from equiradio.errors import RunRefusal
from equiradio.evaluation import bootstrap
from equiradio.evaluation.baseline import SizeOnly
from equiradio.evaluation.compare import (
    ALPHA,
    McNemar,
    PairedBootstrap,
    holm,
    mcnemar_exact,
    paired_bootstrap,
    right,
    smallest_difference,
    smallest_unpaired,
)
from equiradio.evaluation.random_effects import RandomEffects, random_effects
from equiradio.evaluation.seeds import RESAMPLES, SEED, over_seeds
from equiradio.paper.contents import Block, Blocks, Comparison, Row, Smallest, Table1
from equiradio.paper.disputed import disputed
from equiradio.paper.ensembles import ensemble, single_networks
from equiradio.paper.published import BASES, HOURS, MODELS, paper_row
from equiradio.paper.results import Result, Results

PRINTED = ("accuracy", "auc", "f1", "precision", "recall")
AGAIN = "Take it away to go without, or fetch it anew."
CONVERGED = 1.05  # a loss within this factor of the lowest counts as the lowest


class Explored(TypedDict):
    """A training of an exploration, and what it changes of the preset."""

    model: str
    changes: dict[str, str | float]
    epochs: int
    best_validation_loss: float


class Exploration(TypedDict):
    """A file of results/exploration, as far as it is read here."""

    runs: list[Explored]


class StoredSizeOnly(TypedDict):
    """What size_only.json holds."""

    size_only: SizeOnly


def table1(results: Results, size_only: SizeOnly | None) -> Table1:
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
        "smallest_difference": _smallest(sources, shares),
        "size_only": size_only,
        "disputed": disputed(results),
        "bootstrap": {"resamples": RESAMPLES, "seed": SEED},
    }


def _smallest(sources: int, shares: list[float]) -> Smallest:
    """What tests of this many sources could show, if models differ on the median of these shares of them."""
    share = float(np.median(shares)) if shares and max(shares) > 0 else None
    return {
        "paired": smallest_difference(sources, share) if share is not None else None,
        "corrected": smallest_difference(sources, share, alpha=ALPHA / len(shares)) if share is not None else None,
        "unpaired": smallest_unpaired(sources, 0.85),
    }


def row(results: Results, model: str) -> Row:
    """One model: paper and ours; without a run every block of ours is None."""
    runs = results.of(model)
    return {
        "model": model,
        "seeds": len(runs),
        "seed_numbers": [result.card.seed for result in runs],
        "epochs": _common([result.card.epochs for result in runs]),
        "hours": _hours(runs) or None,
        "hours_paper": HOURS.get(model),
        "device": "; ".join(_hours(runs)) or None,
        "undertrained": undertrained(results, runs),
        "paper": paper_row(model) if model in MODELS else None,
        **(_scores(runs) if runs else NO_SCORES),
        "single_networks": single_networks(runs),
        "ensemble": ensemble(runs),
        "runs": [result.run.folder.relative_to(results.folder).as_posix() for result in runs],
    }


def _hours(runs: list[Result]) -> dict[str, float]:
    """Mean hours of a run by device and precision, in the order of their names."""
    places = sorted({result.card.trained_on for result in runs})
    return {name: float(np.mean([each.card.seconds for each in runs if each.card.trained_on == name]) / 3600) for name in places}


NO_SCORES: Blocks = {"pooled": None, "per_source": None, "plain": None, "confident": None, "uncertain": None}


def _scores(runs: list[Result]) -> Blocks:
    answers = [result.predictions for result in runs]
    labels, confidence = answers[0].labels, answers[0].confidence
    passes = min(part.views.shape[1] for part in answers)
    views = np.stack([part.views[:, :passes] for part in answers])
    mean = np.stack([part.views.mean(axis=1, keepdims=True) for part in answers])
    plain = np.stack([part.p_frii[:, part.passes == 0] for part in answers]) if all((part.passes == 0).any() for part in answers) else None
    return {
        "pooled": {**_block(labels, views), "passes": passes},
        "per_source": _block(labels, mean),
        "plain": _block(labels, plain) if plain is not None else None,
        "confident": _part(labels, mean, confidence == "confident"),
        "uncertain": _part(labels, mean, confidence == "uncertain"),
    }


def _part(labels: np.ndarray, p: np.ndarray, rows: np.ndarray) -> Block | None:
    return cast(Block, {"sources": int(rows.sum()), **_block(labels[rows], p[:, rows])}) if rows.any() else None


def _block(labels: np.ndarray, p: np.ndarray) -> Block:
    """The scores that the paper's table has, and their ``sd`` and ``interval95``."""
    every = over_seeds(labels, p)
    printed = lambda block: {score: block[score] for score in PRINTED}
    return cast(Block, {**printed(every), "sd": printed(every["sd"]), "interval95": printed(every["interval95"])})


def comparisons(results: Results, names: list[str]) -> list[Comparison]:
    """Every run model against the models without a group, per source; Holm over all the pairs, for each of the three tests.

    McNemar's test is of the ensembles, whose probabilities are means over seeds; the bootstrap over sources and the mixed model over seeds
    and sources are of the mean accuracy of single networks. All take as many seeds of either model as the one with fewer has, the lowest
    first: a larger ensemble would answer better by its size.
    """
    here = [name for name in names if results.of(name)]
    pairs = [(late, early) for early, late in combinations(here, 2) if early in BASES]
    rows: list[Comparison] = []
    for first, second in pairs:
        labels = results.of(first)[0].predictions.labels
        seeds = min(len(results.of(model)) for model in (first, second))
        p_frii = [np.stack([result.per_source for result in results.of(model)[:seeds]]) for model in (first, second)]
        correct = [right(labels, p) for p in p_frii]
        together = [right(labels, p.mean(axis=0)) for p in p_frii]
        counts = bootstrap.draw(len(labels), RESAMPLES, SEED)
        rows.append(
            {
                "first": first,
                "second": second,
                "seeds": seeds,
                "ensemble_accuracy": [float(share.mean()) for share in together],
                "discordant": float((together[0] != together[1]).mean()),
                "mcnemar": mcnemar_exact(*together),
                "bootstrap": paired_bootstrap(correct[0].mean(axis=0) - correct[1].mean(axis=0), counts),
                "mixed": random_effects(*correct),
            }
        )
    _corrected([pair["mcnemar"] for pair in rows])
    _corrected([pair["bootstrap"] for pair in rows])
    _corrected([pair["mixed"] for pair in rows if pair["mixed"] is not None])
    return rows


def _corrected(tests: Sequence[McNemar | PairedBootstrap | RandomEffects]) -> None:
    """Give every test that has a p its ``p_holm``; None to others."""
    there = [(test, p) for test in tests if (p := test["p"]) is not None]
    for test in tests:
        cast(PairedBootstrap, test)["p_holm"] = None  # of which alone there can be none; the others get theirs below
    for (test, _), p in zip(there, holm([p for _, p in there]), strict=True):
        test["p_holm"] = p


def undertrained(results: Results, runs: list[Result]) -> str:
    """Why a row is undertrained, in a few words; empty where nothing says so."""
    short = [result for result in runs if not result.complete]
    if short:
        return f"{len(short)} of {len(runs)} runs stopped before their last epoch"
    for path in sorted((results.folder / "exploration").glob("*.json")):
        longer = _longer(read_json(path, Exploration, RunRefusal, "trainings of an exploration", AGAIN), runs)
        if longer:
            return f"{longer} ({path.relative_to(results.folder).as_posix()})"
    return ""


def _longer(exploration: Exploration, runs: list[Result]) -> str:
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


def stored_size_only(folder: Path) -> SizeOnly | None:
    """The size-only baseline stored with results, for places without the catalogue."""
    path = folder / "size_only.json"
    if not path.is_file():
        return None
    return cast(SizeOnly, read_json(path, StoredSizeOnly, RunRefusal, "the cut on size and its scores", AGAIN)["size_only"])
