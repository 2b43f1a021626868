"""Whole files or none: write beside, then rename."""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary sibling of ``path``, then rename it: readers see the old file or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    os.close(handle)
    try:
        write(Path(name))
        os.chmod(name, 0o644)  # after the writer, which may have put a private file of its own in place
        os.replace(name, path)
    finally:
        Path(name).unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically; bytes of names that are no text become question marks."""
    write_atomically(path, lambda part: part.write_text(text, encoding="utf-8", errors="replace"))


def write_json(path: Path, content: Any) -> None:
    """Write JSON atomically; numbers that are not finite are refused by the encoder."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def numbers_hash(networks: Iterable[Mapping[str, np.ndarray]]) -> str:
    """SHA-256 of all weights of networks, one network after the other, in the order of their names."""
    digest = hashlib.sha256()
    for weights in networks:
        for name, value in sorted(weights.items()):
            digest.update(name.encode() + value.tobytes())
    return digest.hexdigest()
