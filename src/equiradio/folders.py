"""Where data sets, weights and caches lie on this machine. None of the folders need exist yet."""

import os
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
