"""Runs as galleries: every source of a split with the network's answer, sorted and filtered."""

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from equiradio.artefacts.map_archive import holder_of, maps_in
from equiradio.artefacts.run import Run
from equiradio.artefacts.tables import labels_in, read_predictions
from equiradio.artefacts.team import TeamFolder
from equiradio.errors import Refusal, RunRefusal
from equiradio.labels import UNKNOWN, Labels
from equiradio.printable import apart
from equiradio.serve.refusals import NotOffered, RequestRefusal

SORTS = ("name", "confidence", "disagreement", "spread")  # and the columns of `sortable`
ANSWERS = ("correct", "wrong")
SURENESS = ("confident", "uncertain")


@dataclass(frozen=True)
class Tile:
    """A source in a gallery.

    Attributes
    ----------
    labels : the classes; ``label`` the place in them that the catalogue says.
    p : float64 (classes,), mean over passes.
    spread, disagreement : standard deviation over passes, and over runs (None where there is one), of the probability
        of the second of two classes, else of the class answered.
    """

    source_id: str
    labels: Labels
    label: int
    confidence: str
    p: np.ndarray
    spread: float
    disagreement: float | None

    def as_json(self) -> dict[str, Any]:
        says = int(self.p[1] >= 0.5) if self.labels.binary else int(self.p.argmax())
        return {
            **dict(zip(self.labels.columns(), map(float, self.p), strict=True)),
            "source_id": self.source_id,
            "label": self.labels.name_of(self.label),
            "confidence": self.confidence,
            "says": self.labels.names[says],
            "p": float(self.p[says]),
            "spread": self.spread,
            "disagreement": self.disagreement,
            "correct": None if self.label == UNKNOWN else says == self.label,
        }


@dataclass(frozen=True)
class Means:
    """Predictions of a run by source: ids, mean and deviation over passes of every class's probability (sources, classes)."""

    labels: Labels
    ids: list[str]
    label: np.ndarray
    confidence: np.ndarray
    p: np.ndarray
    spread: np.ndarray
    rows: dict[str, int]


def sortable(labels: Labels) -> dict[str, str]:
    """Columns of probabilities that a gallery is sorted by, and their classes: of two classes the second says everything."""
    pairs = list(zip(labels.columns(), labels, strict=True))
    return dict(pairs[1:] if labels.binary else pairs)


class Runs:
    """The run folders offered, found when the viewer starts."""

    def __init__(self, folders: list[Path]) -> None:
        self.by_name: dict[str, Run] = {}
        for folder in folders:
            inside = [folder] if (folder / "card.json").is_file() else sorted(path.parent for path in folder.glob("*/card.json"))
            inside = [path for path in inside if not TeamFolder(path).is_team]
            if not inside:
                found = "no run in it" if folder.is_dir() else "a file" if folder.exists() else "no such folder"
                raise RunRefusal(folder, found, "a run folder, or a folder of run folders", "Correct --runs.")
            for path in map(Path.resolve, inside):
                if path not in (run.folder for run in self.by_name.values()):
                    self.by_name[apart(path.name, self.by_name)] = Run(path)
        self._means: dict[tuple[str, str], Means] = {}
        self._maps: dict[str, dict[str, np.ndarray]] = {}
        self._lock = threading.Lock()

    def get(self, name: str) -> Run:
        if name not in self.by_name:
            offered = ", ".join(self.by_name) or "none"
            raise NotOffered("run", name, offered, "Start the viewer with --runs FOLDER." if offered == "none" else "Choose one.")
        return self.by_name[name]

    def listing(self) -> list[dict[str, Any]]:
        """Every run: model, seed, state, the evaluations and the figures in it; ``problem`` says in a line why a run cannot be read."""
        return [self._about(name, run) for name, run in self.by_name.items()]

    def _about(self, name: str, run: Run) -> dict[str, Any]:
        """A row of the listing; of a run whose card cannot be read, why."""
        try:
            card = run.card()
        except Refusal as refusal:
            nothing: dict[str, Any] = {
                "model": None,
                "seed": None,
                "state": "unreadable",
                "data": None,
                "evaluations": [],
                "choices": {},
                "figures": [],
            }
            return {"name": name, "problem": str(refusal)} | nothing
        evaluations = self.evaluations(name)
        return {
            "name": name,
            "problem": None,
            "model": card.model,
            "seed": card.seed,
            "state": card.state,
            "data": card.data,
            "evaluations": evaluations,
            "choices": {each: self._choices(name, each) for each in evaluations},
            "figures": sorted(self.figures(name)),
        }

    def _choices(self, name: str, evaluation: str) -> dict[str, Any]:
        """What a gallery can be filtered and sorted by: names of classes, and columns of probabilities with theirs."""
        labels = self.labels(name, evaluation)
        return {"labels": [*labels, *([labels.unknown] if labels.unknown else [])], "sorts": sortable(labels)}

    def labels(self, name: str, evaluation: str) -> Labels:
        """The classes of predictions; of a file that cannot be read, those of the run."""
        try:
            return labels_in(pq.read_schema(self._file(name, evaluation)))
        except Exception:  # whatever a damaged file makes pyarrow say
            return self.get(name).card().labels

    def _file(self, name: str, evaluation: str) -> Path:
        return self.get(name).folder / "predictions" / f"{evaluation}.parquet"

    def evaluations(self, name: str) -> list[str]:
        """``<data>-<split>`` of the predictions that a run has."""
        return sorted(path.stem for path in (self.get(name).folder / "predictions").glob("*.parquet"))

    def figures(self, name: str) -> dict[str, Path]:
        """Those of a run, and Figures 1 to 3 of a report that was made of the folder around it."""
        folder = self.get(name).folder.resolve()
        around = folder.parent.parent  # what `equiradio reproduce` wrote, or `results`
        reports = [path for place in (around, around / "report") for path in place.glob("figure[123].png")]
        return {path.stem: path for path in [*(folder / "figures").glob("*.png"), *reports]}

    def figure(self, name: str, figure: str) -> bytes:
        files = self.figures(name)
        if figure not in files:
            raise NotOffered("figure", figure, ", ".join(files) or "none in this run", "Run 'equiradio evaluate' on the run.")
        return files[figure].read_bytes()

    def tiles(self, name: str, evaluation: str) -> list[Tile]:
        """A tile for each source of an evaluation; runs with other classes have no say in what runs disagree about."""
        own = self._of(name, evaluation)
        runs = [self._of(other, evaluation) for other in self.by_name if evaluation in self.evaluations(other)]
        runs = [each for each in runs if each.labels.names == own.labels.names]
        tiles = []
        for row, source_id in enumerate(own.ids):
            place = 1 if own.labels.binary else int(own.p[row].argmax())
            chances = [each.p[each.rows[source_id], place] for each in runs if source_id in each.rows]
            apart = float(np.std(chances)) if len(chances) > 1 else None
            label, confidence = int(own.label[row]), str(own.confidence[row])
            tiles.append(Tile(source_id, own.labels, label, confidence, own.p[row], float(own.spread[row, place]), apart))
        return tiles

    def _of(self, name: str, evaluation: str) -> Means:
        if evaluation not in self.evaluations(name):
            offered = ", ".join(self.evaluations(name)) or "none"
            raise NotOffered("evaluation", evaluation, offered, "Run 'equiradio evaluate' on the run.")
        with self._lock:
            if (name, evaluation) not in self._means:
                self._means[name, evaluation] = means_of(read_predictions(self._file(name, evaluation)))
            return self._means[name, evaluation]

    def attention(self, name: str, source_id: str) -> np.ndarray | None:
        """The stored map of a source, uint8 (side, side)."""
        run = self.get(name)
        with self._lock:
            if name not in self._maps:
                if holder_of(run.maps_file) is None:
                    return None
                self._maps[name] = maps_in(run.maps_file, "maps", "source_id")
            stored = self._maps[name]
        rows = np.flatnonzero(stored["source_id"] == source_id)
        return stored["maps"][rows[0]] if len(rows) else None


def means_of(table: pa.Table) -> Means:
    """Predictions, several rows a source, as one row each."""
    labels = labels_in(table.schema)
    column = lambda key: table.column(key).to_numpy(zero_copy_only=False)
    ids, first, row = np.unique(column("source_id").astype(str), return_index=True, return_inverse=True)
    count = np.bincount(row)
    over_passes = lambda values: np.bincount(row, values) / count
    p = [column(name) for name in labels.columns()]
    mean = np.stack([over_passes(each) for each in p], 1)
    square = np.stack([over_passes(each * each) for each in p], 1)
    spread = np.sqrt(np.maximum(square - mean**2, 0))
    rows = {source_id: number for number, source_id in enumerate(ids.tolist())}
    return Means(labels, ids.tolist(), column("label")[first], column("confidence")[first], mean, spread, rows)


def arranged(
    tiles: list[Tile], labels: Labels, *, classes: str, answer: str, sureness: str, sort: str, descending: bool
) -> list[dict[str, Any]]:
    """Tiles that pass the filters (empty ones let all through), in order."""
    names, sorts = (*labels, labels.name_of(UNKNOWN)), (*SORTS, *sortable(labels))
    for what, value, choices in (("class", classes, names), ("answer", answer, ANSWERS), ("sureness", sureness, SURENESS)):
        if value and value not in choices:
            raise RequestRefusal(what, f"{value[:60]!r}", ", ".join(choices), "Choose one of these, or none.")
    if sort not in sorts:
        raise RequestRefusal("sort", f"{sort[:60]!r}", ", ".join(sorts), "Choose one of these.")
    rows = [tile.as_json() for tile in tiles]
    rows = [row for row in rows if not classes or row["label"] == classes]
    rows = [row for row in rows if not answer or row["correct"] is (answer == "correct")]
    rows = [row for row in rows if not sureness or row["confidence"] == sureness]
    key = {"name": "source_id", "confidence": "p"}.get(sort, sort)
    return sorted(rows, key=lambda row: 0.0 if row[key] is None else row[key], reverse=descending)
