"""What an explanation is about: the network, the sources it is asked about, and the parts that are done."""

import csv
import hashlib
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from equiradio.artefacts.atomic import write_atomically, write_json, write_text
from equiradio.datasets.simulated import simulate_source
from equiradio.datasets.sources import Sources
from equiradio.errors import RunRefusal
from equiradio.explain.equivariance import ANGLES
from equiradio.explain.faithfulness import FRACTIONS
from equiradio.inference.gate_maps import gate_maps
from equiradio.inference.member import Member, chunks

VERSION = 2  # of the measures: a folder made by another version is not gone on with
BATCH = 16

Progress = Callable[[str, int, int], object]


@dataclass(frozen=True)
class Plan:
    """How much is measured; the defaults take a C4 network less than 15 minutes on two cores."""

    sample: int = 40  # sources whose maps are measured, 0 for all
    deep: int = 12  # of these, sources for deletion, integrated gradients and randomisation
    turned: int = 4  # of these, sources for exact quarter turns and mirrors
    angles: tuple[float, ...] = ANGLES
    fractions: tuple[float, ...] = FRACTIONS  # of the pixels, deleted and inserted
    gradient_steps: int = 8
    draws: int = 50  # of dropout
    whole_team: bool = False  # conformal sets of the ensemble too: every member looks at the validation split


QUICK = Plan(deep=8, angles=tuple(range(0, 105, 15)), fractions=(0.005, 0.02, 0.08))  # about half the work
WHOLE = Plan(sample=0, deep=40, whole_team=True)


@dataclass
class Case:
    """A network and its sources.

    Attributes
    ----------
    sources : the sample. everyone, validation : the whole split and the validation split, for calibration.
    members : other networks by name, for ensembles and agreement.
    truth : uint8 masks of `simulated_shapes.Part` of the sample, or None.
    passes : images shown to a network so far, by part.
    """

    name: str
    classifier: Member
    sources: Sources
    everyone: Sources
    validation: Sources
    members: dict[str, Member]
    plan: Plan
    progress: Progress
    truth: np.ndarray | None = None
    passes: dict[str, int] = field(default_factory=dict)
    part: str = ""

    def look(self, classifier: Member, images: np.ndarray, what: str = "") -> tuple[np.ndarray, np.ndarray]:
        """Gate maps and, last, the combined map (count, gates + 1, 150, 150) with p_frii (count,); counts the images."""
        planes, answers = [], []
        for start, stop in chunks(len(images), BATCH):
            output = classifier.look(images[start:stop])
            gates = gate_maps(output.attention).float()
            planes.append(torch.cat([gates, gates.mean(1, keepdim=True)], 1).cpu().numpy())
            answers.append(output.logits.double().softmax(1)[:, 1].cpu().numpy())
            if what:
                self.progress(what, stop, len(images))
        self.count(len(images))
        return np.concatenate(planes), np.concatenate(answers)

    def count(self, images: int) -> None:
        self.passes[self.part] = self.passes.get(self.part, 0) + images

    @property
    def deep(self) -> np.ndarray:
        """Rows of the sample that the costly measures look at."""
        return evenly(self.sources.labels, self.plan.deep)


def evenly(labels: np.ndarray, count: int) -> np.ndarray:
    """Rows of ``count`` sources, of each class as many, evenly spaced, so that nobody picked them; all rows for 0 or too large a count."""
    if count == 0 or count >= len(labels):
        return np.arange(len(labels))
    classes = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    share = -(-count // len(classes))
    rows = [own[np.linspace(0, len(own) - 1, min(share, len(own))).round().astype(int)] for own in classes]
    return np.concatenate(rows)[: max(count, len(classes))]


def truth_masks(sources: Sources) -> np.ndarray | None:
    """Truth masks of simulated sources, made again from their names; None where a source is not one of the generator's."""
    masks = []
    for source_id, image in zip(sources.source_ids, sources.images, strict=True):
        head, _, rest = str(source_id).partition("-")
        seed, _, number = rest.partition("-")
        if head != "simulated" or not (seed.isdigit() and number.isdigit()):
            return None
        made, mask, *_ = simulate_source(int(number) % 2, np.random.default_rng([int(seed), int(number)]))
        if not np.array_equal(made, image):
            return None
        masks.append(mask)
    return np.stack(masks)


def digest(classifier: Member) -> str:
    """A checksum of a network's weights."""
    found = hashlib.sha256()
    for name, value in sorted(classifier.network.state_dict().items()):
        found.update(name.encode() + value.cpu().contiguous().numpy().tobytes())
    return found.hexdigest()[:16]


@dataclass(frozen=True)
class Folder:
    """Where an explanation is written: one JSON and one set of arrays per part, one CSV and one picture per figure."""

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
            try:
                there = json.loads(file.read_text(encoding="utf-8"))
                odd = [key for key in about if there.get(key) != about[key]]
            except (ValueError, AttributeError) as error:
                raise RunRefusal(file, f"cannot be read ({error})", "about.json of an explanation", "Choose another --out.") from None
            if odd:
                found = f"holds an explanation with another {odd[0]}"
                raise RunRefusal(self.path, found, "the same run, data and sample", "Choose another --out.")
        elif self.path.is_dir() and any(self.path.iterdir()):
            raise RunRefusal(self.path, "a folder with other files", "a new folder or an explanation", "Choose another --out.")
        write_json(file, about)

    def done(self, name: str) -> dict[str, Any] | None:
        """The summary of a finished part; None where it is not finished."""
        if not (self.part(name).is_file() and self.arrays_file(name).is_file()):
            return None
        try:
            return json.loads(self.part(name).read_text(encoding="utf-8"))
        except ValueError:
            return None

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        with np.load(self.arrays_file(name), allow_pickle=False) as file:
            return dict(file)

    def keep(self, name: str, summary: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Write a part; its summary last, since that is what says that it is done."""
        write_atomically(self.arrays_file(name), lambda file: np.savez_compressed(file, **arrays))  # type: ignore[arg-type]
        write_json(self.part(name), plain(summary))

    def write_table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([[f"{cell:.6g}" if isinstance(cell, float) else cell for cell in row] for row in rows])
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
