"""Runs as galleries: every source of a split with the network's answer, sorted and filtered."""

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from equiradio.artefacts.map_archive import holder_of, maps_in
from equiradio.artefacts.run import Run
from equiradio.artefacts.tables import read_predictions
from equiradio.errors import RunRefusal
from equiradio.labels import UNKNOWN
from equiradio.serve.names import apart
from equiradio.serve.refusals import NotOffered, RequestRefusal

SORTS = ("name", "p_frii", "confidence", "disagreement", "spread")
CLASSES = ("FRI", "FRII", "hybrid")
ANSWERS = ("correct", "wrong")
SURENESS = ("confident", "uncertain")


@dataclass(frozen=True)
class Tile:
    """A source in a gallery: mean and standard deviation of p_frii over passes; disagreement is the deviation over runs, if several."""

    source_id: str
    label: int
    confidence: str
    p_frii: float
    spread: float
    disagreement: float | None

    def as_json(self) -> dict[str, Any]:
        correct = None if self.label == UNKNOWN else int(self.p_frii >= 0.5) == self.label
        return {
            **self.__dict__,
            "label": CLASSES[self.label],
            "says": CLASSES[int(self.p_frii >= 0.5)],
            "correct": correct,
        }


class Runs:
    """The run folders offered, found when the viewer starts."""

    def __init__(self, folders: list[Path]) -> None:
        self.by_name: dict[str, Run] = {}
        for folder in folders:
            inside = [folder] if (folder / "card.json").is_file() else sorted(path.parent for path in folder.glob("*/card.json"))
            if not inside:
                raise RunRefusal(folder, "no run in it", "a run folder, or a folder of run folders", "Correct --runs.")
            for path in map(Path.resolve, inside):
                if path not in (run.folder for run in self.by_name.values()):
                    self.by_name[apart(path.name, self.by_name)] = Run(path)
        self._means: dict[tuple[str, str], dict[str, Any]] = {}
        self._maps: dict[str, dict[str, np.ndarray]] = {}
        self._lock = threading.Lock()

    def get(self, name: str) -> Run:
        if name not in self.by_name:
            known = ", ".join(self.by_name) or "none"
            raise NotOffered("run", name, known, "Start the viewer with --runs FOLDER." if known == "none" else "Choose one.")
        return self.by_name[name]

    def listing(self) -> list[dict[str, Any]]:
        """Every run: model, seed, state, the evaluations and the figures in it."""
        rows = []
        for name, run in self.by_name.items():
            card = run.card()
            about = {"name": name, "model": card.model, "seed": card.seed, "state": card.state, "data": card.data}
            rows.append(about | {"evaluations": self.evaluations(name), "figures": sorted(self.figures(name))})
        return rows

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
        known = self.figures(name)
        if figure not in known:
            raise NotOffered("figure", figure, ", ".join(known) or "none in this run", "Run 'equiradio evaluate' on the run.")
        return known[figure].read_bytes()

    def tiles(self, name: str, evaluation: str) -> list[Tile]:
        own = self._of(name, evaluation)
        others = [self._of(other, evaluation)["by_id"] for other in self.by_name if evaluation in self.evaluations(other)]
        tiles = []
        for row, source_id in enumerate(own["ids"]):
            said = [each[source_id] for each in others if source_id in each]
            apart = float(np.std(said)) if len(said) > 1 else None
            numbers = (float(own["p"][row]), float(own["spread"][row]))
            tiles.append(Tile(source_id, int(own["label"][row]), str(own["confidence"][row]), *numbers, apart))
        return tiles

    def _of(self, name: str, evaluation: str) -> dict[str, Any]:
        """Mean and deviation of p_frii over passes, by source."""
        if evaluation not in self.evaluations(name):
            known = ", ".join(self.evaluations(name)) or "none"
            raise NotOffered("evaluation", evaluation, known, "Run 'equiradio evaluate' on the run.")
        with self._lock:
            if (name, evaluation) not in self._means:
                table = read_predictions(self.get(name).folder / "predictions" / f"{evaluation}.parquet")
                column = lambda key: table.column(key).to_numpy(zero_copy_only=False)
                ids, first, row = np.unique(column("source_id").astype(str), return_index=True, return_inverse=True)
                p, count = column("p_frii"), np.bincount(row)
                mean = np.bincount(row, p) / count
                spread = np.sqrt(np.maximum(np.bincount(row, p * p) / count - mean**2, 0))
                about = {"ids": ids.tolist(), "label": column("label")[first], "confidence": column("confidence")[first], "p": mean}
                about |= {"spread": spread, "by_id": dict(zip(ids.tolist(), mean.tolist(), strict=True))}
                self._means[name, evaluation] = about
            return self._means[name, evaluation]

    def attention(self, name: str, source_id: str) -> np.ndarray | None:
        """The stored map of a source, uint8 (150, 150)."""
        run = self.get(name)
        with self._lock:
            if name not in self._maps:
                if holder_of(run.maps_file) is None:
                    return None
                with maps_in(run.maps_file) as arrays:
                    self._maps[name] = {"maps": arrays["maps"], "source_id": arrays["source_id"]}
            kept = self._maps[name]
        rows = np.flatnonzero(kept["source_id"] == source_id)
        return kept["maps"][rows[0]] if len(rows) else None


def arranged(tiles: list[Tile], *, classes: str, answer: str, sureness: str, sort: str, descending: bool) -> list[dict[str, Any]]:
    """Tiles that pass the filters (empty ones let all through), in order."""
    for what, value, known in (("class", classes, CLASSES), ("answer", answer, ANSWERS), ("sureness", sureness, SURENESS)):
        if value and value not in known:
            raise RequestRefusal(what, f"{value[:60]!r}", ", ".join(known), "Choose one of these, or none.")
    if sort not in SORTS:
        raise RequestRefusal("sort", f"{sort[:60]!r}", ", ".join(SORTS), "Choose one of these.")
    keys = {
        "name": lambda tile: tile["source_id"],
        "p_frii": lambda tile: tile["p_frii"],
        "confidence": lambda tile: abs(tile["p_frii"] - 0.5),
        "disagreement": lambda tile: tile["disagreement"] or 0.0,
        "spread": lambda tile: tile["spread"],
    }
    rows = [tile.as_json() for tile in tiles]
    rows = [row for row in rows if not classes or row["label"] == classes]
    rows = [row for row in rows if not answer or row["correct"] is (answer == "correct")]
    rows = [row for row in rows if not sureness or row["confidence"] == sureness]
    return sorted(rows, key=keys[sort], reverse=descending)
