"""A claim on a run folder: one process at a time works in it, on whichever of the machines that share the disk.

The claim is the file ``<folder>.lock`` beside the folder. Creating it is atomic (O_EXCL, also on NFS from version 3). Its holder touches it
every `BEAT` seconds. One that has not been touched for `STALE` seconds, by the clock of the disk, is taken over; so is one whose
process is gone, at once, if that ran on this machine. A holder that was overtaken (its machine slept) stops at its next check.
"""

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from equiradio.errors import RunRefusal

BEAT, STALE = 20.0, 300.0  # seconds


class Claimed(RunRefusal):
    """Somebody else works in this folder."""


class Claim:
    """A claim that is held; see `claimed`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder, lock_file(folder)
        self.content = {
            "host": socket.gethostname(),
            "process": os.getpid(),
            "token": uuid.uuid4().hex,
            "since": time.strftime("%FT%TZ", time.gmtime()),
        }
        self._done = threading.Event()

    def check(self) -> None:
        """Refuse to go on where the claim was lost."""
        if _read(self.file).get("token") != self.content["token"]:
            do = "Leave the other one to it; finished epochs are kept."
            raise Claimed(self.folder, "another process took this run over while this one was not heard of", "a claim that is kept", do)

    def take(self) -> None:
        """Create the lock file, or refuse."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(2):
            with suppress(FileExistsError):
                handle = os.open(self.file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    json.dump(self.content, file)
                threading.Thread(target=self._beat, daemon=True).start()
                return
            if not _abandoned(self.file):
                break
            _clear(self.file)
        holder = _read(self.file)
        busy = f"process {holder.get('process', '?')} on {holder.get('host', '?')} works in it since {holder.get('since', '?')}"
        do = f"Wait for it. If it is gone, its lock {self.file.name} is taken over after {STALE / 60:.0f} minutes."
        raise Claimed(self.folder, busy, "a folder that nobody else trains in", do)

    def release(self) -> None:
        """Remove the lock file if it is still ours."""
        self._done.set()
        if _read(self.file).get("token") == self.content["token"]:
            self.file.unlink(missing_ok=True)

    def _beat(self) -> None:
        while not self._done.wait(BEAT):
            with suppress(OSError):
                if _read(self.file).get("token") == self.content["token"]:
                    os.utime(self.file)


@contextmanager
def claimed(folder: Path) -> Iterator[Claim]:
    """Hold the claim on a run folder for a while.

    Raises
    ------
    Claimed : another process holds it.
    """
    claim = Claim(folder)
    claim.take()
    try:
        yield claim
    finally:
        claim.release()


def lock_file(folder: Path) -> Path:
    """``<folder>.lock``, beside the folder; the same however the folder is spelled or linked to."""
    folder = folder.resolve()
    return folder.with_name(f"{folder.name}.lock")


def is_claimed(folder: Path) -> bool:
    """Does a process that is alive, as far as one can tell, hold the claim?"""
    return lock_file(folder).exists() and not _abandoned(lock_file(folder))


def _read(file: Path) -> dict[str, Any]:
    """What a lock says; empty where it is gone or half-written."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return content if isinstance(content, dict) else {}
    except (OSError, ValueError, RecursionError):
        return {}


def _abandoned(file: Path) -> bool:
    holder = _read(file)
    if holder.get("host") == socket.gethostname() and isinstance(holder.get("process"), int) and not _alive(holder["process"]):
        return True
    with suppress(OSError):
        return _disk_time(file.parent) - file.stat().st_mtime > STALE
    return True  # gone


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):  # there is no such process, or there cannot be
        return False
    except OSError:
        return True  # another user's
    return True


def _disk_time(folder: Path) -> float:
    """The disk's own clock: machines that share it may disagree about the time."""
    probe = folder / f".{uuid.uuid4().hex}.clock"
    try:
        probe.touch()
        return probe.stat().st_mtime
    finally:
        probe.unlink(missing_ok=True)


def _clear(file: Path) -> None:
    """Take an abandoned lock away; if another process replaced it meanwhile, put that one back."""
    aside = file.with_name(f".{file.name}.{uuid.uuid4().hex}")
    before = _read(file)
    with suppress(OSError):
        os.rename(file, aside)
        if _read(aside) != before:
            with suppress(FileExistsError):
                os.link(aside, file)
        aside.unlink()
