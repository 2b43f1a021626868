"""How right answers are by the number of beams across a source, as cards hold it."""

from typing import TypedDict


class BeamsRow(TypedDict):
    """Views of sources from ``low`` (inclusive) to ``high`` beams across (None: without end), and how right answers about them are.

    Balanced accuracy is None where a class is missing.
    """

    low: float
    high: float | None
    views: int
    accuracy: float
    balanced_accuracy: float | None


class ByBeams(TypedDict, total=False):
    """Accuracy against beams across, on validation sources through beams of these widths (arcsec); empty where it was not measured.

    ``finer_arcsec`` are finer beams through which sources that are smaller by as much are told apart as well; they are in no row.
    ``thresholds`` by beam, the images' own left out: abstain through it where the top probability is lower.
    """

    beams_arcsec: list[float]
    finer_arcsec: list[float]
    thresholds: dict[str, float]
    rows: list[BeamsRow]
