"""Image files by the names that a command was given."""

from collections.abc import Sequence
from pathlib import Path

from equiradio.errors import ImageRefusal
from equiradio.sky import fits, own
from equiradio.sky.recipe import MIRABEST, Recipe


def suffixes(recipe: Recipe) -> tuple[str, ...]:
    """How names of files end that can become images by a recipe."""
    return fits.SUFFIXES if recipe == MIRABEST else own.SUFFIXES


def image_files(given: Sequence[Path], recipe: Recipe = MIRABEST) -> list[Path]:
    """The files named, and those of the folders named whose suffix is that of an image by this recipe, by name.

    Raises
    ------
    ImageRefusal : a folder without any. A file that is missing is a matter of its own row.
    """
    files: list[Path] = []
    endings = suffixes(recipe)
    for path in given:
        inside = sorted(file for file in path.iterdir() if file.name.lower().endswith(endings)) if path.is_dir() else [path]
        if not inside:
            words = f"a folder without any {', '.join(endings)}"
            raise ImageRefusal("missing", path, words, "at least one image", "Name files, or another folder.")
        files += inside
    return files
