"""Where data sets, weights and caches lie on this machine, of which no folder need exist yet; and folders that appear whole."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from equiradio.processes import left_behind, mark

DATA, WEIGHTS = "EQUIRADIO_DATA", "EQUIRADIO_WEIGHTS"
PART = ".part-"  # in the name of what is not finished, between its later name and the process that makes it
SHOWN = 40  # letters of the later name


def user_cache() -> Path:
    """The user's cache: what may be lost and made or fetched again."""
    try:
        from platformdirs import user_cache_path
    except ImportError:  # machines with the PyTorch stack alone
        return Path.home() / ".cache" / "equiradio"
    return user_cache_path("equiradio", appauthor=False)


def data_folder(given: str | Path | None = None) -> Path:
    """The folder of the data sets: the one given (``--data-dir``), else ``EQUIRADIO_DATA``, else the user's cache.

    A variable that is set but empty counts as not set.
    """
    named = given or os.environ.get(DATA)
    return Path(named).expanduser() if named else user_cache()


def weights_folder() -> Path | None:
    """The folder of teams that ``EQUIRADIO_WEIGHTS`` names; None where it is not set, or empty."""
    named = os.environ.get(WEIGHTS)
    return Path(named).expanduser() if named else None


def unfinished(path: Path) -> str:
    """How the name of something begins that lies beside a file or folder until it takes its name.

    What killed processes of this machine left under such names in the same folder is removed, once a folder and process.
    """
    _cleared(path.absolute().parent)
    return f".{path.name[:SHOWN]}{PART}{mark()}-"


def clear(folder: Path) -> None:
    """Remove what processes that are gone have not finished in a folder."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if not (is_unfinished(entry.name) and left_behind(entry.name.partition(PART)[2])):
                continue
            with suppress(OSError):  # somebody else's
                shutil.rmtree(entry.path) if entry.is_dir(follow_symlinks=False) else os.unlink(entry.path)


_cleared = cache(clear)


def is_unfinished(name: str) -> bool:
    """Is it the name of something that lies there until it is finished?"""
    return name.startswith(".") and PART in name


@contextmanager
def scratch_folder(beside: Path) -> Iterator[Path]:
    """An empty hidden folder on the same disk as a file or folder, for as long as that is made."""
    beside.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=unfinished(beside), dir=beside.parent) as scratch:
        yield Path(scratch)


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """An empty folder to be filled, which takes this name when all went well and is gone else; nothing may have the name before."""
    with scratch_folder(folder) as scratch:
        filled = scratch / folder.name
        filled.mkdir()
        yield filled
        os.replace(filled, folder)
