"""Compiled libraries of the package: one is opened only where it was made of the C sources that lie beside it.

``hatch_build.py`` reads this file too, before the package is installed, so that both make the same digest.
"""

import ctypes
import hashlib
import logging
from functools import cache
from pathlib import Path

AGAIN = "Install equiradio again (in a checkout: pip install -e .)"


class Stale(OSError):
    """A library was compiled from other sources than lie beside it, or does not say from which."""


def digest(folder: Path) -> str:
    """Of all C sources in a folder, as their library names them; "" where there are none."""
    whole = hashlib.sha256()
    files = sorted(file for file in folder.iterdir() if file.suffix in (".c", ".h"))
    for file in files:
        whole.update(file.name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return whole.hexdigest()[:16] if files else ""


def opened(file: Path) -> ctypes.CDLL:
    """A library.

    Raises
    ------
    OSError : not there, or not for this system; `Stale`, behind a warning, where it was made of other sources than lie beside it.
    """
    library = ctypes.CDLL(str(file))
    wanted, made_of = digest(file.parent), sources_of(library)
    if wanted and made_of != wanted:
        what = "compiled from other C sources than those beside it" if made_of else "does not say from which C sources it was compiled"
        warn(f"{file}: {what}; left out, which is slower. {AGAIN}.")
        raise Stale(f"{file}: {what}")
    return library


def is_stale(file: Path) -> bool:
    """Is it there, and made of other sources than lie beside it?"""
    try:
        opened(file)
    except OSError as error:
        return isinstance(error, Stale)
    return False


@cache
def warn(line: str) -> None:
    """A line to who looks on, once a process."""
    logging.getLogger("equiradio").warning("%s", line)


def sources_of(library: ctypes.CDLL) -> str:
    """The digest of the sources that it was made of; "" where it names none."""
    try:
        answer = library.made_of
    except AttributeError:
        return ""
    answer.restype = ctypes.c_char_p
    return str(answer().decode("ascii", "replace"))
