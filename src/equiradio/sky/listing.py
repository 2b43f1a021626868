"""Image files by the names that a command was given, and the pictures among them that nobody takes."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from equiradio.errors import ImageRefusal
from equiradio.sky import fits, own
from equiradio.sky.recipe import MIRABEST, Recipe

Note = Callable[[str], object]


def suffixes(recipe: Recipe) -> tuple[str, ...]:
    """How names of files end that can become images by a recipe."""
    return fits.SUFFIXES if recipe == MIRABEST else own.SUFFIXES


def image_files(given: Sequence[Path], recipe: Recipe = MIRABEST, note: Note = lambda line: None) -> list[Path]:
    """The files named, and those of the folders named whose suffix is that of an image by this recipe, by name.

    ``note`` is given a line for each folder with pictures of other suffixes.

    Raises
    ------
    ImageRefusal : a folder without any. A file that is missing is a matter of its own row.
    """
    files: list[Path] = []
    endings = suffixes(recipe)
    for path in given:
        inside, others = images_among(path.iterdir(), endings) if path.is_dir() else ([path], 0)
        if not inside:
            words = f"a folder without any {', '.join(endings)}"
            raise ImageRefusal("missing", path, words, "at least one image", "Name files, or another folder.")
        if others:
            note(f"{path}: {passed_over(others, endings)}; this model takes {', '.join(endings)}")
        files += inside
    return files


def images_among(files: Iterable[Path], endings: tuple[str, ...]) -> tuple[list[Path], int]:
    """Of files those whose names end in one of these, by name; and how many of the others are pictures."""
    inside, others = [], 0
    for file in files:
        name = file.name.lower()
        if name.endswith(endings):
            inside.append(file)
        else:
            others += name.endswith(own.SUFFIXES)
    return sorted(inside), others


def passed_over(count: int, endings: tuple[str, ...]) -> str:
    """So many pictures that do not end in one of these, in words."""
    return f"{count:,} of {', '.join(ending for ending in own.SUFFIXES if ending not in endings)} passed over"
