"""Sets of sources that are offered: data sets by name, folders of images, and uploads."""

import itertools
import math
import threading
from pathlib import Path
from typing import Any

from equiradio.datasets.sources import Sources
from equiradio.errors import DataRefusal
from equiradio.printable import apart, printable
from equiradio.serve.held import Held, Shelf
from equiradio.serve.reading import read_source
from equiradio.serve.refusals import NotOffered
from equiradio.sky.beams import Beam
from equiradio.sky.listing import images_among, passed_over, suffixes
from equiradio.sky.recipe import MIRABEST, Recipe

MOST_FILES = 20_000


class DataSet:
    """A data set by name, read when first asked for."""

    def __init__(self, name: str, where: str, data_dir: Path | None) -> None:
        self.name, self._where, self._data_dir = name, where, data_dir
        self._sources: Sources | None = None
        self._rows: dict[str, int] = {}
        self._lock = threading.Lock()

    def sources(self) -> Sources:
        from equiradio.datasets.registry import open_data

        with self._lock:
            if self._sources is None:
                self._sources = open_data(self._where, self._data_dir)
                self._rows = {str(name): row for row, name in enumerate(self._sources.source_ids)}
            return self._sources

    def listing(self) -> list[dict[str, Any]]:
        """Every source: name, label, split, confidence."""
        sources = self.sources()
        columns = zip(sources.source_ids, sources.labels, sources.split, sources.confidence, strict=True)
        return [
            {
                "key": f"{self.name}/{name}",
                "name": str(name),
                "label": sources.classes.name_of(int(label)),
                "split": str(split),
                "confidence": str(sure),
            }
            for name, label, split, sure in columns
        ]

    def get(self, name: str) -> Held:
        sources = self.sources()
        if name not in self._rows:
            raise NotOffered("source", name, f"a source of {self.name}", "Choose one of its list.")
        row, recipe = self._rows[name], sources.recipe
        return Held(
            f"{self.name}/{name}",
            name,
            sources.images[row],
            position=position_of(sources, row),
            arcsec_per_pixel=recipe.scale_arcsec or None,
            beam=Beam.of([recipe.beam_arcsec]) if recipe.beam_arcsec else None,
            pixel_arcsec=recipe.scale_arcsec or None,
            measurable=recipe == MIRABEST,
            label=sources.classes.name_of(int(sources.labels[row])),
            confidence=str(sources.confidence[row]),
        )


def position_of(sources: Sources, row: int) -> tuple[float, float] | None:
    """Right ascension and declination of a source in degrees; None where the data set does not know."""
    if sources.ra_deg is None or sources.dec_deg is None:
        return None
    place = float(sources.ra_deg[row]), float(sources.dec_deg[row])
    return place if all(map(math.isfinite, place)) else None


class ImageFolder:
    """Image files under a folder, as they were when the viewer started, by the folder's name: a request can name nothing else.

    They become images by a recipe, that of the networks which are to answer about them.

    Attributes
    ----------
    beyond : how many more images than `MOST_FILES` there are, which are left out.
    passed_over : how many pictures there are that the recipe does not take, in words; empty where there are none.

    Raises
    ------
    DataRefusal : there is no such folder, or no image in it.
    """

    def __init__(self, folder: Path, recipe: Recipe = MIRABEST) -> None:
        endings = suffixes(recipe)
        self._recipe, expected = recipe, f"a folder with files ending in {', '.join(endings)}"
        if not folder.is_dir():
            raise DataRefusal(folder, "a file" if folder.exists() else "no such folder", expected, "Correct --images.")
        self._files: dict[str, Path] = {}
        self.beyond = 0
        root = folder.resolve()
        self.name = printable(root.name) or "images"
        inside = (path for path in root.rglob("*") if path.is_file() and path.resolve().is_relative_to(root))  # a link may lead out
        images, others = images_among(inside, endings)
        self.passed_over = passed_over(others, endings) if others else ""
        for path in images:
            if len(self._files) == MOST_FILES:
                self.beyond += 1
            else:
                self._files[apart(printable(path.relative_to(root).as_posix()), self._files)] = path
        if not self._files:
            raise DataRefusal(folder, "no image in it", expected, "Correct --images.")
        self._named: dict[str, list[str]] = {}
        for name, path in self._files.items():
            self._named.setdefault(printable(path.name), []).append(name)

    def key_of(self, file: str) -> str | None:
        """The key of the image whose path ends like this one in most parts; None where there is none, or where two do."""
        asked = Path(file)
        alike = {name: _alike(asked, Path(printable(str(self._files[name])))) for name in self._named.get(asked.name, ())}
        best = [name for name, count in alike.items() if count == max(alike.values())]
        return f"{self.name}/{best[0]}" if len(best) == 1 else None

    @property
    def keys(self) -> list[str]:
        """Keys of all images, in the order of their names."""
        return [f"{self.name}/{name}" for name in self._files]

    def path_of(self, key: str) -> Path | None:
        """The file of a key; None for one of another set."""
        folder, _, name = key.partition("/")
        return self._files.get(name) if folder == self.name else None

    def listing(self) -> list[dict[str, Any]]:
        return [{"key": f"{self.name}/{name}", "name": name, "label": None, "split": "", "confidence": ""} for name in self._files]

    def get(self, name: str) -> Held:
        if name not in self._files:
            raise NotOffered("source", name, f"an image of {self.name}, offered with --images", "Choose one of the list.")
        path = self._files[name]
        return read_source(path, printable(path.name), f"{self.name}/{name}", self._recipe)


def _alike(one: Path, other: Path) -> int:
    """How many parts are the same, from the last backward."""
    pairs = zip(reversed(one.parts), reversed(other.parts), strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


class Sets:
    """All sets by name, uploads among them."""

    def __init__(self, sets: list[Any]) -> None:
        self.by_name: dict[str, Any] = {}
        for each in sets:
            each.name = apart(each.name, {*self.by_name, "upload"})
            self.by_name[each.name] = each
        self.shelf = Shelf()

    def names(self) -> list[str]:
        return [*self.by_name, "upload"]

    def listing(self, name: str) -> list[dict[str, Any]]:
        if name == "upload":
            held = self.shelf.all()
            return [{"key": source.key, "name": source.name, "label": None, "split": "", "confidence": ""} for source in held]
        if name not in self.by_name:
            raise NotOffered("set", name, ", ".join(self.names()), "Choose one of these.")
        return self.by_name[name].listing()

    def get(self, key: str) -> Held:
        """The source of a key ``<set>/<name>``."""
        name, slash, rest = key.partition("/")
        if name == "upload" and slash:
            return self.shelf.get(key)
        if name not in self.by_name or not slash:
            raise NotOffered("source", key, f"SET/NAME with SET one of {', '.join(self.names())}", "Choose one of the list.")
        return self.by_name[name].get(rest)


def data_sets(names: list[str], data_dir: Path | None) -> list[DataSet]:
    """The data sets asked for, a folder under its own name; by default MiraBest where it is here, and `simulated`.

    Raises
    ------
    DataRefusal : there is no such data set and no such folder.
    """
    from equiradio.datasets.mirabest import find_mirabest
    from equiradio.datasets.registry import check_name
    from equiradio.folders import data_folder

    if not names:
        here = find_mirabest(data_dir or data_folder()) is not None
        names = [*(["mirabest"] if here else []), "simulated"]
    sets = []
    for name in names:
        check_name(name)
        short = Path(name).resolve().name if Path(name).is_dir() else name
        sets.append(DataSet(short, name, data_dir))
    return sets
