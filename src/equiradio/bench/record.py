"""What a bench has measured so far, kept in a file after every measurement; and one measurement in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict, cast

from equiradio.artefacts.atomic import write_json
from equiradio.artefacts.json_files import read_json
from equiradio.bench.measurements import ChosenForms, Job, Measurement, Peaks
from equiradio.errors import Refusal, SettingRefusal


class Failed(TypedDict):
    """Why a program that a bench compares with cannot be measured."""

    why: str


class Measured(TypedDict):
    """What is gone on with of a bench's file."""

    once: dict[str, Peaks | ChosenForms | Failed]
    measurements: dict[str, list[Measurement]]


class Record:
    """Measurements by name, each a list with an entry per round; written to ``path`` after every addition where there is one.

    Raises
    ------
    SettingRefusal : the file holds something else, or a bench with other options or of another machine.
    """

    def __init__(self, path: Path | None, heading: Mapping[str, object]) -> None:
        self.path = path
        self.content: dict[str, Any] = json.loads(json.dumps(dict(heading))) | {"once": {}, "measurements": {}}
        if path is not None and path.exists():
            self._continue(_read(path), heading)
        self._write()

    @property
    def once(self) -> dict[str, Peaks | ChosenForms]:
        """What is measured once: the machine's peak, the forms of the layers."""
        return self.content["once"]

    @property
    def peaks(self) -> Peaks:
        """What the machine can do at most; it must be there."""
        return cast(Peaks, self.once["peaks"])

    def forms(self, name: str) -> ChosenForms:
        """The forms of the layers of a model and variant; they must be there."""
        return cast(ChosenForms, self.once[name])

    @property
    def measurements(self) -> dict[str, list[Measurement]]:
        """What is measured in every round, by name."""
        return self.content["measurements"]

    def has(self, name: str, turn: int) -> bool:
        """Has this round of a measurement been done?"""
        return len(self.measurements.get(name, [])) > turn

    def add(self, name: str, measured: Measurement) -> None:
        """Keep one round of a measurement."""
        self.measurements.setdefault(name, []).append(measured)
        self._write()

    def add_once(self, name: str, measured: Peaks | ChosenForms) -> None:
        """Keep what is measured once."""
        self.once[name] = measured
        self._write()

    def finish(self, summary: Mapping[str, object]) -> dict[str, Any]:
        """Add what follows from the measurements; everything there is."""
        self.content["summary"] = summary
        self._write()
        return self.content

    def _continue(self, before: dict[str, Any], heading: Mapping[str, object]) -> None:
        for part, wanted in self.content.items():
            if part in heading and before.get(part) != wanted:
                differing = [f"{key} {_value(before.get(part), key)}" for key in wanted if _value(before.get(part), key) != wanted[key]]
                raise SettingRefusal(
                    self.path, f"holds a bench with {', '.join(differing)}", f"the {part} of this one", "Name another --out, or delete it."
                )
        self.content = before

    def _write(self) -> None:
        if self.path is not None:
            write_json(self.path, self.content)


def _value(part: Any, key: str) -> Any:
    return part.get(key) if isinstance(part, dict) else None


def _read(path: Path) -> dict[str, Any]:
    return read_json(path, Measured, SettingRefusal, "a file that a bench has written, or none", "Name another --out.")


def run_job(job: Job | dict[str, str], threads: int) -> Any:
    """Have one of our own measurements made in a process of its own: see `bench.worker`."""
    return measure([sys.executable, "-W", "ignore", "-m", "equiradio.bench.worker", json.dumps(dict(job))], threads)


def measure(command: list[str], threads: int) -> Any:
    """Run a worker to its end and read the line of JSON that it prints last.

    Raises
    ------
    Refusal : it failed; the last line that it wrote to stderr is in the message.
    """
    chosen = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    try:
        answer = subprocess.run(command, capture_output=True, text=True, env=os.environ | chosen)
    except OSError as error:
        raise Refusal(command[0], f"cannot be started ({error.strerror})", "a python", "Check the path.") from None
    lines = answer.stdout.splitlines()
    if answer.returncode or not lines:
        last = (answer.stderr.strip().splitlines() or ["nothing on stderr"])[-1]
        raise Refusal(
            "bench", f"a worker ended with {answer.returncode} ({last})", "a measurement", "Fewer models, or more memory, may help."
        )
    return json.loads(lines[-1])
