"""What follows from a bench's measurements: medians, spreads, ratios, shares of the machine's peak; arithmetic alone."""

import statistics
from collections.abc import Sequence
from typing import Literal

from equiradio.bench.measurements import Measurement, Peaks, Spread, Summarised, Task

TASKS: tuple[Task, ...] = ("training", "inference")
TIME: Literal["milliseconds_per_image"] = "milliseconds_per_image"
PROCESSOR_TIME: Literal["processor_milliseconds_per_image"] = "processor_milliseconds_per_image"


def spread(values: Sequence[float], digits: int = 4) -> Spread:
    """Median, least and most, and every value."""
    rounded = [round(value, digits) for value in values]
    return {"median": round(statistics.median(values), digits), "low": min(rounded), "high": max(rounded), "rounds": rounded}


def summarise(rounds: Sequence[Measurement]) -> Summarised:
    """One measurement over its rounds."""
    peaks = [turn["peak_mib"] for turn in rounds if turn["peak_mib"] is not None]
    return {
        TIME: spread([turn[TIME] for turn in rounds]),
        PROCESSOR_TIME: spread([turn[PROCESSOR_TIME] for turn in rounds]),
        "peak_mib": max(peaks) if peaks else None,
        "build_seconds": round(statistics.median(turn["build_seconds"] for turn in rounds), 3),
        "first_seconds": round(statistics.median(turn["first_seconds"] for turn in rounds), 3),
        "steps": [turn["steps"] for turn in rounds],
        "precision": rounds[0]["precision"],
        "weights": rounds[0]["weights"],
        "torch": rounds[0]["torch"],
    }


def times_faster(slow: Sequence[Measurement], quick: Sequence[Measurement]) -> Spread:
    """How many times faster ``quick`` is, round by round, so that slow drifts of the machine fall on both."""
    return spread([one[TIME] / other[TIME] for one, other in zip(slow, quick, strict=False)], digits=3)


def share_of_peak(multiply_adds: int, milliseconds: float, gmacs: float) -> float:
    """The multiply-adds of an image in these milliseconds, as a share (0 to 1) of 10^9 ``gmacs`` a second."""
    return round(multiply_adds / (1e-3 * milliseconds * 1e9 * gmacs), 4)


def peaks_text(peaks: Peaks) -> str:
    """The peaks of matrix products as text: ``78 (float32) and 208 (bf16)``."""
    gmacs = {"float32": peaks["float32_gmacs"], "bf16": peaks["bf16_gmacs"]}
    return " and ".join(f"{value:.0f} ({name})" for name, value in gmacs.items() if value is not None)


def spread_text(values: Spread | None, digits: int = 2) -> str:
    """A median with its spread as text: ``4.25 (4.10-4.63)``; a dash for nothing."""
    if values is None:
        return "-"
    return f"{values['median']:.{digits}f} ({values['low']:.{digits}f}-{values['high']:.{digits}f})"
