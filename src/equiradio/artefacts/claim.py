"""A claim on a folder or file: one process at a time works in it, on whichever of the machines that share the disk.

The claim is the file ``<folder>.lock`` beside the folder. Creating it is atomic (O_EXCL, also on NFS from version 3). Its holder touches it
every `BEAT` seconds. One that has not been touched for `STALE` seconds, by the clock of the disk, is taken over; so is one whose
process is gone, at once, if that ran where this one can see it: on this machine since it was started, among the same processes (those
of containers are not each other's). A holder that was overtaken (its machine slept) stops at its next check.
"""

import json
import os
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from equiradio.artefacts.atomic import named
from equiradio.errors import RunRefusal
from equiradio.processes import is_gone, place, started

BEAT, STALE = 20.0, 300.0  # seconds
LOOK = 0.5  # seconds between two looks at a claim that is waited for


class Claimed(RunRefusal):
    """Somebody else works there."""


class Claim:
    """A claim that is held; see `claimed`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder, lock_file(folder)
        self.content = place() | {
            "process": os.getpid(),
            "started": started(os.getpid()),
            "token": uuid.uuid4().hex,
            "since": time.strftime("%FT%TZ", time.gmtime()),
        }
        self._done = threading.Event()

    def check(self) -> None:
        """Refuse to go on where the claim was lost."""
        if _read(self.file).get("token") != self.content["token"]:
            do = "Leave the other one to it; what was finished is kept."
            raise Claimed(self.folder, "another process took it over while this one was not heard of", "a claim that is kept", do)

    def take(self) -> None:
        """Create the lock file, or refuse."""
        with named(self.folder):
            self.file.parent.mkdir(parents=True, exist_ok=True)
            for _ in range(2):
                with suppress(FileExistsError):
                    self._create()
                    threading.Thread(target=self._beat, daemon=True).start()
                    return
                judged = _read(self.file)
                if not _abandoned(self.file):
                    break
                _clear(self.file, judged)
        holder = {key: " ".join(str(value).split())[:80] for key, value in _read(self.file).items()}
        busy = f"process {holder.get('process', '?')} on {holder.get('host', '?')} works in it since {holder.get('since', '?')}"
        do = f"Wait for it. If it is gone, its lock {self.file.name} is taken over after {STALE / 60:.0f} minutes."
        raise Claimed(self.folder, busy, "a place that nobody else works in", do)

    def release(self) -> None:
        """Remove the lock file if it is still ours."""
        self._done.set()
        if _read(self.file).get("token") == self.content["token"]:
            self.file.unlink(missing_ok=True)

    def _create(self) -> None:
        handle = os.open(self.file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(self.content, file)
        except OSError:
            self.file.unlink(missing_ok=True)
            raise

    def _beat(self) -> None:
        while not self._done.wait(BEAT):
            with suppress(OSError):
                if _read(self.file).get("token") == self.content["token"]:
                    os.utime(self.file)


@contextmanager
def claimed(folder: Path, patience: float = 0.0) -> Iterator[Claim]:
    """Hold the claim on a folder or file for a while; ``patience`` is how many seconds another holder is waited for.

    Raises
    ------
    Claimed : another process holds it.
    """
    claim, end = Claim(folder), time.monotonic() + patience
    while True:
        try:
            claim.take()
            break
        except Claimed:
            if time.monotonic() >= end:
                raise
            time.sleep(LOOK)
    try:
        yield claim
    finally:
        claim.release()


def lock_file(folder: Path) -> Path:
    """``<folder>.lock``, beside the folder; the same however the folder is spelled or linked to."""
    folder = folder.resolve()
    return folder.parent / f"{folder.name}.lock"


def is_claimed(folder: Path) -> bool:
    """Does a process that is alive, as far as one can tell, hold the claim?"""
    return lock_file(folder).exists() and not _abandoned(lock_file(folder))


def free_of(folders: Iterable[Path]) -> list[Path]:
    """Which of these folders nobody holds any more; waits until there is one, or until every holder has given a sign of life.

    The claim of a process that cannot be seen from here is void after `STALE` seconds of silence, so that this may take as long.
    """
    touched = {folder: _touched(lock_file(folder)) for folder in folders}
    while touched:
        free = [folder for folder in touched if not is_claimed(folder)]
        if free:
            return free
        touched = {folder: before for folder, before in touched.items() if _touched(lock_file(folder)) == before}
        time.sleep(min(LOOK, BEAT))
    return []


def _read(file: Path) -> dict[str, Any]:
    """What a lock says; empty where it is gone or half-written."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return content if isinstance(content, dict) else {}
    except (OSError, ValueError, RecursionError):
        return {}


def _touched(file: Path) -> int | None:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return None


def _abandoned(file: Path) -> bool:
    touched = _touched(file)
    return touched is None or _is_gone(_read(file)) or abs(_disk_time(file.parent) - touched / 1e9) > STALE


def _is_gone(holder: dict[str, Any]) -> bool:
    """Is the holder's process gone for certain?"""
    process = holder.get("process")
    if any(holder.get(key) != value for key, value in place().items()) or type(process) is not int or process < 1:
        return False
    return is_gone(process, str(holder.get("started") or ""))


def _disk_time(folder: Path) -> float:
    """The disk's own clock: machines that share it may disagree about the time. Where nothing can be written, this machine's."""
    probe = folder / f".{uuid.uuid4().hex}.clock"
    try:
        probe.touch()
        return probe.stat().st_mtime
    except OSError:
        return time.time()
    finally:
        with suppress(OSError):
            probe.unlink(missing_ok=True)


def _clear(file: Path, judged: dict[str, Any]) -> None:
    """Take a lock away whose content was judged abandoned; if another process replaced it meanwhile, put that one back."""
    aside = file.with_name(f".{file.name}.{uuid.uuid4().hex}")
    with suppress(OSError):
        os.rename(file, aside)
        if _read(aside) != judged:
            with suppress(FileExistsError):
                os.link(aside, file)
        aside.unlink()
