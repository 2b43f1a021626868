"""Which form each steerable layer takes and what was measured: in a run's ``forms.json``, and for each machine in the user's cache."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from equiradio.artefacts.atomic import write_json
from equiradio.errors import RunRefusal, refused_as
from equiradio.folders import user_cache

FILE, FOLDER = "forms.json", "forms"  # in a run, and in the user's cache
OLD_FILE, OLD_FOLDER, OLD_UNIT = "plan.json", "plans", "_ms"  # how older versions called them, and ended the keys of milliseconds


@dataclass(frozen=True)
class Choice:
    """The form taken in one case, and milliseconds that each form was measured to take; none where nothing was measured."""

    case: str
    form: str
    milliseconds: Mapping[str, float] = field(default_factory=dict)


def write_choices(path: Path, choices: Mapping[str, Choice]) -> None:
    """Write choices as JSON, an object of case -> form, milliseconds."""
    write_json(path, {case: {"form": choice.form, "milliseconds": dict(choice.milliseconds)} for case, choice in choices.items()})


def read_choices(path: Path) -> dict[str, Choice]:
    """Choices by case, from this file or from the one that an older version wrote in its place; none where there is neither.

    Raises
    ------
    RunRefusal : a file that `write_choices` has not written.
    """
    places = [path, *_older(path)]
    return next((_read(place) for place in places if place.exists()), {})


def _older(path: Path) -> list[Path]:
    """Where an older version would have written it."""
    if path.name == FILE:
        return [path.with_name(OLD_FILE)]
    return [path.parent.with_name(OLD_FOLDER) / path.name] if path.parent.name == FOLDER else []


def _read(path: Path) -> dict[str, Choice]:
    with refused_as(RunRefusal, path, "form and milliseconds for each case", "Delete it to measure again."):
        return {case: _choice(case, values) for case, values in json.loads(path.read_text(encoding="utf-8")).items()}


def _choice(case: str, values: Mapping[str, Any]) -> Choice:
    """Of one case; older versions wrote ``dense_ms``, ``fourier_ms`` and so on, null where a form was not tried."""
    given = dict(values)
    form, spent = given.pop("form"), given.pop("milliseconds", {})
    spent = spent | {name.removesuffix(OLD_UNIT): number for name, number in given.items() if name.endswith(OLD_UNIT)}
    other = [name for name in given if not name.endswith(OLD_UNIT)]
    if other or not isinstance(form, str):
        raise ValueError(f"{', '.join(other) or 'form'} of {case}")
    return Choice(case, form, {name: float(number) for name, number in spent.items() if number is not None})


def machine_file(machine: str) -> Path:
    """Where the choices measured on a machine are kept; ``machine`` names all that its timings depend on."""
    return user_cache() / FOLDER / f"{hashlib.sha256(machine.encode()).hexdigest()[:16]}.json"
