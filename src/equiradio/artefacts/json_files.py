"""JSON files of ours, read into what they should hold: a value of another type is refused where it is read, not where it is used."""

import json
import math
from contextlib import suppress
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints, is_typeddict

from equiradio.errors import Refusal, refused_as

LARGEST = 2**63  # whole numbers from here on fit into no column


def read_json(path: Path, shape: Any, kind: type[Refusal], expected: str, do: str) -> Any:
    """What a JSON file holds, of this ``shape``: see `check`.

    Raises
    ------
    kind : a file that is missing, damaged or of another shape.
    """
    with refused_as(kind, path, expected, do):
        content = json.loads(path.read_text(encoding="utf-8"))
        check(content, shape)
        return content


def check(value: Any, shape: Any, name: str = "it") -> None:
    """Compare a value from JSON with a type: Any, None, bool, int, float (finite), str, lists, dicts and unions of such.

    A TypedDict or a dataclass stands for an object with its fields; further fields may hold anything.

    Raises
    ------
    TypeError : it does not fit.
    """
    origin, parts = get_origin(shape), get_args(shape)
    if shape is Any or (value is None and NoneType in (shape, *parts)):
        return
    if origin in (Union, UnionType):
        _check_one_of([part for part in parts if part is not NoneType], value, name)
    elif origin is list:
        _refuse_unless(isinstance(value, list), value, "a list", name)
        for number, item in enumerate(value):
            check(item, parts[0], f"{name}[{number}]")
    elif origin is dict or is_typeddict(shape) or is_dataclass(shape):
        _refuse_unless(isinstance(value, dict), value, "an object", name)
        _check_fields(value, shape, name)
    else:
        _refuse_unless(_is(value, shape), value, shape.__name__, name)


def _check_fields(content: dict[str, Any], shape: Any, name: str) -> None:
    """Compare the fields of an object with those of a TypedDict, a dataclass or a dict of one type."""
    if get_origin(shape) is dict:
        shapes, required = dict.fromkeys(content, get_args(shape)[1]), set[str]()
    else:
        shapes, required = get_type_hints(shape), _required(shape)
    if lacking := sorted(required - content.keys()):
        raise TypeError(f"{name} lacks {', '.join(map(repr, lacking))}")
    for key in shapes.keys() & content.keys():
        check(content[key], shapes[key], f"{name}.{key}")


def _required(shape: Any) -> set[str]:
    if is_typeddict(shape):
        return set(shape.__required_keys__)
    return {spec.name for spec in fields(shape) if spec.default is MISSING and spec.default_factory is MISSING}


def _check_one_of(shapes: list[Any], value: Any, name: str) -> None:
    for shape in shapes[:-1]:
        with suppress(TypeError):
            return check(value, shape, name)
    return check(value, shapes[-1], name)


def _is(value: Any, shape: type) -> bool:
    if isinstance(value, bool):
        return shape is bool
    if isinstance(value, int | float) and not abs(value) < LARGEST:
        return shape is float and isinstance(value, float) and math.isfinite(value)
    return isinstance(value, int | float) if shape is float else isinstance(value, shape)


def _refuse_unless(fits: bool, value: Any, what: str, name: str) -> None:
    if not fits:
        raise TypeError(f"{name} is {repr(value)[:40]}, not {what}")
