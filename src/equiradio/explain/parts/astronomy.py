"""The part of an explanation that compares attention with what astronomers measure by hand."""

from typing import Any

import numpy as np
from scipy.stats import wilcoxon

from equiradio.explain.astronomy import BOUNDARY, agreement, correlation, inner_share, own_pixels, shape
from equiradio.explain.case import Case
from equiradio.explain.islands import source_islands

Part = tuple[dict[str, Any], dict[str, np.ndarray]]
COLUMNS = (
    "ratio",
    "separation",
    "extent",
    "attention_distance",
    "noise_distance",
    "attention_ratio",
    "inner_attention",
    "inner_image",
    "inner_area",
)


def astronomy(case: Case, found: dict[str, np.ndarray]) -> Part:
    """Peaks of FRII, the inner half of FRI, the Fanaroff-Riley ratio, and how often it agrees with the network."""
    table = {name: np.full(len(case.sources), np.nan) for name in COLUMNS}
    for row in range(len(case.sources)):
        for name, value in _one(case, found["maps"][row, -1].astype(np.float32), row).items():
            table[name][row] = value
    labels, known = case.sources.labels, np.isfinite(table["ratio"])
    fri, frii = known & (labels == 0), known & (labels == 1)
    ratio_says, network_says = (table["ratio"] >= BOUNDARY).astype(int), (found["p_frii"] >= 0.5).astype(int)
    attention_says = (table["attention_ratio"] >= BOUNDARY).astype(int)
    summary = {
        "sources": int(known.sum()),
        "frii_peaks": correlation(table["attention_distance"][frii], table["separation"][frii] / 2),
        "frii_peaks_of_noise": correlation(table["noise_distance"][frii], table["separation"][frii] / 2),
        "frii_peak_distance_over_half_separation": _median(
            table["attention_distance"][frii] / np.maximum(table["separation"][frii] / 2, 0.5)
        ),
        "fri_inner_half": {
            "attention": _mean(table["inner_attention"][fri]),
            "image": _mean(table["inner_image"][fri]),
            "area": _mean(table["inner_area"][fri]),
            "attention_over_area": _signed(table["inner_attention"][fri] - table["inner_area"][fri]),
            "attention_over_image": _signed(table["inner_attention"][fri] - table["inner_image"][fri]),
        },
        "ratio_accuracy": _mean((ratio_says == labels)[known].astype(float)),
        "network_accuracy": _mean((network_says == labels)[known].astype(float)),
        "network_and_ratio": agreement(network_says[known], ratio_says[known]),
        "attention_ratio_and_label": agreement(attention_says[known], labels[known]),
        "attention_and_image_ratio": correlation(table["attention_ratio"][known], table["ratio"][known]),
    }
    return summary, {**table, "label": labels, "p_frii": found["p_frii"], "source_id": case.sources.source_ids.astype(str)}


def _one(case: Case, plane: np.ndarray, row: int) -> dict[str, float]:
    image = case.sources.images[row].astype(float)
    pixels = own_pixels(source_islands(image), float(case.sources.size_arcsec[row]))
    noise = np.random.default_rng([1, row]).random(image.shape)  # peaks of anything on a long source are far apart: a control
    seen, attended, drawn = (shape(map_, pixels) for map_ in (image, plane, noise))
    if seen is None or attended is None or drawn is None:
        return {}
    return {
        "ratio": seen.ratio,
        "separation": seen.separation,
        "extent": seen.extent,
        "attention_distance": float(np.mean(attended.distances)),
        "noise_distance": float(np.mean(drawn.distances)),
        "attention_ratio": attended.ratio,
        "inner_attention": inner_share(plane, pixels, seen.extent),
        "inner_image": inner_share(image, pixels, seen.extent),
        "inner_area": inner_share(np.ones_like(image), pixels, seen.extent),
    }


def _mean(values: np.ndarray) -> float | None:
    return float(np.nanmean(values)) if np.isfinite(values).any() else None


def _median(values: np.ndarray) -> float | None:
    return float(np.nanmedian(values)) if np.isfinite(values).any() else None


def _signed(difference: np.ndarray) -> dict[str, float | None]:
    known = difference[np.isfinite(difference)]
    p_value = float(wilcoxon(known).pvalue) if len(known) and np.any(known) else None
    return {"mean_difference": _mean(difference), "p_value": p_value}
