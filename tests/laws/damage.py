"""Files of ours, each with its reader, and ways to damage them: what raises errors, never what crashes or hangs a library."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

VALUES = (None, True, -1, 0, 1e308, 10**30, "x", "\x1b[31m\n\x00", "\ud800", [], {}, [1], {"a": 1}, [[]], float("nan"))  # of other types


class Reader(NamedTuple):
    """A file and what reads it."""

    file: Path
    read: Callable[[], object]


def damage(whole: bytes, chance: random.Random) -> bytes:
    """A file's bytes, damaged in one of many ways."""
    ways = [_flipped, _cut, _without_a_piece, _with_a_piece_twice, _overwritten]
    if whole[:1] == b"{":
        ways += [_other_value] * 8 + [_nested]
    return chance.choice(ways)(whole, chance)


def _piece(whole: bytes, chance: random.Random) -> tuple[int, int]:
    start = chance.randrange(len(whole))
    return start, min(start + chance.choice((1, 2, 8, 40)), len(whole))


def _flipped(whole: bytes, chance: random.Random) -> bytes:
    changed = bytearray(whole)
    for _ in range(chance.choice((1, 1, 2, 5))):
        changed[chance.choice((chance.randrange(len(whole)), chance.randrange(min(len(whole), 200))))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _cut(whole: bytes, chance: random.Random) -> bytes:
    return whole[: chance.randrange(len(whole))]


def _without_a_piece(whole: bytes, chance: random.Random) -> bytes:
    start, end = _piece(whole, chance)
    return whole[:start] + whole[end:]


def _with_a_piece_twice(whole: bytes, chance: random.Random) -> bytes:
    start, end = _piece(whole, chance)
    return whole[:end] + whole[start:]


def _overwritten(whole: bytes, chance: random.Random) -> bytes:
    start, end = _piece(whole, chance)
    return whole[:start] + chance.choice((bytes(end - start), b"\xff" * (end - start), chance.randbytes(end - start))) + whole[end:]


def _nested(whole: bytes, chance: random.Random) -> bytes:
    return b'{"a":' + b"[" * 100_000


def _other_value(whole: bytes, chance: random.Random) -> bytes:
    """A value of JSON gone, or another in its place."""
    content = json.loads(whole)
    place: Any = content
    while True:
        key = chance.choice(list(place) if isinstance(place, dict) else range(len(place)))
        if not (isinstance(place[key], dict | list) and place[key]) or chance.random() < 0.15:
            break
        place = place[key]
    if chance.random() < 0.2:
        del place[key]
    else:
        place[key] = chance.choice(VALUES)
    return json.dumps(content).encode("utf-8")


def write_predictions(file: Path) -> None:
    """Two sources in three passes, FRI and FRII."""
    from equiradio.artefacts.tables import predictions_schema, write_table

    p = np.linspace(0.1, 0.9, 6)
    columns = {"source_id": ["a", "b"] * 3, "label": [0, 1] * 3, "confidence": ["confident"] * 6, "pass": [0, 0, 1, 1, 2, 2]}
    columns |= {"logit_fri": -p, "logit_frii": p, "p_fri": 1 - p, "p_frii": p}
    write_table(pa.table(columns, schema=predictions_schema()), file)


def write_stored_maps(file: Path) -> None:
    """Maps of two sources as an evaluation leaves them."""
    file.parent.mkdir(parents=True, exist_ok=True)
    maps = np.arange(2 * 150 * 150, dtype=np.uint32).reshape(2, 150, 150).astype(np.uint8)
    means = np.zeros((2, 150, 150))
    labels = np.array([0, 1])
    np.savez_compressed(file, source_id=np.array(["a", "b"]), label=labels, maps=maps, mean_maps=means, mean_images=means)
