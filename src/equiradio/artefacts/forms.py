"""Which form each steerable layer takes and what was measured: in a run's ``plan.json``, and for each machine in the user's cache."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from equiradio.artefacts.atomic import write_json
from equiradio.errors import RunRefusal
from equiradio.folders import user_cache

FORMS = ("dense", "fourier", "winograd")


@dataclass(frozen=True)
class Choice:
    """The form taken in one case, and milliseconds that each was measured to take (None where it was not measured)."""

    case: str
    form: str
    dense_ms: float | None = None
    fourier_ms: float | None = None
    winograd_ms: float | None = None


def write_choices(path: Path, choices: Mapping[str, Choice]) -> None:
    """Write choices as JSON, an object of case -> form, dense_ms, fourier_ms, winograd_ms."""
    write_json(path, {case: {key: value for key, value in asdict(choice).items() if key != "case"} for case, choice in choices.items()})


def read_choices(path: Path) -> dict[str, Choice]:
    """Choices by case; none where there is no such file.

    Raises
    ------
    RunRefusal : a file that `write_choices` has not written.
    """
    if not path.exists():
        return {}
    try:
        choices = {case: Choice(case, **values) for case, values in json.loads(path.read_text(encoding="utf-8")).items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise _damaged(path, f"cannot be read ({error})") from None
    for choice in choices.values():
        if choice.form not in FORMS:
            raise _damaged(path, f"form {choice.form!r} for {choice.case}")
    return choices


def _damaged(path: Path, found: str) -> RunRefusal:
    return RunRefusal(path, found, f"form ({', '.join(FORMS)}) and milliseconds for each case", "Delete it to measure again.")


def machine_file(machine: str) -> Path:
    """Where the choices measured on a machine are kept; ``machine`` names all that its timings depend on."""
    return user_cache() / "plans" / f"{hashlib.sha256(machine.encode()).hexdigest()[:16]}.json"
