"""Which process holds or makes something, whether it is gone (locks, what a killed one left), and how much memory this one took."""

import hashlib
import os
import re
import socket
import sys
from contextlib import suppress
from pathlib import Path

MARK = re.compile(r"([0-9a-f]{8})-([1-9]\d*)-(\d*)")


def place() -> dict[str, str]:
    """Where process numbers mean the same: the host's name, its boot, and the process namespace; "" where the system has no such thing."""
    here = {"host": socket.gethostname(), "boot": "", "namespace": ""}
    with suppress(OSError):
        here["boot"] = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    with suppress(OSError):
        here["namespace"] = os.readlink("/proc/self/ns/pid")
    return here


def started(process: int) -> str:
    """When a process was started, by the system's own count; "" where that cannot be seen."""
    with suppress(OSError, IndexError):
        return Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
    return ""


def is_gone(process: int, since: str) -> bool:
    """Is a process of this place gone for certain? One of its number that was not started then is another one."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):  # another user's; no number of a process
        pass
    return bool(since) and started(process) not in ("", since)


def mark() -> str:
    """This process in the name of a file: its place, its number, and when it was started."""
    return f"{_place_hash()}-{os.getpid()}-{started(os.getpid())}"


def left_behind(name: str) -> bool:
    """Does a file's name hold the `mark` of a process of this place that is gone for certain? No where places cannot be told apart."""
    of = MARK.search(name)
    return of is not None and all(place().values()) and of[1] == _place_hash() and is_gone(int(of[2]), of[3])


def peak_mib() -> int | None:
    """Most memory that this process has held, MiB; None where the system does not tell, as Windows.

    Linux's own figure of this program is read first: ``ru_maxrss`` remembers the parent's, from before this program was started.
    """
    with suppress(OSError, StopIteration):
        lines = Path("/proc/self/status").read_text(encoding="utf-8", errors="replace").splitlines()
        return round(int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024)
    with suppress(ImportError):
        import resource

        return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10))
    return None


def _place_hash() -> str:
    return hashlib.sha256("\n".join(place().values()).encode()).hexdigest()[:8]
