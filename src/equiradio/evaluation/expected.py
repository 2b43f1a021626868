"""How right are answers like this one? By beam, size over beam, and whether it was answered or abstained from."""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from equiradio.artefacts.promises import AccuracyRow
from equiradio.evaluation.shares import share_interval

SIZES = (0.0, 5.0, 10.0, 20.0, math.inf)  # beams across
LEAST = 30  # sources of a kind; of fewer the next coarser kind speaks


def accuracy_rows(beam: float, right: np.ndarray, across: np.ndarray, answered: np.ndarray) -> list[AccuracyRow]:
    """A row for each kind of sources seen through a beam of which there are `LEAST`, the finest kinds first.

    Parameters
    ----------
    beam : full width in arcsec.
    right, answered : bool (sources,). across : beams across, nan where unknown.
    """
    sized = [(low, high, done) for done in (True, False) for low, high in pairwise(SIZES)]
    kinds: list[tuple[float | None, float | None, bool | None]] = [*sized, (None, None, True), (None, None, False), (None, None, None)]
    rows = []
    for low, high, done in kinds:
        inside = np.ones(len(right), bool) if done is None else answered == done
        if low is not None and high is not None:
            inside = inside & (across >= low) & (across < high)
        if inside.sum() >= LEAST:
            rows.append(_row(beam, low, high, done, right[inside]))
    return rows


def _row(beam: float, low: float | None, high: float | None, answered: bool | None, right: np.ndarray) -> AccuracyRow:
    """With the low end of the exact binomial interval (Clopper-Pearson)."""
    share, end = float(right.mean()), None if high is None or math.isinf(high) else high
    low95, _ = share_interval(right.sum(), len(right))
    whole = {"beam_arcsec": beam, "low": low, "high": end, "answered": answered}
    return AccuracyRow(**whole, sources=len(right), accuracy=share, low95=min(low95, share))  # type: ignore[typeddict-item]


def expected_row(rows: Sequence[AccuracyRow], width: float, across: float | None, answered: bool) -> AccuracyRow | None:
    """The finest kind that an answer is of, among those measured through the beam nearest to its own; None where there is none.

    ``width`` : of its beam, arcsec. ``across`` : beams across it, None where unknown. Whether it lies within what was measured is the
    caller's to know.
    """
    if not rows:
        return None
    nearest = min({row["beam_arcsec"] for row in rows}, key=lambda beam: abs(math.log(beam / width)))
    for row in rows:
        if row["beam_arcsec"] == nearest and row["answered"] in (answered, None) and _is_of(row, across):
            return row
    return None


def _is_of(row: AccuracyRow, across: float | None) -> bool:
    low, high = row["low"], row["high"]
    if low is None:
        return True
    return across is not None and low <= across and (high is None or across < high)
