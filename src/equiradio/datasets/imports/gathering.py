"""The rows of a source, whatever its form: who they are, their class, split and position, and how to get each one's image."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from equiradio.datasets.imports.choices import Choices
from equiradio.datasets.imports.files import (
    class_folders,
    first_taken,
    images_in,
    mosaic_files,
    of_no_class,
    same_stems,
    short_names,
    subfolders,
    unread,
)
from equiradio.datasets.imports.report import SHOWN
from equiradio.datasets.imports.tables import Columns, is_table, positions, read_table, refuse_other_order, soft_labels
from equiradio.errors import DataRefusal, ImageRefusal
from equiradio.printable import some_of
from equiradio.sky.beside import corners_of, same_pixels
from equiradio.sky.own import SUFFIXES, Plane, of_array, read_plane
from equiradio.sky.recipe import MIRABEST

FORMS = (
    "a folder per class, a table (CSV, TSV, ECSV, IPAC, AAS or CDS, Parquet, FITS, VOTable) of files or positions, an HDF5 file,"
    " or images.npy and a table"
)
HDF5 = (".h5", ".hdf5", ".hdf")
ARRAY = "images.npy"
NO_CLASS = {"NaN", "nan", "NAN", "None", "null", "NULL", "NA", "<NA>"}  # what programs write into empty cells
AROUND = 3  # pixels on each side of a position, that tell whether a mosaic has something there
WHOLE = 2  # of an image what a position's cutout is worth that has pixels and lies inside; 1 with pixels alone, else 0
OPEN_MOSAICS = 2  # that are held in memory


@dataclass(frozen=True)
class Gathered:
    """What a source lists.

    Attributes
    ----------
    where, form : the source as the user names it, and what it is, in words.
    names, labels : of every row; the word of its class, empty where there is none.
    splits : of every row, or None where there is no such column.
    ra_deg, dec_deg : float64 (count,), nan where the list has none.
    plane : of a row's number its image; raises an ImageRefusal where it cannot be used.
    at_positions : images are mosaics, from which is cut at the positions.
    soft : how probable each class is, by its word, float64 (count,) each; empty where labels are certain.
    unnamed : names are places in the list, and may be another source's tomorrow.
    notes : what is worth a line in the report.
    held_by : number of the image that holds each row, int64 (count,), -1 for none; rows are visited image by image.
    """

    where: str
    form: str
    names: list[str]
    labels: list[str]
    splits: list[str] | None
    ra_deg: np.ndarray
    dec_deg: np.ndarray
    plane: Callable[[int], Plane]
    at_positions: bool = False
    soft: Mapping[str, np.ndarray] = field(default_factory=dict)
    unnamed: bool = False
    notes: tuple[str, ...] = ()
    held_by: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.names)


def is_source(path: Path) -> bool:
    """Does this look like something to import: a table, an HDF5 file, a folder per class, or images.npy beside a table?"""
    if path.is_file():
        return is_table(path, named=True) or path.name.lower().endswith(HDF5)
    return path.is_dir() and not (path / "dataset.json").exists() and (len(class_folders(path)) > 1 or _array_table(path) is not None)


def gather(source: Path, choices: Choices) -> Gathered:
    """The rows of a source.

    Raises
    ------
    DataRefusal : it is none of the forms, or its table cannot be used.
    """
    if source.is_dir():
        if (beside := _array_table(source)) is not None:
            return _beside_an_array(read_table(beside), source / ARRAY, choices)
        return _class_folder(source, choices)
    if not source.is_file():
        raise DataRefusal(source, "no such file or folder", FORMS, "Check the path.")
    if source.name.lower().endswith(HDF5):
        from equiradio.datasets.imports.hdf5 import gather_hdf5

        return gather_hdf5(source, choices)
    if not is_table(source, named=True):
        raise DataRefusal(source, f"a file whose name ends in '{source.suffix}'", FORMS, "Name one of these.")
    table = read_table(source)
    if len(choices.images) == 1 and choices.images[0].suffix.lower() == ".npy":
        return _beside_an_array(table, choices.images[0], choices)
    if table.column("file") is not None:
        return _of_files(table, source, choices)
    return _of_mosaics(table, choices)


def from_table(table: Columns, choices: Choices, names: list[str], form: str, plane: Callable[[int], Plane], **about: Any) -> Gathered:
    """Rows of a table with the columns of classes, splits and positions that it has."""
    label = table.column("label", choices.labels)
    soft = soft_labels(table, choices.classes) if label is None else {}
    if label is None and not soft:
        do = "Name the column of classes by --labels."
        raise DataRefusal(table.where, f"no column of classes among {', '.join(table.values)}", "one such as label or class", do)
    split = table.column("split", choices.split, "--split")
    sky, nowhere = positions(table), np.full(len(table), np.nan)
    ra, dec = (nowhere, nowhere) if sky is None else sky
    splits = None if split is None else table.text(split)
    read = [table.column(what) for what in ("file", "source_id", "ra", "dec", "row")] + [split]
    about["notes"] = tuple(_other_columns(table, label, {*read, *(f"p_{name}" for name in soft), *soft}))
    likely = [list(soft)[place] for place in np.argmax(list(soft.values()), 0)] if soft else []
    labels = likely if label is None else ["" if word in NO_CLASS - set(choices.classes) else word for word in table.text(label)]
    return Gathered(table.where, form, names, labels, splits, ra, dec, plane, soft=soft, **about)


def _other_columns(table: Columns, label: str | None, read: set[str | None]) -> Iterator[str]:
    """A note on which column holds the classes, and which are not read."""
    others = [name for name in table.values if name != label and name not in read]
    if others:
        yield (f"classes are those of column {label}; " if label else "") + f"columns that are not read: {some_of(others, SHOWN)}"


def named(table: Columns, fallback: Sequence[str]) -> list[str]:
    """Names of the rows: a column of names, or ``fallback``; refused where one occurs twice."""
    column = table.column("source_id")
    names = list(fallback) if column is None else table.text(column)
    twice = [name for name, count in Counter(names).items() if count > 1]
    if column is not None and twice:
        rows = sum(names.count(name) for name in twice)
        raise DataRefusal(table.where, f"{column} is {twice[0] or 'empty'} in {rows:,} rows", "a name of its own for each", "Correct it.")
    return names


def _class_folder(source: Path, choices: Choices) -> Gathered:
    listed = subfolders(source)
    folders = images_in(listed)
    if not folders:
        found = f"a folder without images ({some_of(SUFFIXES, SHOWN)}) in subfolders"
        raise DataRefusal(source, found, FORMS, "Put the images of each class into a folder of its name.")
    files = [file for inside in folders.values() for file in inside]
    labels = [name for name, inside in folders.items() for _ in inside]
    names = short_names(files, [f"{label}/{file.name}" for label, file in zip(labels, files, strict=True)])
    nowhere = np.full(len(files), np.nan)
    form, notes = f"a folder per class ({len(folders)})", (*unread(listed), *of_no_class(source), *same_stems(files))
    return Gathered(str(source), form, names, labels, None, nowhere, nowhere, _reader(files), notes=notes)


def _of_files(table: Columns, source: Path, choices: Choices) -> Gathered:
    """A table with a column of files, beside it or in the folder that is named."""
    column = table.column("file")
    assert column is not None
    folder = choices.images[0] if choices.images else source.parent
    words = table.text(column)
    if empty := [place for place, word in enumerate(words, 1) if not word]:
        raise DataRefusal(table.where, f"{column} is empty in {len(empty):,} rows (first: row {empty[0]})", "a file in each", "Fill it in.")
    files = [folder / word for word in words]
    absent = [file for file in files if not file.is_file()]
    if absent:
        do = "Name their folder by --images." if len(absent) == len(files) else "Correct the table."
        raise DataRefusal(table.where, f"{len(absent):,} of {len(files):,} files are not there (first: {absent[0]})", "all of them", do)
    names = named(table, short_names(files, words))
    rows = from_table(table, choices, names, "a table of files", _reader(files))
    _refuse_two_labels(table.where, words, rows.labels)
    return replace(rows, notes=(*rows.notes, *same_stems(files)))


def _reader(files: Sequence[Path]) -> Callable[[int], Plane]:
    return lambda row: read_plane(files[row])


def _refuse_two_labels(where: str, files: Sequence[str], labels: Sequence[str]) -> None:
    """Refuse a file that two rows give two classes."""
    by_file: dict[str, str] = {}
    for file, label in zip(files, labels, strict=True):
        if by_file.setdefault(file, label) != label:
            count = sum(len({label for other, label in zip(files, labels, strict=True) if other == each}) > 1 for each in set(files))
            found = f"{file} is {by_file[file] or 'empty'} in one row and {label or 'empty'} in another ({count} such files)"
            raise DataRefusal(where, found, "one class for each file", "Decide on one.")


def _of_mosaics(table: Columns, choices: Choices) -> Gathered:
    """A table of positions beside images that hold them."""
    if not choices.images and (names := [name for name in table.values if _names_images(table.text(name))]):
        raise DataRefusal(table.where, f"file names in column {names[0]}, and no column 'file'", "a column 'file'", f"Rename {names[0]}.")
    if positions(table) is None:
        found = f"columns {', '.join(table.values)}: neither files nor positions"
        raise DataRefusal(table.where, found, "a column 'file', or 'ra' and 'dec'", "Rename the columns.")
    files = mosaic_files(choices.images)
    if not files:
        raise DataRefusal(table.where, "positions, and no images", "the images that hold them", "Name them by --images.")
    which, opened, notes = _mosaic_of(table, files, choices.side or MIRABEST.side)

    def plane(row: int) -> Plane:
        if which[row] < 0:
            raise ImageRefusal("outside", names[row], f"in none of {len(files)} images", "a position inside", "Add its image.")
        return opened(files[which[row]])

    names = named(table, [f"row-{place}" for place in range(1, len(table) + 1)])
    about = {"at_positions": True, "unnamed": table.column("source_id") is None, "held_by": which}
    rows = from_table(table, choices, names, f"a table of positions in {len(files)} images", plane, **about)
    return replace(rows, notes=(*rows.notes, *notes))


def _names_images(words: Sequence[str]) -> bool:
    return all(word.lower().endswith(SUFFIXES) for word in words)


def _mosaic_of(table: Columns, files: Sequence[Path], side: int) -> tuple[np.ndarray, Callable[[Path], Plane], list[str]]:
    """Which image holds each position (-1 for none), how to open one (the last few stay open), and what was decided for the user.

    One that has pixels there goes before others, then one in which the whole cutout lies, then the first.
    """
    from astropy import units
    from astropy.coordinates import SkyCoord

    opened = lru_cache(OPEN_MOSAICS)(read_plane)
    places = positions(table)
    assert places is not None
    which, worth = np.full(len(table), -1), np.zeros(len(table), int)
    usable, corners = np.flatnonzero(np.isfinite(places[0]) & np.isfinite(places[1])), {}
    for number, file in enumerate(files):
        sky = opened(file).sky
        if sky.wcs is None:
            raise DataRefusal(file, "no sky positions in its header", "a FITS image with a WCS", "Leave it out.")
        columns, rows = sky.wcs.world_to_pixel(SkyCoord(places[0][usable] * units.deg, places[1][usable] * units.deg))
        height, width = sky.pixels.shape
        corners[number] = corners_of(sky.wcs, (height, width))
        edge = np.min([rows, columns, height - 1 - rows, width - 1 - columns], axis=0) + 0.5
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width) & (worth[usable] < WHOLE)
        for place, row, column, beside in zip(usable[inside], rows[inside], columns[inside], edge[inside], strict=True):
            value = (1 + (beside >= side / 2)) * _has_pixels(sky.pixels, int(row + 0.5), int(column + 0.5))
            if value > worth[place] or which[place] < 0:
                which[place], worth[place] = number, value
    if (which < 0).all():
        hours = " Are they hours?" if np.nanmax(places[0]) <= 24 else ""
        raise DataRefusal(
            table.where, f"none of {len(table):,} positions lies in {len(files)} images", "some of them", f"Check both.{hours}"
        )
    return which, opened, list(first_taken([[files[number] for number in group] for group in same_pixels(corners)]))


def _has_pixels(pixels: Any, row: int, column: int) -> bool:
    """Are there finite pixels that differ around a place? Mosaics are blank, or all alike, where nothing was observed."""
    window = np.asarray(pixels[max(row - AROUND, 0) : row + AROUND + 1, max(column - AROUND, 0) : column + AROUND + 1])
    return bool(np.isfinite(window).all() and window.min() < window.max())


def _beside_an_array(table: Columns, path: Path, choices: Choices) -> Gathered:
    """A table whose rows go with the images of an NPY array."""
    try:
        images = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:
        raise DataRefusal(path, f"cannot be read ({error})", "an NPY array of images", "Check the file.") from None
    return of_stack(images, str(path), table, choices, "an array beside a table")


def of_stack(images: Any, where: str, table: Columns, choices: Choices, form: str) -> Gathered:
    """Images (count, height, width) with a table of as many rows in their order."""
    if images.ndim < 3:
        shape = " x ".join(map(str, images.shape))
        raise DataRefusal(where, f"an array of {shape}", "images, count x height x width", "Store it so.")
    if len(images) != len(table):
        found = f"{len(images):,} images, and {len(table):,} rows in {table.where}"
        raise DataRefusal(where, found, "a row for each image", "Correct one of the two.")
    refuse_other_order(table)
    width = len(str(len(table) - 1))
    names = named(table, [f"image-{place:0{width}d}" for place in range(len(table))])
    plane = lambda row: of_array(np.asarray(images[row]), names[row])
    return from_table(table, choices, names, form, plane, unnamed=table.column("source_id") is None)


def _array_table(folder: Path) -> Path | None:
    """The one table beside a folder's images.npy; None where there is none."""
    if not (folder / ARRAY).is_file():
        return None
    tables = [each for each in sorted(folder.iterdir()) if each.is_file() and is_table(each)]
    return tables[0] if len(tables) == 1 else None
