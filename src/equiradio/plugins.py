"""Modules that are found by being there: a file in a room, or an entry point of another package; imported when first asked for."""

import pkgutil
from importlib import import_module
from importlib.metadata import entry_points
from types import ModuleType


def names(package: str) -> list[str]:
    """Names of the modules of a package, such as ``equiradio.layers.forms``, and of the entry points in the group of that name; sorted."""
    room = import_module(package)
    inside = {each.name for each in pkgutil.iter_modules(room.__path__) if not each.name.startswith("_")}
    return sorted(inside | {point.name for point in entry_points(group=package)})


def module(package: str, name: str) -> ModuleType | None:
    """The module of that name, imported now; None where there is none."""
    if name not in names(package):
        return None
    for point in entry_points(group=package):
        if point.name == name:
            return import_module(point.module)
    return import_module(f"{package}.{name}")


def modules(package: str, attribute: str) -> dict[str, ModuleType]:
    """All modules that have an attribute, by name; imports every one of them."""
    modules = {name: module(package, name) for name in names(package)}
    return {name: each for name, each in modules.items() if each is not None and hasattr(each, attribute)}
