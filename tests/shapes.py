"""Four classes that no radio astronomer would confuse: rings, bars, crosses and dots, 40 tiny images in all, as a folder made by hand."""

import csv
import hashlib
import json
from pathlib import Path

import numpy as np

CLASSES = ("Ring", "Bar", "Cross", "Two dots")
COUNTS = {"train": 24, "validation": 8, "test": 8}


def a_shape(kind: int, rng: np.random.Generator) -> np.ndarray:
    """An image uint8 (150, 150) of one shape somewhere near the middle, in noise that is clipped away."""
    rows, columns = np.indices((150, 150)) - 74.5 - rng.uniform(-3, 3, (2, 1, 1))
    angle, size = rng.uniform(0, np.pi), rng.uniform(14, 22)
    along, across = np.cos(angle) * columns + np.sin(angle) * rows, np.cos(angle) * rows - np.sin(angle) * columns
    bar = lambda one, other: np.exp(-((one / size) ** 4) - (other / 4) ** 2)
    dot = lambda place: np.exp(-((along - place) ** 2 + across**2) / 32)
    shape = (
        np.exp(-(((np.hypot(along, across) - size) / 4) ** 2)),
        bar(along, across),
        np.maximum(bar(along, across), bar(across, along)),
        dot(size) + dot(-size),
    )[kind]
    bright = shape / shape.max() + rng.normal(0, 0.03, shape.shape)
    return (255 * np.clip(np.where(bright > 0.12, bright, 0), 0, 1)).astype(np.uint8)


def write_shapes(folder: Path, classes: tuple[str, ...] = CLASSES, **about) -> Path:
    """images.npy, catalogue.csv and dataset.json of the shapes, without masks; every split has each class as often."""
    folder.mkdir(parents=True)
    labels = np.arange(sum(COUNTS.values())) % len(classes)
    images = np.stack([a_shape(int(label), np.random.default_rng([7, k])) for k, label in enumerate(labels)])
    np.save(folder / "images.npy", images)
    splits = np.repeat(list(COUNTS), list(COUNTS.values()))
    with (folder / "catalogue.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["source_id", "label", "split", "confidence", "size_arcsec", "ra_deg", "dec_deg"])
        for k, (label, split) in enumerate(zip(labels, splits, strict=True)):
            table.writerow([f"shape-{k:02d}", label, split, ("confident", "uncertain")[k % 3 == 0], 40, 150 + k / 10, -k / 10])
    md5 = hashlib.md5(images.tobytes(), usedforsecurity=False).hexdigest()
    text = json.dumps({"name": "shapes", "count": len(images), "md5": md5, "classes": list(classes)} | about)
    (folder / "dataset.json").write_text(text, encoding="utf-8")
    return folder
