"""Cutouts and answers to rows of the catalogue."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from equiradio.artefacts import flags as quality
from equiradio.artefacts.files import printable
from equiradio.data.cutout import Cutout, position
from equiradio.errors import ImageRefusal
from equiradio.inference.answering import Answers

NOTHING: dict[str, Any] = {
    "ra_deg": math.nan,
    "dec_deg": math.nan,
    "label": "",
    "p_fri": math.nan,
    "p_frii": math.nan,
    "p_frii_low": math.nan,
    "p_frii_high": math.nan,
    "uncertain": True,
    "attention_peak_ra_deg": math.nan,
    "attention_peak_dec_deg": math.nan,
}


def source_name(file: str) -> str:
    """A file's name without its folder and the suffixes of an image."""
    name = printable(Path(file).name)
    for suffix in (".gz", ".fz", ".fits", ".fit", ".fts", ".png", ".npy"):
        name = name.removesuffix(suffix)
    return name or printable(Path(file).name)


def refused_row(refusal: ImageRefusal, file: str, model: str) -> dict[str, Any]:
    """A source without an answer."""
    return _row(file, -1, model, {refusal.flag}, {})


def answered_rows(cutouts: Sequence[Cutout], answers: Answers, model: str, calibrated: bool) -> list[dict[str, Any]]:
    """A row for each cutout that was answered."""
    rows, maps = [], answers.attention
    for number, cutout in enumerate(cutouts):
        p = float(answers.p_frii[number])
        flags = set(cutout.flags) | ({"unusual"} if answers.unusual[number] else set()) | (set() if calibrated else {"uncalibrated"})
        column, row = peak(maps[number])
        ra, dec = position(cutout.wcs, column, row) if column >= 0 else (math.nan, math.nan)
        said = {
            "ra_deg": cutout.ra_deg,
            "dec_deg": cutout.dec_deg,
            "label": "FRII" if p >= 0.5 else "FRI",
            "p_fri": 1 - p,
            "p_frii": p,
            "p_frii_low": float(answers.low[number]),
            "p_frii_high": float(answers.high[number]),
            "uncertain": bool(answers.uncertain[number]) or "unusual" in flags,
            "attention_peak_ra_deg": ra,
            "attention_peak_dec_deg": dec,
        }
        rows.append(_row(cutout.name, cutout.hdu, model, flags, said))
    return rows


def peak(attention: np.ndarray) -> tuple[int, int]:
    """Column and row of the brightest pixel; -1, -1 where there is no map."""
    if not np.isfinite(attention).any():
        return -1, -1
    row, column = np.unravel_index(int(np.nanargmax(attention)), attention.shape)
    return int(column), int(row)


def _row(file: str, hdu: int, model: str, flags: set[str], said: dict[str, Any]) -> dict[str, Any]:
    number = quality.bits(flags)
    named = {"flags": number, "flag_names": " ".join(quality.names(number))}
    return {"source_id": source_name(file), "file": printable(file), "hdu": hdu, "model": model} | NOTHING | said | named
