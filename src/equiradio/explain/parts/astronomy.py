"""As astronomers do: attention beside what they measure by hand on FRI and FRII."""

from typing import Any

import numpy as np
from scipy.stats import wilcoxon

from equiradio.datasets.sources import Sources
from equiradio.explain.astronomy import BOUNDARY, agreement, correlation, holm, inner_share, marked, own_pixels, shape
from equiradio.explain.case import Case
from equiradio.explain.folder import Folder
from equiradio.explain.islands import source_islands
from equiradio.explain.part import Measured, Summary
from equiradio.explain.parts.faithfulness import planes_of
from equiradio.labels import FANAROFF_RILEY
from equiradio.report.explanation_measures import astronomy_figure
from equiradio.report.explanation_text import CORE_COLUMNS, core_rows, number, p_text
from equiradio.report.figures import save
from equiradio.report.page import Page

PLACE, NEEDS = 60, ("maps",)
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


def measure(case: Case, folder: Folder) -> Measured:
    """See `compared`; does not apply to other classes than FRI and FRII."""
    if case.labels.names != FANAROFF_RILEY.names:
        reason = f"peaks, inner half and the ratio of Fanaroff & Riley are measures of FRI and FRII, and these classes are {case.labels}"
        return {"applies": False, "reason": reason}, {}
    maps = folder.arrays("maps")
    summary, arrays = compared(case.sources, maps["maps"][:, -1].astype(np.float32), maps["p"][:, 1])
    return summary | {"marks": marks(case.sources, planes_of(case, maps))}, arrays


def marks(sources: Sources, planes: dict[str, np.ndarray]) -> Summary:
    """How high each kind of map ranks a source's core, and the image's peaks on both sides of it, among the source's own pixels.

    By kind and class: mean rank of ``core`` and ``peaks``, its p-value against 0.5 (noise) by a two-sided Wilcoxon test, corrected for the
    number of tests by Holm, and how many sources.
    """
    sizes, scale = sources.size_arcsec.tolist(), sources.recipe.scale_arcsec
    own = [own_pixels(source_islands(image), size, scale) for image, size in zip(sources.images, sizes, strict=True)]
    rows: Summary = {}
    for kind, maps in planes.items():
        each = zip(maps, sources.images.astype(float), own, strict=True)
        ranks = np.array([marked(*one) if np.isfinite(one[0]).all() else (np.nan, np.nan) for one in each])
        for label, name in enumerate(FANAROFF_RILEY.names):
            for place, what in enumerate(("core", "peaks")):
                values = ranks[sources.labels == label, place]
                there = values[np.isfinite(values)]
                p_value = float(wilcoxon(there - 0.5).pvalue) if len(there) and np.any(there != 0.5) else np.nan
                mean = float(there.mean()) if len(there) else np.nan
                rows.setdefault(kind, {}).setdefault(name, {})[what] = {"rank": mean, "p_value": p_value, "sources": len(there)}
    cells = [cell for classes in rows.values() for each in classes.values() for cell in each.values()]
    for cell, corrected in zip(cells, holm(np.array([cell["p_value"] for cell in cells])), strict=True):
        cell["p_value"] = float(corrected)
    return rows


def compared(sources: Sources, maps: np.ndarray, p_frii: np.ndarray) -> Measured:
    """Peaks of FRII, the inner half of FRI, the Fanaroff-Riley ratio, and how often it agrees with the network.

    Parameters
    ----------
    maps : (sources, side, side). p_frii : (sources,).
    """
    table, sizes = {name: np.full(len(sources), np.nan) for name in COLUMNS}, sources.size_arcsec.tolist()
    for row, plane in enumerate(maps):
        own = own_pixels(source_islands(image := sources.images[row].astype(float)), sizes[row], sources.recipe.scale_arcsec)
        for name, value in _shapes(image, plane, own, row).items():
            table[name][row] = value
    labels, measured = sources.labels, np.isfinite(table["ratio"])
    fri, frii = measured & (labels == 0), measured & (labels == 1)
    by_ratio, by_network, by_attention = (
        (values >= boundary).astype(int)
        for values, boundary in ((table["ratio"], BOUNDARY), (p_frii, 0.5), (table["attention_ratio"], BOUNDARY))
    )
    half = table["separation"][frii] / 2
    summary = {
        "sources": int(measured.sum()),
        "frii_peaks": correlation(table["attention_distance"][frii], half),
        "frii_peaks_of_noise": correlation(table["noise_distance"][frii], half),
        "frii_peak_distance_over_half_separation": _median(table["attention_distance"][frii] / np.maximum(half, 0.5)),
        "fri_inner_half": _inner_half(*(table[f"inner_{kind}"][fri] for kind in ("attention", "image", "area"))),
        "ratio_accuracy": _mean((by_ratio == labels)[measured].astype(float)),
        "network_accuracy": _mean((by_network == labels)[measured].astype(float)),
        "network_and_ratio": agreement(by_network[measured], by_ratio[measured]),
        "attention_ratio_and_label": agreement(by_attention[measured], labels[measured]),
        "attention_and_image_ratio": correlation(table["attention_ratio"][measured], table["ratio"][measured]),
    }
    return summary, {**table, "label": labels, "p_frii": p_frii, "source_id": sources.source_ids.astype(str)}


def _shapes(image: np.ndarray, plane: np.ndarray, pixels: np.ndarray, row: int) -> dict[str, float]:
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


def _inner_half(attention: np.ndarray, image: np.ndarray, area: np.ndarray) -> Summary:
    return {
        "attention": _mean(attention),
        "image": _mean(image),
        "area": _mean(area),
        "attention_over_area": _signed(attention - area),
        "attention_over_image": _signed(attention - image),
    }


def _mean(values: np.ndarray) -> float | None:
    return float(np.nanmean(values)) if np.isfinite(values).any() else None


def _median(values: np.ndarray) -> float | None:
    return float(np.nanmedian(values)) if np.isfinite(values).any() else None


def _signed(difference: np.ndarray) -> dict[str, float | None]:
    finite = difference[np.isfinite(difference)]
    p_value = float(wilcoxon(finite).pvalue) if len(finite) and np.any(finite) else None
    return {"mean_difference": _mean(difference), "p_value": p_value}


def headlines(answer: dict[str, Any]) -> list[list[str]]:
    """How often the network and the ratio agree."""
    summary = answer["astronomy"]
    if not summary.get("applies", True):
        return []
    agree = summary["network_and_ratio"]
    meaning = f"kappa {number(agree['kappa'])}, p {p_text(agree['p_value'])}"
    return [["agrees with the Fanaroff-Riley ratio", number(agree["share"]), meaning]]


def sections(page: Page, case: Case, folder: Folder, answer: dict[str, Any], other: Folder | None) -> None:
    """Figure and its numbers in words, or why there are none."""
    arrays, summary = folder.arrays("astronomy"), answer["astronomy"]
    page.heading("As astronomers do")
    if not summary.get("applies", True):
        page.text(f"Not measured: {summary['reason']}.")
        return
    names = ("label", "p_frii", *COLUMNS)
    rows = [
        [str(source), int(arrays["label"][k]), *(float(arrays[name][k]) for name in names[1:])]
        for k, source in enumerate(arrays["source_id"])
    ]
    folder.write_table("astronomy", ("source_id", *names), rows)
    page.picture(save(astronomy_figure(arrays), folder.figure("astronomy")), "Attention against measures made on the image.")
    peaks, inner, agree = summary["frii_peaks"], summary["fri_inner_half"], summary["network_and_ratio"]
    page.text(
        f"FRII: distance of attention peaks against half the peak separation, Spearman {number(peaks['rho'], 2)}, "
        f"p {p_text(peaks['p_value'])} ({peaks['sources']} sources; peaks of noise on the same pixels: "
        f"{number(summary['frii_peaks_of_noise']['rho'], 2)}). FRI: {number(inner['attention'], 2)} of attention on the source lies "
        f"in its inner half, {number(inner['image'], 2)} of the brightness and {number(inner['area'], 2)} of the area (attention over "
        f"area: p {p_text(inner['attention_over_area']['p_value'])}). Peak separation over extent classifies "
        f"{number(summary['ratio_accuracy'], 2)} rightly, the network {number(summary['network_accuracy'], 2)}; "
        f"they agree on {number(agree['share'], 2)} (kappa {number(agree['kappa'], 2)}, Fisher p {p_text(agree['p_value'])})."
    )
    page.table(CORE_COLUMNS, core_rows(summary["marks"]))
    page.text("Mean rank among the source's own pixels, 0.5 for noise, and its p-value, corrected for the number of tests (Holm).")
