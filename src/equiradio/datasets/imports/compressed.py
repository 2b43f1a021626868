"""Tables that are compressed: NAME.csv.gz is read as NAME.csv would be."""

import gzip
from pathlib import Path
from typing import Any

GZ = ".gz"


def suffix_of(path: Path) -> str:
    """How the name of a table's file ends, in small letters, and without the ``.gz`` of a compressed one."""
    return Path(path.name.lower().removesuffix(GZ)).suffix


def opened(path: Path, mode: str = "rb", encoding: str | None = None) -> Any:
    """A file opened as `open` does, what it holds decompressed where its name ends in ``.gz``."""
    return (gzip.open if path.suffix.lower() == GZ else open)(path, mode, encoding=encoding)
