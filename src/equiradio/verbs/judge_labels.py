"""Judge every label by networks that did not learn from it: runs of the folds of a data set, each evaluated on its validation sources."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

import numpy as np
import pyarrow as pa

from equiradio.artefacts.card import Card
from equiradio.artefacts.catalogue import check_suffix, write_catalogue
from equiradio.artefacts.places import check_picture, check_places
from equiradio.artefacts.run import Run
from equiradio.artefacts.tables import predicted_by, read_predictions
from equiradio.datasets.folds import LEARNT, Fold, fold_of
from equiradio.datasets.registry import open_data
from equiradio.datasets.sources import Sources
from equiradio.errors import RunRefusal
from equiradio.evaluation.calibration import most_probable
from equiradio.evaluation.questions import Judged, judged
from equiradio.evaluation.scores import per_source
from equiradio.report.montage import save_montage
from equiradio.settings import DataSettings
from equiradio.verbs.evaluate_asked import one_run, unfinished_line

SPLIT = "validation"
SHOWN = 24  # sources in the picture, at most


class ModelRight(TypedDict):
    """A model's networks on the sources that they did not learn from: their accuracy, and without those whose label is in question."""

    model: str
    networks: int
    sources: int
    accuracy: float
    without: float | None


class Questions(TypedDict):
    """What is answered: ``rows`` are the sources whose label is in question, the least probable label first; ``notes`` a line each."""

    data: str
    folds: int
    sources: int
    judged: int
    in_question: int
    models: list[ModelRight]
    rows: list[dict[str, Any]]
    notes: list[str]


class _Held(NamedTuple):
    """A run and what it says of the sources of its fold."""

    run: Run
    card: Card
    data: DataSettings
    whole: str
    fold: Fold


def judge_labels(
    runs: Iterable[Path],
    out: Path | None = None,
    picture: Path | None = None,
    *,
    data: str | None = None,
    data_dir: Path | None = None,
) -> Questions:
    """Say of every training and validation source what networks of folds say of its label.

    Parameters
    ----------
    runs : folders of trainings on folds of one data set (``mirabest@1of5`` ...), of one or several models and seeds, each evaluated on its
        validation sources. Not all folds need be there: sources of the others are judged by nobody.
    out : a table of all of these sources, .csv, .parquet, .fits or .vot.
    picture : .png, of those in question; not written where there are none.
    data : where the data set lies now; default where the runs found it.

    Raises
    ------
    RunRefusal : runs that are of no fold, of several data sets, numbers of folds or classes, or not evaluated.
    """
    _check_names(out, picture)
    held = [_held(folder) for folder in runs]
    _refuse_unlike(held)
    sources = _learnt(held[0], data, data_dir)
    views = _views(held, sources)
    verdict = judged(sources.labels, views)
    questions = _questions(held, sources, views, verdict)
    if out is not None:
        write_catalogue(_table(sources, verdict), out)
    if picture is not None and questions["rows"]:
        _draw(sources, questions["rows"][:SHOWN], picture)
    return questions


def _check_names(out: Path | None, picture: Path | None) -> None:
    """Refuse files that could not be written, before anything is read."""
    if out is not None:
        check_suffix(out)
    check_picture("--picture", picture)
    check_places({"--out": out, "--picture": picture}, {})


def _held(folder: Path) -> _Held:
    """A run of a fold.

    Raises
    ------
    RunRefusal : it is of none.
    """
    run = one_run(folder)
    settings, card = run.settings(), run.card()
    whole, fold = fold_of(settings.data.name)
    if fold is None:
        do = f"Train on folds, such as --data {settings.data.name}@1of5."
        raise RunRefusal(folder, f"was trained on {settings.data.name}, which is no fold", "a run of a fold", do)
    return _Held(run, card, settings.data, whole, fold)


def _refuse_unlike(held: Sequence[_Held]) -> None:
    """Refuse a run that is named twice, or whose folds are not those of the first."""
    first, places = held[0], [each.run.folder.resolve() for each in held]
    about = lambda each: {"folds": each.fold.folds, "classes": f"{each.card.labels}", "md5 of the data": each.card.data_md5}
    for number, each in enumerate(held):
        ours, theirs = about(first), about(each)
        if places[number] in places[:number]:
            raise RunRefusal(each.run.folder, "is named twice", "each run once", "Name it once.")
        if odd := next((what for what in ours if ours[what] != theirs[what]), None):
            found = f"{odd} {theirs[odd]}, but {first.run.folder} has {ours[odd]}"
            raise RunRefusal(each.run.folder, found, "runs of the folds of one data set", "Leave one of the two out.")


def _learnt(first: _Held, data: str | None, data_dir: Path | None) -> Sources:
    """The sources that are dealt into folds, of the data set that the runs were trained on.

    Raises
    ------
    RunRefusal : its images are others now.
    """
    sources = open_data(data or first.whole, data_dir, first.data.classes)
    if sources.md5 != first.card.data_md5:
        found = f"{sources.where} has md5 {sources.md5}, but {first.run.folder} was trained on {first.card.data_md5}"
        raise RunRefusal("data", found, "the same data", "Name them by --data, wherever they are now.")
    return sources.choose(np.isin(sources.split, LEARNT))


def _views(held: Sequence[_Held], sources: Sources) -> dict[str, np.ndarray]:
    """Of each model the probabilities of its networks, float64 (networks, count, classes)."""
    answers: dict[str, list[np.ndarray]] = {}
    for each in held:
        answers.setdefault(each.card.model, []).append(_answers(each, sources))
    return {model: np.stack(each) for model, each in answers.items()}


def _answers(held: _Held, sources: Sources) -> np.ndarray:
    """A run's probabilities of the sources of its fold, the mean over passes: float64 (count, classes), not a number for all others.

    Raises
    ------
    RunRefusal : it was not evaluated on its validation sources, or these have other labels now.
    """
    file, again = held.run.predictions_file(held.card.data, SPLIT), f"Run 'equiradio evaluate {held.run.folder} --split {SPLIT}' first."
    if not file.is_file():
        raise RunRefusal(held.run.folder, f"no predictions of its {SPLIT} sources", f"{file.name}", again)
    there = predicted_by(file)
    if held.run.weights_file.is_file() and there.get("weights") not in (None, held.run.weights_digest()):
        raise RunRefusal(file, f"predictions of weights {there['weights']}", f"those of {held.run.weights_digest()}", again)
    names, labels, p = per_source(read_predictions(file), f"{file}", held.card.labels)
    place = {name: row for row, name in enumerate(sources.source_ids.tolist())}
    rows = np.array([place.get(name, -1) for name in names.tolist()], int)
    if (odd := (rows < 0) | (sources.labels[rows] != labels)).any():
        found = f"{int(odd.sum()):,} of {len(rows):,} sources have another label now, or are gone ({names[odd][0]})"
        raise RunRefusal(file, found, "the labels that the run was evaluated with", again)
    every = np.full((len(sources), len(held.card.labels)), np.nan)
    every[rows] = p
    return every


def _questions(held: Sequence[_Held], sources: Sources, views: dict[str, np.ndarray], verdict: Judged) -> Questions:
    """What is answered of all sources."""
    rows = np.flatnonzero(verdict.in_question)
    rows = rows[np.argsort(verdict.p[rows, sources.labels[rows]], kind="stable")]
    table = _table(sources, verdict)
    return {
        "data": held[0].whole,
        "folds": held[0].fold.folds,
        "sources": len(sources),
        "judged": int((verdict.networks > 0).sum()),
        "in_question": len(rows),
        "models": [_right(model, each, sources.labels, verdict) for model, each in views.items()],
        "rows": table.take(rows).to_pylist(),
        "notes": _notes(held, sources, verdict),
    }


def _right(model: str, views: np.ndarray, labels: np.ndarray, verdict: Judged) -> ModelRight:
    """How often a model's networks (networks, count, classes) are right of sources that they did not learn from."""
    there = np.isfinite(views).all(2) & (labels >= 0)
    right = np.where(there, most_probable(views) == labels, False)
    rest = there & ~verdict.in_question
    without = float(right[rest].mean()) if rest.any() else None
    return {
        "model": model,
        "networks": len(views),
        "sources": int(there.any(0).sum()),
        "accuracy": float(right[there].mean()),
        "without": without,
    }


def _notes(held: Sequence[_Held], sources: Sources, verdict: Judged) -> list[str]:
    """A line each on trainings that are not finished, and on sources that nobody judged."""
    unfinished = ((each.run.folder, each.card.unfinished(each.run.settings().training.epochs)) for each in held)
    notes = [unfinished_line(folder, words) for folder, words in unfinished if words]
    if lacking := int((verdict.networks == 0).sum()):
        folds = sorted(set(range(1, held[0].fold.folds + 1)) - {each.fold.number for each in held})
        why = f"no run of fold {', '.join(map(str, folds))}" if folds else "left out of their fold"
        notes.append(f"{lacking:,} of {len(sources):,} sources are judged by no network ({why})")
    return notes


def _table(sources: Sources, verdict: Judged) -> pa.Table:
    """All sources: what they are called, labelled and where, and what networks say."""
    names, count = np.array([*sources.classes, None], object), len(sources)
    nowhere = np.full(count, np.nan)
    column = lambda values, kind: pa.array(values, kind, mask=None if values.dtype == object else np.isnan(values.astype(float)))
    columns: list[tuple[str, np.ndarray, pa.DataType, str, str]] = [
        ("source_id", sources.source_ids.astype(object), pa.string(), "", "name of the source"),
        ("ra", nowhere if sources.ra_deg is None else sources.ra_deg, pa.float64(), "deg", "right ascension, ICRS; null where unknown"),
        ("dec", nowhere if sources.dec_deg is None else sources.dec_deg, pa.float64(), "deg", "declination, ICRS; null where unknown"),
        ("label", names[sources.labels], pa.string(), "", "class in the data set"),
        ("confidence", sources.confidence.astype(object), pa.string(), "", "how sure the catalogue is: confident or uncertain"),
        ("networks", verdict.networks, pa.int32(), "", "networks that did not learn from it"),
        ("against", verdict.against, pa.float64(), "1", "share of them that say otherwise, every model weighing the same"),
        *(
            (name, verdict.p[:, place], pa.float64(), "1", f"mean probability of {sources.classes.names[place]}")
            for place, name in enumerate(sources.classes.columns())
        ),
        ("other", names[verdict.other], pa.string(), "", "class that they are sure of in place of the label; null where there is none"),
    ]
    fields = [
        pa.field(name, kind, metadata={"unit": unit, "description": about, **({"decimals": "4"} if unit == "1" else {})})
        for name, _, kind, unit, about in columns
    ]
    return pa.Table.from_arrays([column(values, kind) for _, values, kind, _, _ in columns], schema=pa.schema(fields))


def _draw(sources: Sources, rows: list[dict[str, Any]], path: Path) -> None:
    """A picture of sources, with label and what is said of it, in the order of the rows."""
    images = dict(zip(sources.source_ids.tolist(), sources.images, strict=True))
    lines = [f"{number}. {row['label']}, {row['confidence']}; {row['other']}?" for number, row in enumerate(rows, 1)]
    save_montage([images[row["source_id"]] for row in rows], lines, path, first=False)
