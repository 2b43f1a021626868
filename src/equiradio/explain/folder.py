"""The folder of an explanation: one JSON and one set of arrays per part, one CSV and one picture per figure."""

import csv
import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from equiradio.artefacts.atomic import is_unused, write_atomically, write_json, write_text
from equiradio.artefacts.job import refuse_other
from equiradio.artefacts.json_files import read_json
from equiradio.errors import RunRefusal, refused_as

DIGEST = "sha256"  # in a part's summary: of the rest of it and of the arrays


@dataclass(frozen=True)
class Folder:
    """Where an explanation is written."""

    path: Path

    def part(self, name: str) -> Path:
        return self.path / "parts" / f"{name}.json"

    def arrays_file(self, name: str) -> Path:
        return self.path / "parts" / f"{name}.npz"

    def figure(self, name: str) -> Path:
        return self.path / "figures" / f"{name}.png"

    def table(self, name: str) -> Path:
        return self.path / "figures" / f"{name}.csv"

    def check(self, about: dict[str, Any]) -> None:
        """Write what the explanation is about, or refuse a folder that is about something else."""
        file = self.path / "about.json"
        if file.is_file():
            there = read_json(file, dict[str, Any], RunRefusal, "about.json of an explanation", "Choose another --out.")
            if any((self.path / "parts").glob("*.json")):  # one without a finished part is in nobody's way
                refuse_other(self.path, there, about, "holds an explanation", "Choose another --out.")
        elif not is_unused(self.path):
            raise RunRefusal(self.path, "a folder with other files", "a new folder or an explanation", "Choose another --out.")
        write_json(file, about)

    def summary(self, name: str) -> dict[str, Any] | None:
        """The summary of a finished part; None where it is not finished, or was damaged since."""
        if not (self.part(name).is_file() and self.arrays_file(name).is_file()):
            return None
        try:
            summary = read_json(self.part(name), dict[str, Any], RunRefusal, "a part of an explanation", "Delete it to measure again.")
        except RunRefusal:
            return None
        return summary if summary.pop(DIGEST, None) in (None, self._digest(name, summary)) else None

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        """The arrays of a finished part."""
        do = "Delete it and its .json to measure this part again."
        with (
            refused_as(RunRefusal, self.arrays_file(name), "arrays of an explanation", do),
            self.arrays_file(name).open("rb") as content,
            np.load(content, allow_pickle=False) as file,
        ):
            return dict(file)

    def _digest(self, name: str, summary: dict[str, Any]) -> str:
        """Of a summary and of the arrays that go with it."""
        digest = hashlib.sha256(json.dumps(summary, sort_keys=True).encode())
        digest.update(self.arrays_file(name).read_bytes())
        return digest.hexdigest()

    def write_part(self, name: str, summary: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Write a part; its summary last, since that is what says that it is done."""
        write_atomically(self.arrays_file(name), lambda file: np.savez_compressed(file, **arrays))  # type: ignore[arg-type]
        content = plain(summary)
        write_json(self.part(name), content | {DIGEST: self._digest(name, content)})

    def write_table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Write the CSV of a figure; floats with six digits, and nothing for those that are not finite."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        number = lambda cell: f"{cell:.6g}" if np.isfinite(cell) else ""
        writer.writerows([[number(cell) if isinstance(cell, float) else cell for cell in row] for row in rows])
        write_text(self.table(name), text.getvalue())


def plain(value: Any) -> Any:
    """Numbers and lists that JSON knows; None for what is not finite."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value
