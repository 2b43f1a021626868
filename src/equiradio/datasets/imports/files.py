"""Files of images in folders: those of each class, those that are no images, mosaics, and how they are called."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from glob import glob, has_magic
from pathlib import Path

from equiradio.datasets.imports.report import SHOWN
from equiradio.errors import DataRefusal
from equiradio.printable import some_of
from equiradio.sky.beside import other_words
from equiradio.sky.fits import FITS
from equiradio.sky.listing import images_among
from equiradio.sky.own import SUFFIXES


def class_folders(folder: Path) -> dict[str, list[Path]]:
    """The images in each subfolder that has some, by its name."""
    return images_in(subfolders(folder))


def images_in(inside: Mapping[str, Sequence[Path]]) -> dict[str, list[Path]]:
    """Of what lies in `subfolders` the images, where there are some."""
    listed = {name: [file for file in files if _is_image(file)] for name, files in inside.items()}
    return {name: files for name, files in listed.items() if files}


def subfolders(folder: Path) -> dict[str, list[Path]]:
    """What lies in each subfolder that is neither hidden nor a data set, by its name."""
    usable = lambda each: each.is_dir() and not each.name.startswith(".") and not (each / "dataset.json").exists()
    return {each.name: sorted(each.iterdir()) for each in sorted(folder.iterdir()) if usable(each)}


def _is_image(file: Path) -> bool:
    return file.name.lower().endswith(SUFFIXES)


def unread(inside: Mapping[str, Sequence[Path]]) -> Iterator[str]:
    """A note on each of `subfolders` that holds something else than images that are read, or nothing."""
    for name, files in inside.items():
        others = [file.name for file in files if not _is_image(file) and not file.name.startswith(".")]
        images = sum(map(_is_image, files))
        what = f"{len(others):,} of {len(others) + images:,} files in folder {name} are no images that are read ({some_of(others, SHOWN)})"
        if others or not images:
            yield (what if others else f"folder {name} is empty") + (": no source of this class" if not images else "")


def of_no_class(folder: Path) -> Iterator[str]:
    """A note on images that lie beside the folders of classes."""
    beside = [file.name for file in sorted(folder.iterdir()) if file.is_file() and _is_image(file)]
    if beside:
        yield f"{len(beside):,} images lie in no folder of a class, and are not read ({some_of(beside, SHOWN)})"


def short_names(files: Sequence[Path], paths: Sequence[str]) -> list[str]:
    """Names of files: their stems, and their paths where several have the same."""
    stems = [_stem(file) for file in files]
    counts = Counter(stems)
    return [stem if counts[stem] == 1 else path for stem, path in zip(stems, paths, strict=True)]


def same_stems(files: Sequence[Path]) -> Iterator[str]:
    """A note on files in several folders, or of several kinds, that have one name: sources in two classes, or pictures of one another."""
    twice = [stem for stem, count in Counter(_stem(file) for file in dict.fromkeys(files)).items() if count > 1]
    if twice:
        yield f"{len(twice):,} names of files occur more than once ({some_of(twice, SHOWN)}): the same source twice?"


def _stem(file: Path) -> str:
    name = file.name
    for suffix in sorted(SUFFIXES, key=len, reverse=True):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


def mosaic_files(given: Sequence[Path]) -> list[Path]:
    """FITS files that are named, those of named folders, and those that patterns match, by name; other maps by their names last.

    Raises
    ------
    DataRefusal : nothing there.
    """
    files: list[Path] = []
    for each in given:
        pattern = not each.exists() and has_magic(str(each))
        there = each.iterdir() if each.is_dir() else map(Path, glob(str(each), recursive=True)) if pattern else [each]
        images, _ = images_among(there, FITS)
        if not images:
            found = "a pattern that matches no FITS file" if pattern else "no FITS file, and no folder of some"
            raise DataRefusal(f"--images {each}", found, "FITS images, a folder of them, or a pattern in quotes", "Check the path.")
        files += sorted(images, key=lambda file: len(other_words(file)))
    return list(dict.fromkeys(files))


def first_taken(groups: Sequence[Sequence[Path]]) -> Iterator[str]:
    """A line where images have the same pixels: groups of such, each in the order in which they are taken."""
    if groups:
        words = sorted({word for group in groups for file in group for word in other_words(file)})
        last = f", other maps by their names last ({', '.join(words)})" if words else ""
        count, beside = sum(map(len, groups)), " and ".join(map(str, groups[0][:2]))
        yield f"{count:,} images have the same pixels as others ({beside}): the first is taken{last}. Name by --images those that are meant"
