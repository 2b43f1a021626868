"""Whole files or none: write beside, then rename."""

import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from equiradio.errors import DiskRefusal, Refusal
from equiradio.folders import is_unfinished, unfinished

FULL = (errno.ENOSPC, errno.EDQUOT)
FULL_WORDS = ("No space left on device", "Disk quota exceeded", "Not enough space on disk")  # of safetensors, pyarrow and astropy


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary sibling of ``path``, then rename it: readers see the old file or the new one, never a part.

    Raises
    ------
    DiskRefusal : the disk is full. OSError : it cannot be written otherwise; the error names ``path``.
    """
    with named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=unfinished(path), suffix=path.suffix)
        os.close(handle)
        try:
            write(Path(name))
            os.chmod(name, 0o644)  # after the writer, which may have put a private file of its own in place
            os.replace(name, path)
        finally:
            Path(name).unlink(missing_ok=True)


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Name a file or folder in what the system says of writing it, not a lock or temporary file beside it.

    Raises
    ------
    DiskRefusal : the disk, or the user's share of it, is full.
    """
    try:
        yield
    except Refusal:
        raise
    except Exception as error:
        if is_disk_full(error):
            raise disk_refusal(path) from error
        if isinstance(error, OSError) and error.filename and Path(os.fsdecode(error.filename)) not in path.parents:
            error.filename = str(path)
        raise


def is_disk_full(error: BaseException) -> bool:
    """Does an error of any library say that no space is left?"""
    return getattr(error, "errno", None) in FULL or any(words in str(error) for words in FULL_WORDS)


def disk_refusal(where: object) -> DiskRefusal:
    """What to say of a full disk."""
    do = "Free some and run the command again (train and classify with --resume); what was written before is kept."
    return DiskRefusal(where, "no space left on the disk while it was written", "free space", do)


def is_unused(folder: Path) -> bool:
    """Is nothing there, or a folder that holds nothing but what a kill in the middle of the first writing left?"""
    if not folder.is_dir():
        return not folder.exists()
    return all(is_unfinished(path.name) and not path.is_dir() for path in folder.iterdir())


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
