"""Data sets by name, or from a folder.

A data set is a module of this package, or an entry point of the group ``equiradio.datasets``, named as the data set up to its first dash
(``mirabest`` holds ``mirabest-hybrid``). It is found by being there and imported on first use. It has

- ``DATASETS``: name -> what it is, in a line;
- ``load(name, data_dir)``: its `Sources`;

and may have ``where(data_dir)`` (where it lies, in words), ``fetch(data_dir)`` (download it and return its path) and
``verify(data_dir)`` (a list of `Check`). A data set that can be fetched owns its name: no folder may take it. Several joined by ``+`` are
one (`equiradio.datasets.union`), and ``@2of5`` behind a name chooses a fold (`equiradio.datasets.folds`).
"""

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np

from equiradio import plugins
from equiradio.datasets.folder import read_folder
from equiradio.datasets.folds import fold_of, in_fold
from equiradio.datasets.imports.gathering import is_source
from equiradio.datasets.sources import Sources
from equiradio.errors import DataRefusal, nearest

ROOM = "equiradio.datasets"


def data_sets() -> dict[str, ModuleType]:
    """Every data set by name and the module that loads it; imports them all."""
    return {name: each for each in plugins.modules(ROOM, "DATASETS").values() for name in each.DATASETS}


def module_of(name: str) -> ModuleType | None:
    """The module that loads a data set; None where there is none of that name."""
    each = plugins.module(ROOM, name.partition("-")[0])
    return each if each is not None and name in getattr(each, "DATASETS", ()) else None


def open_data(name: str, data_dir: Path | None = None, classes: Sequence[str] = ()) -> Sources:
    """The sources of a data set.

    Parameters
    ----------
    name : a data set that ``equiradio data list`` names, the path of a folder (docs/reference/files.md) or of something to import
        (`equiradio.datasets.imports`), or several of these joined by ``+``; behind it ``@2of5`` for the second of five folds.
    data_dir : where data sets lie; default ``EQUIRADIO_DATA``, else the user's cache.
    classes : those wanted, in this order (the setting ``data.classes``); all of the data set where none is named.

    Raises
    ------
    DataRefusal : no such data set, or it cannot be read. SettingRefusal : a class that it does not have.
    """
    check_name(name)
    parts, (_, fold) = parts_of(name), fold_of(name)
    if len(parts) > 1:
        from equiradio.datasets.union import united

        sources = united([_open(part, data_dir) for part in parts], classes)
    else:
        sources = _open(parts[0], data_dir).only(classes)
    return in_fold(sources, fold) if fold else sources


def _open(name: str, data_dir: Path | None) -> Sources:
    """The sources of one data set or folder."""
    each = module_of(name)
    if each is not None:
        sources: Sources = each.load(name, data_dir)
        return sources
    if is_source(Path(name)):
        from equiradio.datasets.imports.building import read_source, with_notes

        return with_notes(*read_source(Path(name)))
    return read_folder(Path(name))


def parts_of(name: str) -> list[str]:
    """The data sets of a union, by name; of anything else itself; without a fold."""
    whole, _ = fold_of(name)
    return [whole] if Path(whole).exists() else whole.split("+")


def name_to_open(opened: str, name: str) -> str:
    """The ``name`` of sources that were ``opened`` by another, with "./" before each part that is no data set's but a folder's."""
    parts = parts_of(opened)
    names = name.split("+") if len(parts) > 1 else [name]
    return "+".join(own if module_of(part) else f"./{own}" for part, own in zip(parts, names, strict=True))


def is_data(name: str) -> bool:
    """Is there a data set, a folder or a file to import of that name, or a union of such?"""
    return all(part and (module_of(part) is not None or Path(part).is_dir() or is_source(Path(part))) for part in parts_of(name))


def check_name(name: str) -> None:
    """Raises a DataRefusal where there is neither a data set nor a folder of that name; reads none."""
    if len(parts := parts_of(name)) > 1:
        if twice := [part for part in dict.fromkeys(parts) if parts.count(part) > 1]:
            raise DataRefusal("data", f"'{name}' names {twice[0]} twice", "each data set once", "Name it once.")
        for part in parts:
            check_name(part)
    elif not is_data(parts[0]):
        names = list(data_sets())
        raise DataRefusal("data", f"'{parts[0]}' is not a data set nor a folder", ", ".join(names), nearest(parts[0], names))


def chosen_split(sources: Sources, split: str) -> Sources:
    """The sources of one split; refused where the data set has none."""
    if not (sources.split == split).any():
        present = ", ".join(f"{name} ({count:,})" for name, count in zip(*np.unique(sources.split, return_counts=True), strict=True))
        do = sources.elsewhere or "Choose one of these splits."
        raise DataRefusal(sources.where, f"no source is of split '{split}'", present or "some", do)
    return sources.of_split(split)
