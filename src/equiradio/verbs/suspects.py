"""Files in whose reading a run died: the next run tries them in a process of their own, and flags those that end that one too."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from equiradio.artefacts.atomic import write_json
from equiradio.artefacts.job import read_job
from equiradio.errors import ImageRefusal
from equiradio.inference import reading
from equiradio.printable import printable
from equiradio.sky.images import Cutout

NOTE, DEATHS = "reading.txt", "deaths.json"  # in the folder of parts: the file being read; file -> runs that died in it
SECONDS = 60.0  # that a suspected file may take
CERTAIN = 2  # runs that died in a file: then it is not tried again
TRY = """
import contextlib, json, sys
sys.path[:] = {path!r}
from equiradio.sky.fits import read_cutout
with contextlib.suppress(Exception):
    read_cutout(sys.argv[1], **json.loads(sys.argv[2]))
"""


class Reader:
    """Reads files one after the other, with a note in the folder of parts of the one in hand; clean ends leave the note empty."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.deaths = _deaths(folder)
        self.note = (folder / NOTE).open("wb", buffering=0)

    def read(self, number: int, source: Any, **options: Any) -> Cutout | ImageRefusal:
        """As `reading.read_any`."""
        name = printable(str(source))
        if name in self.deaths and (why := self._why_not(name, source, options)):
            return ImageRefusal("damaged", source, why, "a file that can be read", "Fetch it again, or leave it out.")
        self._hold(name)
        try:
            return reading.read_any(number, source, **options)
        finally:
            self._hold("")

    def close(self) -> None:
        self._hold("")
        self.note.close()

    def _why_not(self, name: str, source: Any, options: dict[str, Any]) -> str:
        """Why a suspected file is not read; empty where it was no fault of its own."""
        if self.deaths[name] >= CERTAIN:
            return f"{self.deaths[name]} runs died while they read it"
        return "reading it ended an earlier run, and a process of its own" if ends_its_process(source, options) else ""

    def _hold(self, name: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # a full disk, which the next part is refused for; closed after an interruption
            self.note.seek(0)
            self.note.truncate()
            self.note.write(name.encode())


def _deaths(folder: Path) -> dict[str, int]:
    """How many runs died in which file, the last one included."""
    deaths = {name: count for name, count in (read_job(folder / DEATHS) or {}).items() if type(count) is int}
    with contextlib.suppress(OSError):
        if name := (folder / NOTE).read_text(encoding="utf-8", errors="replace"):
            deaths[name] = deaths.get(name, 0) + 1
            write_json(folder / DEATHS, deaths)
    return deaths


def ends_its_process(file: Any, options: dict[str, Any]) -> bool:
    """Does a process that reads this file die, or take more than `SECONDS`?"""
    given = json.dumps({key: value for key, value in options.items() if key not in ("limits", "recipe")})
    command = [sys.executable, "-W", "ignore", "-c", TRY.format(path=sys.path), os.fspath(file), given]
    try:
        return subprocess.run(command, capture_output=True, timeout=SECONDS, check=False).returncode != 0
    except subprocess.TimeoutExpired:
        return True
