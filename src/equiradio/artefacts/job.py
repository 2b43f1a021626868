"""What results are results of: settings, weights and inputs, stored beside them, so that nothing is joined that is of something else."""

import hashlib
import json
import time
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from equiradio.errors import Refusal, RunRefusal

JOB = "job.json"  # in a folder of parts or results
LONGEST = 40  # letters of a value that is shown
MOMENT = 2_000_000_000  # nanoseconds: a file that changed so shortly before may change again and show the same time


def plain_job(job: Mapping[str, Any]) -> dict[str, Any]:
    """A job as JSON gives it back."""
    plain: dict[str, Any] = json.loads(json.dumps(dict(job)))
    return plain


def read_job(file: Path) -> dict[str, Any] | None:
    """What a file says that its neighbours are results of; None where it is not there or cannot be read."""
    try:
        job = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return job if isinstance(job, dict) else None


def differences(there: Mapping[str, Any] | None, job: Mapping[str, Any]) -> list[str]:
    """In what a stored job differs from this one: names, with both values where these are short."""
    before = there or {}
    odd = [(key, before.get(key), value) for key, value in plain_job(job).items() if before.get(key) != value]
    return [
        f"{key} ({_word(old)} there, {_word(new)} asked)" if there and _is_short(old) and _is_short(new) else key for key, old, new in odd
    ]


def _is_short(value: Any) -> bool:
    return isinstance(value, str | int | float | None) and len(f"{value}") <= LONGEST


def _word(value: Any) -> str:
    return "none" if value is None else f"{value}"


def refuse_other(
    where: Path, there: Mapping[str, Any] | None, job: Mapping[str, Any], what: str, do: str, kind: type[Refusal] = RunRefusal
) -> None:
    """Refuse results of another job; ``what`` they are, such as "parts of a run"."""
    if odd := differences(there, job):
        raise kind(where, f"{what} with other {', '.join(odd)}", "the same", do)


def fingerprint(*parts: Any) -> str:
    """SHA-256 of values: arrays by type, shape and content, all others as JSON has them."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            part = part.astype(str) if part.dtype == object else part
            digest.update(f"{part.dtype} {part.shape}".encode() + np.ascontiguousarray(part).tobytes())
        else:
            digest.update(json.dumps(part, sort_keys=True).encode())
        digest.update(b"\0")
    return digest.hexdigest()


def catalogue_hash(*sources: Any) -> str:
    """Fingerprint of what no checksum of images covers of sources, as a data set gives them: names, labels, splits, sizes and masks.

    Soft labels are part of it where there are some.
    """
    columns = [(part.source_ids, part.labels, part.confidence, part.split, part.size_arcsec, part.masks) for part in sources]
    soft = [part.soft for part in sources if part.soft is not None]
    return fingerprint(*(column for part in columns for column in part), *soft)


def training_hash(sources: Any) -> str:
    """Fingerprint of what a network learns of sources beside their images: names and labels of those to train on."""
    return _split_hash(sources, "train")


def validation_hash(sources: Any) -> str:
    """Fingerprint of names and labels of the sources by which the best epoch is chosen."""
    return _split_hash(sources, "validation")


def _split_hash(sources: Any, split: str) -> str:
    some = sources.of_split(split)
    return fingerprint(some.source_ids.tolist(), some.shares.round(6).tolist())


def file_stamps(files: Iterable[Path], *, contents: bool = False) -> list[str]:
    """Of each file what changes when it is changed: its size and time, or its size and the SHA-256 of its content."""
    return [_stamp(Path(file), contents) for file in files]


def _stamp(file: Path, contents: bool) -> str:
    try:
        about = file.stat()
        if not (contents and file.is_file()):
            return f"{about.st_size} {about.st_mtime_ns}"
        if time.time_ns() - about.st_ctime_ns < MOMENT:
            return f"{about.st_size} {content_hash(file)}"
        return f"{about.st_size} {_hash_of_state(file, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns)}"
    except (OSError, ValueError) as error:  # a name that no file can have
        return type(error).__name__


@lru_cache(maxsize=1024)
def _hash_of_state(file: Path, *_state: int) -> str:
    """`content_hash`, taken once in a process of a file that the system says nobody touched since: mosaics are looked at often."""
    return content_hash(file)


def content_hash(file: Path) -> str:
    """SHA-256 of a file."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
