"""Cutouts and answers to rows of the catalogue."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from equiradio.artefacts import flags as quality
from equiradio.artefacts.catalogue import Row, spread_columns
from equiradio.errors import ImageRefusal
from equiradio.inference.answers import Answers
from equiradio.labels import Labels
from equiradio.printable import printable
from equiradio.sky.cutout import Cutout, position

ENDINGS = (".gz", ".fz", ".fits", ".fit", ".fts", ".png", ".npy")


def source_name(file: str) -> str:
    """A file's name without its folder and the suffixes of an image."""
    name = printable(Path(file).name)
    for suffix in ENDINGS:
        name = name.removesuffix(suffix)
    return name or printable(Path(file).name)


def refused_row(refusal: ImageRefusal, file: str, model: str, labels: Labels) -> Row:
    """A source without an answer."""
    return _row(file, -1, model, {refusal.flag}, _nothing(labels))


def answered_rows(cutouts: Sequence[Cutout], answers: Answers, model: str, labels: Labels, *, calibrated: bool) -> list[Row]:
    """A row for each cutout that was asked about; one whose answer is not finite has none."""
    rows, maps = [], answers.attention
    for number, cutout in enumerate(cutouts):
        flags = set(cutout.flags) | (set() if calibrated else {"uncalibrated"})
        if not answers.answered[number]:
            centre = {"ra_deg": cutout.ra_deg, "dec_deg": cutout.dec_deg}
            rows.append(_row(cutout.name, cutout.hdu, model, flags | {"not_finite_answer"}, _nothing(labels) | centre))
            continue
        flags |= {"unusual"} if answers.unusual[number] else set()
        column, row = peak(maps[number])
        ra, dec = position(cutout.wcs, column, row) if column >= 0 else (math.nan, math.nan)
        cells = {
            "ra_deg": cutout.ra_deg,
            "dec_deg": cutout.dec_deg,
            "label": labels.names[answers.top[number]],
            **dict(zip(labels.columns(), map(float, answers.p[number]), strict=True)),
            "uncertain": bool(answers.uncertain[number]) or "unusual" in flags,
            "attention_peak_ra_deg": ra,
            "attention_peak_dec_deg": dec,
        }
        for place, low, high in spread_columns(labels):
            cells |= {low: float(answers.low[number, place]), high: float(answers.high[number, place])}
        rows.append(_row(cutout.name, cutout.hdu, model, flags, cells))
    return rows


def peak(attention: np.ndarray) -> tuple[int, int]:
    """Column and row of the brightest pixel; -1, -1 where there is no map."""
    if not np.isfinite(attention).any():
        return -1, -1
    row, column = np.unravel_index(int(np.nanargmax(attention)), attention.shape)
    return int(column), int(row)


def _nothing(labels: Labels) -> Row:
    numbers = ["ra_deg", "dec_deg", *labels.columns(), "attention_peak_ra_deg", "attention_peak_dec_deg"]
    numbers += [column for _, *columns in spread_columns(labels) for column in columns]
    return dict.fromkeys(numbers, math.nan) | {"label": "", "uncertain": True}


def _row(file: str, hdu: int, model: str, flags: set[str], cells: Row) -> Row:
    number = quality.bits(flags)
    flagged = {"flags": number, "flag_names": " ".join(quality.names(number))}
    return {"source_id": source_name(file), "file": printable(file), "hdu": hdu, "model": model} | cells | flagged
