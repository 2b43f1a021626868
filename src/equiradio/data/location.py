"""Where data sets lie on this machine."""

import os
from pathlib import Path

from equiradio.artefacts.cache import user_cache

VARIABLE = "EQUIRADIO_DATA"


def data_folder(given: str | Path | None = None) -> Path:
    """The folder of the data sets: the one given (``--data-dir``), else ``EQUIRADIO_DATA``, else the user's cache.

    The folder need not exist yet. A variable that is set but empty counts as not set.
    """
    named = given or os.environ.get(VARIABLE)
    return Path(named).expanduser() if named else user_cache()
