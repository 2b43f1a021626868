"""Write the public Python names into docs/reference/python.md, between its markers: each with parameters and its docstring's first line.

Usage: python scripts/list_python.py            (from the repository's root)
"""

import importlib
import inspect
import json
import re
from functools import cached_property
from pathlib import Path

TARGET, RECORD = Path("docs/reference/python.md"), Path("tests/api_surface.json")
MARKERS = re.compile(r"(<!-- names: begin -->\n).*?(<!-- names: end -->)", re.DOTALL)
WITH_METHODS = ("Catalogue", "RadioGalaxyClassifier", "Team")  # classes that a user gets from a function and asks
PROPERTIES = (property, cached_property)
VALUES = {
    ("equiradio.labels", "FANAROFF_RILEY"): "The classes FRI and FRII; sources of neither are hybrids.",
    ("equiradio.labels", "UNKNOWN"): "Label of a source that is none of the classes, -1.",
    ("equiradio.models", "MODELS"): "Models that are listed by name.",
    ("equiradio.models", "TABLE1"): "Models of the paper's Table 1.",
    ("equiradio.symmetry", "BUILT"): "Orders of the groups that are offered by name.",
}


def parameters(thing: object) -> str:
    """Names of the parameters, with defaults; nothing for what cannot be called with any."""
    if getattr(thing, "_is_protocol", False):
        return ""
    try:
        signature = inspect.signature(thing)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return "()"
    bare = [each.replace(annotation=inspect.Parameter.empty) for each in signature.parameters.values() if each.name != "self"]
    return str(signature.replace(parameters=bare, return_annotation=inspect.Signature.empty))


def first_line(thing: object) -> str:
    return " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())


def row(name: str, thing: object, about: str = "") -> str:
    call = "" if about or isinstance(thing, PROPERTIES) else parameters(thing)
    text = about or first_line(thing)
    for plain, written in (("``", "`"), ("|", r"\|"), ("](", r"]\(")):  # K[o, g](p) is no link
        text = text.replace(plain, written)
    return f"| `{name}{call}` | {text} |"


def methods(name: str, kind: type) -> list[str]:
    """Its public methods and properties."""
    there = [(each, thing) for each, thing in vars(kind).items() if not each.startswith("_")]
    return [row(f"{name}.{each}", thing) for each, thing in there if inspect.isfunction(thing) or isinstance(thing, PROPERTIES)]


def names() -> list[str]:
    """A heading and a table for each public module."""
    lines = []
    for module, public in json.loads(RECORD.read_text(encoding="utf-8")).items():
        room = importlib.import_module(module)
        lines += [f"## `{module}`", "", "| name | what it is |", "|---|---|"]
        for name in public:
            thing = getattr(room, name)
            lines.append(row(name, thing, VALUES.get((module, name), "")))
            lines += methods(name, thing) if name in WITH_METHODS else []
        lines.append("")
    return lines


def filled(text: str) -> str:
    """The page with the names as they are."""
    assert MARKERS.search(text)
    content = "\n".join(["", *names(), ""])
    return MARKERS.sub(lambda match: f"{match[1]}{content}{match[2]}", text)


if __name__ == "__main__":
    TARGET.write_text(filled(TARGET.read_text(encoding="utf-8")), encoding="utf-8")
