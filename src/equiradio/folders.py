"""Where data sets, weights and caches lie on this machine, of which no folder need exist yet; and folders that appear whole."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DATA, WEIGHTS = "EQUIRADIO_DATA", "EQUIRADIO_WEIGHTS"


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


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """An empty folder to be filled, which takes this name when all went well and is gone else; nothing may have the name before."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
        unfinished = Path(scratch) / folder.name
        unfinished.mkdir()
        yield unfinished
        os.replace(unfinished, folder)
