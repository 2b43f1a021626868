"""A data set as a folder: images.npy, catalogue.csv, dataset.json and, where it has them, masks.npy; see docs/reference/files.md."""

import csv
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten
from typing import Any, NamedTuple

import numpy as np

from equiradio import plugins
from equiradio.datasets.sources import SPLITS, Sources, check_soft
from equiradio.errors import DataRefusal, Refusal
from equiradio.folders import whole_folder
from equiradio.labels import FANAROFF_RILEY, UNKNOWN, Labels, labels_of
from equiradio.printable import count_of, some_of
from equiradio.sky.recipe import MIRABEST, Recipe, recipe_of

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{,99}")  # of a data set: it becomes part of file names
FILES = ("images.npy", "catalogue.csv", "dataset.json")
COLUMNS = {"source_id": "source_ids", "label": "labels", "split": "split", "confidence": "confidence", "size_arcsec": "size_arcsec"}
POSITION = {"ra_deg": (0.0, 360.0), "dec_deg": (-90.0, 90.0)}  # further columns, where positions are known
AGAIN = "Write the folder anew."


def checksum(pixels: np.ndarray) -> str:
    """MD5 of the bytes of an array, in hexadecimal."""
    return hashlib.md5(pixels.tobytes(), usedforsecurity=False).hexdigest()


def refuse_in_use(folder: Path) -> None:
    """Refuse a folder that holds something already."""
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataRefusal(folder, "exists and is not empty", "a new or an empty folder", "Choose another folder or remove this one.")


def write_folder(sources: Sources, folder: Path, **about: Any) -> Path:
    """Write sources into a new folder, whole or not at all.

    Parameters
    ----------
    sources : images uint8 (count, side, side) and the rest.
    folder : where to.
    about : further entries of ``dataset.json``.

    Raises
    ------
    DataRefusal : the folder holds something already.
    """
    with whole(folder) as unfinished:
        fill_folder(sources, unfinished, **about)
    return Path(folder)


def fill_folder(sources: Sources, folder: Path, **about: Any) -> None:
    """Write the files of a data set into a folder that is there, as `write_folder` does."""
    columns = COLUMNS | {name: name for name in (*POSITION, "catalogue") if getattr(sources, name) is not None}
    table = {name: getattr(sources, attribute).tolist() for name, attribute in columns.items()}
    if sources.soft is not None:
        table |= dict(zip(sources.classes.columns(), sources.soft.T.tolist(), strict=True))
    np.save(folder / "images.npy", sources.images)
    write_csv(folder / "catalogue.csv", table)
    content = {"name": sources.name, "count": len(sources), **about, "md5": checksum(sources.images)}
    if sources.masks is not None:
        np.save(folder / "masks.npy", sources.masks)
        content["masks_md5"] = checksum(sources.masks)
    if sources.classes != FANAROFF_RILEY or (sources.labels == UNKNOWN).any():
        content |= {"classes": list(sources.classes), "unknown": sources.classes.unknown}
    if sources.recipe != MIRABEST:
        content["recipe"] = sources.recipe.as_card()
    if sources.left_out:
        content["left_out"] = list(sources.left_out)
    (folder / "dataset.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


@contextmanager
def whole(folder: Path) -> Iterator[Path]:
    """A folder to be filled, which takes its name when it is full; a DataRefusal where that name holds something already."""
    folder = Path(folder)
    refuse_in_use(folder)
    with whole_folder(folder) as unfinished:
        yield unfinished


def write_csv(path: Path, columns: dict[str, list[Any]]) -> None:
    """Columns of one length as a CSV table."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(columns)
        for row in zip(*columns.values(), strict=True):
            table.writerow(["" if value != value else value for value in row])  # nan, which is unknown, differs from itself


def read_folder(folder: Path) -> Sources:
    """The sources of a folder that `write_folder` wrote, or that was made by hand with the same files.

    Raises
    ------
    DataRefusal : a file is missing or damaged, a shape or a column is wrong, or a checksum differs.
    """
    folder = Path(folder)
    missing = [name for name in FILES if not (folder / name).is_file()]
    if "dataset.json" in missing:
        raise _no_data_set(folder)
    if missing:
        raise DataRefusal(folder, f"has no {' and no '.join(missing)}", ", ".join(FILES), AGAIN)
    about = _about(folder / "dataset.json")
    if about.masks_md5 and not (folder / "masks.npy").is_file():
        raise DataRefusal(folder, "has no masks.npy", "the one whose md5 dataset.json says", AGAIN)
    images = _pixels(folder / "images.npy", about, about.md5)
    masks = _pixels(folder / "masks.npy", about, about.masks_md5) if about.masks_md5 else None
    columns = _catalogue(folder / "catalogue.csv", about)
    own: dict[str, Any] = {"classes": about.classes, "recipe": about.recipe, "left_out": about.left_out}
    return Sources(name=about.name, images=images, md5=about.md5, masks=masks, folder=str(folder), **own, **columns)


def _no_data_set(folder: Path) -> DataRefusal:
    """What to say of a folder that no verb has written as a data set: what lies there, and which command makes one of it."""
    from equiradio.datasets.imports.tables import is_table
    from equiradio.sky.own import SUFFIXES as IMAGES

    there = sorted(path for path in folder.iterdir() if not path.name.startswith(".")) if folder.is_dir() else []
    folders = [path.name for path in there if path.is_dir()]
    images = [path.name for path in there if path.is_file() and path.name.lower().endswith(IMAGES)]
    tables = [path.name for path in there if is_table(path) and path.name not in images + folders]
    others = [path.name for path in there if path.name not in folders + images + tables]
    parts = [count_of(len(images), "image")] if images else []
    parts += [f"{count_of(len(names), kind)} ({some_of(names)})" for names, kind in ((tables, "table"), (folders, "folder")) if names]
    content = ", ".join(parts) or some_of(others)
    do = "Put the images of each class into a folder of its name, and name the folder of these: 'equiradio data import FOLDER --out DIR'."
    if tables:
        do = f"Where the table names images and their classes: 'equiradio data import {folder / tables[0]} --out DIR'."
    if inside := next((name for name in folders if (folder / name / "dataset.json").is_file()), None):
        do = f"Name the data set in it: {folder / inside}. Others are made by 'equiradio data import'."
    expected = "a data set (dataset.json, images.npy, catalogue.csv), a folder per class, or a table of images"
    return DataRefusal(folder, f"{content} and no dataset.json" if content else "nothing in it", expected, do)


class _About(NamedTuple):
    """The content of dataset.json; ``masks_md5`` is empty where there are no masks, ``unknown`` is whether a source may be of no class."""

    name: str
    number: int
    md5: str
    masks_md5: str
    classes: Labels
    unknown: bool
    recipe: Recipe
    left_out: tuple[str, ...]


def _about(path: Path) -> _About:
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        name, count, md5, masks_md5 = str(about["name"]), int(about["count"]), str(about["md5"]), str(about.get("masks_md5", ""))
        if not NAME.fullmatch(name):
            raise ValueError(f"name is {shorten(name, 60)!r}; up to 100 letters, digits, '.', '_' and '-' would do")
        owner = plugins.module("equiradio.datasets", name.partition("-")[0])
        if hasattr(owner, "fetch"):
            raise ValueError(f"name is {name!r}, which is a published data set's; another would do")
        recipe, lines = recipe_of(about.get("recipe", {})), about.get("left_out", [])
        if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
            raise ValueError("left_out is no list of lines")
        return _About(name, count, md5, masks_md5, _classes(about), bool(about.get("unknown")), recipe, tuple(lines))
    except Exception as error:
        raise DataRefusal(path, f"cannot be understood ({error})", "name, count and md5", AGAIN) from error


def _classes(about: dict[str, Any]) -> Labels:
    """The classes in dataset.json; FRI and FRII where it names none."""
    if "classes" not in about:
        return FANAROFF_RILEY
    names, unknown = about["classes"], about.get("unknown", "")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in [*names, unknown]):
        raise ValueError("classes is no list of names")
    try:
        return labels_of(names, unknown)
    except Refusal as refusal:
        raise ValueError(f"classes: {refusal.found}; {refusal.expected} would do") from None


def _pixels(path: Path, about: _About, md5: str) -> np.ndarray:
    """A uint8 array (count, side, side) whose MD5 is as it should be, or a refusal."""
    try:
        with open(path, "rb") as file:
            pixels = np.lib.format.read_array(file, allow_pickle=False)
    except Exception as error:  # NumPy meets a damaged header in dozens of ways
        raise DataRefusal(path, "cannot be read as an array", "a whole .npy file", AGAIN) from error
    whole = about.number, about.recipe.side, about.recipe.side
    if pixels.shape != whole or pixels.dtype != np.uint8:
        shape, expected = (" x ".join(map(str, lengths)) for lengths in (pixels.shape, whole))
        raise DataRefusal(path, f"holds {shape} of {pixels.dtype}", f"{expected} of uint8", AGAIN)
    if checksum(pixels) != md5:
        raise DataRefusal(path, f"md5 is {checksum(pixels)}", f"{md5} as dataset.json says", AGAIN)
    return pixels


def _catalogue(path: Path, about: _About) -> dict[str, Any]:
    """The columns of catalogue.csv by attribute of `Sources`."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        if any(None in row.values() for row in rows):
            raise ValueError("a row is cut short")
        columns = {attribute: np.array([row[column] for row in rows]) for column, attribute in COLUMNS.items()}
        columns["labels"] = columns["labels"].astype(np.int64)
        numbers = ["size_arcsec", *(name for name in POSITION if rows and name in rows[0])]
        columns |= {name: np.array([float(row[name] or "nan") for row in rows]) for name in numbers}
        if rows and set(about.classes.columns()) <= set(rows[0]):
            columns["soft"] = np.array([[float(row[name]) for name in about.classes.columns()] for row in rows])
        if rows and "catalogue" in rows[0]:
            columns["catalogue"] = np.array([row["catalogue"] for row in rows])
    except Exception as error:
        raise DataRefusal(path, f"cannot be understood ({error})", f"columns {', '.join(COLUMNS)}", AGAIN) from error
    twice = len(rows) - len(set(columns["source_ids"].tolist()))
    if twice:
        raise DataRefusal(path, f"{twice:,} source_ids occur twice", "unique names", AGAIN)
    if len(rows) != about.number:
        raise DataRefusal(path, f"has {len(rows):,} rows", f"{about.number:,} as dataset.json says", AGAIN)
    _check_values(path, columns, [*range(len(about.classes)), *([UNKNOWN] if about.unknown else [])])
    return columns


def _check_values(path: Path, columns: dict[str, np.ndarray], places: list[int]) -> None:
    """Refuse a label that is no class, another split, and a position that is not on the sky."""
    for attribute, those in (("labels", places), ("split", SPLITS)):
        strange = [value for value in columns[attribute].tolist() if value not in those]
        if strange:
            found = f"{attribute} holds {min(strange)} ({len(strange):,} of {len(columns[attribute]):,} rows)"
            raise DataRefusal(path, found, f"one of {', '.join(map(str, those))}", AGAIN)
    if "soft" in columns:
        check_soft(path, columns["soft"], columns["labels"], AGAIN)
    for name, (low, high) in POSITION.items():
        outside = [value for value in columns.get(name, np.empty(0)).tolist() if value < low or value > high]
        if outside:
            raise DataRefusal(path, f"{name} holds {outside[0]}", f"{low:g} to {high:g}, or nothing where it is unknown", AGAIN)
