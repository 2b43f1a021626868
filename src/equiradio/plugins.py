"""Modules that are found by being there: a file in a room, or an entry point of another package; imported when first asked for."""

import pkgutil
from importlib import import_module
from importlib.metadata import entry_points
from types import ModuleType


def names(package: str) -> list[str]:
    """Names of the modules of a package, such as ``equiradio.layers.forms``, and of the entry points in the group of that name; sorted."""
    return sorted(_places(package))


def module(package: str, name: str) -> ModuleType | None:
    """The module of that name, imported now; None where there is none."""
    place = _places(package).get(name)
    return None if place is None else import_module(place)


def modules(package: str, attribute: str) -> dict[str, ModuleType]:
    """All modules that have an attribute, by name; imports every one of them."""
    modules = {name: import_module(place) for name, place in sorted(_places(package).items())}
    return {name: each for name, each in modules.items() if hasattr(each, attribute)}


def _places(package: str) -> dict[str, str]:
    """Where each module is imported from, by name. Entry points go before files; to look for them reads every installed package."""
    room = import_module(package)
    inside = {each.name: f"{package}.{each.name}" for each in pkgutil.iter_modules(room.__path__) if not each.name.startswith("_")}
    named = {point.name: point.module for point in reversed(list(entry_points(group=package)))}  # the first of a name counts
    return inside | named
