"""Evaluate a team on labelled sources: scores of its answers, all and class by class. Nothing is chosen on them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import numpy as np

from equiradio.artefacts.catalogue import Row
from equiradio.datasets.sources import Sources
from equiradio.errors import DataRefusal
from equiradio.evaluation import bootstrap
from equiradio.evaluation.scores import scores
from equiradio.evaluation.transfer import RESAMPLES, Answered, Part, Score, part_of
from equiradio.inference.reading import batches, options_of
from equiradio.inference.team import Team, load
from equiradio.labels import Labels
from equiradio.sky.cutout import Cutout
from equiradio.verbs.trained_data import labelled_split, not_held_back

Progress = Callable[[str, int, int], object]


class ClassScores(TypedDict):
    """Of one class: how many sources are labelled so and how many are called so, abstentions too; scores null where they divide by 0."""

    labelled: int
    called: int
    recall: Score
    precision: Score
    f1: Score


class TeamScores(TypedDict):
    """What `evaluate_team` measures; ``no_answer`` sources count nowhere else."""

    model: str
    data: str
    data_md5: str
    split: str
    no_answer: int
    all: Part
    auc: Score
    classes: dict[str, ClassScores]
    left_out: list[str]
    unfinished: NotRequired[str]
    not_held_back: NotRequired[str]


def evaluate_team(
    what: str | Path,
    *,
    data: str | None = None,
    split: str = "test",
    data_dir: Path | None = None,
    device: str = "auto",
    precision: str = "float32",
    progress: Progress | None = None,
) -> TeamScores:
    """Score the answers of a team or run about every labelled source of a split, as a catalogue would hold them: a dict, with intervals.

    Parameters
    ----------
    what : a team or a run, by folder or name.
    data : a data set, or images of your own; by default what it was trained on. Of others than that, sources that it has learned from, or
        was chosen by, are left out (``left_out``), where the data that it was trained on are here.
    split : train, validation or test; ``all`` of data that it was not trained on. Where it has learned from these very sources, or was
        chosen by them, ``not_held_back`` says so.

    Raises
    ------
    RunRefusal : data of other classes or sides; ``all`` of the data that it was trained on. DataRefusal : no labelled source.
    """
    team = load(what, device, precision)
    sources = labelled_split(what, team, data, data_dir, split)
    scored = _scored(team, sources, split, _rows(team, sources, progress))
    first = team.members[0]
    if unfinished := first.card.unfinished(first.settings.training.epochs):
        scored["unfinished"] = unfinished
    if seen := not_held_back(first.card, team.card.chosen_on, sources.md5, split):
        scored["not_held_back"] = seen
    return scored


def _scored(team: Team, sources: Sources, split: str, rows: list[Row | None]) -> TeamScores:
    """Scores of the rows that have an answer."""
    there = np.array([row is not None and row["answered"] for row in rows], bool)
    if not there.any():
        raise DataRefusal(sources.where, f"none of {len(rows):,} sources has an answer", "some", "Look at the images.")
    answered = [row for row in rows if row is not None and row["answered"]]
    labels, p = sources.labels[there], np.array([[row[name] for name in team.labels.columns()] for row in answered])
    drawn = bootstrap.draw(len(labels), RESAMPLES, 0)
    of_all: Answered = {
        "labels": labels,
        "p": p,
        "answered": np.array([not row["uncertain"] for row in answered], bool),
        "beams": np.full(len(p), np.nan),
        "flags": [set(row["flag_names"].split()) - {"no_wcs"} for row in answered],  # a data set holds no WCS
    }
    return {
        "model": team.name,
        "data": sources.name,
        "data_md5": sources.md5,
        "split": split,
        "no_answer": int((~there).sum()),
        "all": part_of(of_all, np.ones(len(p), bool), drawn=drawn),
        **_by_class(labels, p, team.labels, drawn),  # type: ignore[typeddict-item]  # auc and classes
        "left_out": list(sources.left_out),
    }


def _rows(team: Team, sources: Sources, progress: Progress | None) -> list[Row | None]:
    """The row of the catalogue of each source, None where its image cannot be used; seen through the beam of the data's recipe."""
    beam = sources.recipe.beam_arcsec
    options = options_of(team.recipe) | ({"beam": (beam,)} if beam else {})
    rows: list[Row | None] = []
    for batch in batches(sources.images, **options):
        cutouts = [what for _, what in batch if isinstance(what, Cutout)]
        asked = iter(team.ask(cutouts, why=False)[0] if cutouts else [])
        rows += [next(asked) if isinstance(what, Cutout) else None for _, what in batch]
        if progress is not None:
            progress("sources", len(rows), len(sources))
    return rows


def _by_class(labels: np.ndarray, p: np.ndarray, classes: Labels, drawn: np.ndarray) -> dict[str, object]:
    """AUC, and the scores of each class, for resamples as `bootstrap.draw` gives them."""
    point: dict[str, Any] = {**scores(labels, p, classes=classes)}
    edges = bootstrap.intervals(labels, p[:, None], drawn, classes)
    called = p.argmax(1)
    each = {}
    for place, name in enumerate(classes):
        counts = {"labelled": int((labels == place).sum()), "called": int((called == place).sum())}
        divided = {"recall": counts["labelled"], "precision": counts["called"], "f1": counts["labelled"]}
        each[name] = counts | {key: _score(point[key][name], edges[key][name]) if by else _score(None, None) for key, by in divided.items()}
    return {"auc": _score(point["auc"], edges["auc"]), "classes": each}


def _score(value: float | None, edges: list[float] | None) -> Score:
    return {"value": value, "interval95": None if value is None else edges}
