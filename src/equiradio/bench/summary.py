"""What follows from a bench's measurements: medians, spreads, ratios, shares of the machine's peak; arithmetic alone."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

TASKS = ("training", "inference")
TIME = "milliseconds_per_image"
Rounds = Sequence[Mapping[str, Any]]


def spread(values: Sequence[float], digits: int = 4) -> dict[str, Any]:
    """Median, least and most, and every value."""
    rounded = [round(value, digits) for value in values]
    return {"median": round(statistics.median(values), digits), "low": min(rounded), "high": max(rounded), "rounds": rounded}


def summarise(rounds: Rounds) -> dict[str, Any]:
    """One measurement over its rounds."""
    times: dict[str, Any] = {key: spread([turn[key] for turn in rounds]) for key in (TIME, "processor_milliseconds_per_image")}
    peaks = [turn["peak_mib"] for turn in rounds if turn["peak_mib"] is not None]
    return times | {
        "peak_mib": max(peaks) if peaks else None,
        "build_seconds": round(statistics.median(turn["build_seconds"] for turn in rounds), 3),
        "first_seconds": round(statistics.median(turn["first_seconds"] for turn in rounds), 3),
        "steps": [turn["steps"] for turn in rounds],
        "precision": rounds[0]["precision"],
        "weights": rounds[0]["weights"],
        "torch": rounds[0]["torch"],
    }


def times_faster(slow: Rounds, quick: Rounds) -> dict[str, Any]:
    """How many times faster ``quick`` is, round by round, so that slow drifts of the machine fall on both."""
    return spread([one[TIME] / other[TIME] for one, other in zip(slow, quick, strict=False)], digits=3)


def share_of_peak(multiply_adds: int, milliseconds: float, gmacs: float) -> float:
    """The multiply-adds of an image in these milliseconds, as a share (0 to 1) of 10^9 ``gmacs`` a second."""
    return round(multiply_adds / (1e-3 * milliseconds * 1e9 * gmacs), 4)


def peaks_text(peaks: Mapping[str, Any]) -> str:
    """The peaks of matrix products as text: ``78 (float32) and 208 (bf16)``."""
    gmacs = {name: peaks[f"{name}_gmacs"] for name in ("float32", "bf16")}
    return " and ".join(f"{value:.0f} ({name})" for name, value in gmacs.items() if value is not None)


def spread_text(values: Mapping[str, Any] | None, digits: int = 2) -> str:
    """A median with its spread as text: ``4.25 (4.10-4.63)``; a dash for nothing."""
    if values is None:
        return "-"
    return f"{values['median']:.{digits}f} ({values['low']:.{digits}f}-{values['high']:.{digits}f})"
