"""Figures of an explanation's measures: curves and lifts over controls, comparison with astronomers' measures, uncertainty."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from equiradio.report.explanation_figures import GREY, share_axis
from equiradio.report.explanation_text import KINDS, MEASURES
from equiradio.report.figures import COLOURS

Lifts = Mapping[str, Mapping[str, float | None]]
OURS = ("attention", "departure", "combined", "first_gate", "evidence", "evidence_for")  # full lines; controls are dashed
STYLES = {
    kind: {"color": [*COLOURS[:6], GREY, "0.75"][place % 8], "linewidth": 2.0, "linestyle": "-"} if kind in OURS
    else {"color": [*COLOURS[:6], GREY, "0.75"][(place - len(OURS)) % 8], "linewidth": 1.2, "linestyle": "--"}
    for place, kind in enumerate(KINDS)
}  # fmt: skip


def faithfulness_figure(fractions: tuple[float, ...], deletion: np.ndarray, insertion: np.ndarray) -> Figure:
    """Probability of the class first given as the most marked pixels are deleted, or put into sky.

    ``deletion`` and ``insertion`` : (kinds, sources, fractions), nan where not measured.
    """
    figure = Figure(figsize=(11.2, 4.2), layout="constrained")
    for axes, curves, title in zip(
        figure.subplots(1, 2, sharey=True),
        (deletion, insertion),
        ("Deletion (lower is better)", "Insertion (higher is better)"),
        strict=True,
    ):
        for (kind, name), values in zip(KINDS.items(), curves, strict=True):
            there = values[np.isfinite(values).all(-1)]
            if len(there):
                axes.plot(100 * np.array(fractions), there.mean(0), marker="o", markersize=3, label=name, **STYLES[kind])
        axes.set_xscale("log")
        axes.set_xticks(100 * np.array(fractions), [f"{100 * fraction:g}" for fraction in fractions])
        axes.minorticks_off()
        axes.set(xlabel="Pixels changed (% of the image)", title=title)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_ylim(0, 1.02)
    figure.axes[0].set_ylabel(f"Probability of the class given\n(mean of {deletion.shape[1]} sources)")
    handles, names = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, names, frameon=False, fontsize=8, loc="outside right center")
    return figure


def lifts_figure(lifts: Mapping[str, Lifts], departure: Mapping[str, Lifts]) -> Figure:
    """Lift over each control with its 95 % interval, one panel per measure, right of zero better than the control.

    Filled: attention. Hollow: its departure from the level that it has on empty sky.
    """
    figure = Figure(figsize=(1.9 * len(lifts) + 1.2, 3.4), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, len(lifts), sharey=True))
    for axes, (measure, controls) in zip(panels, lifts.items(), strict=True):
        for rows, offset, face in ((controls, -0.13, None), (departure[measure], 0.13, "white")):
            for place, lift in enumerate(rows.values()):
                _lift(axes, place + offset, lift, face)
        axes.axvline(0, color="0.6", linewidth=0.8)
        axes.set_title(MEASURES[measure], fontsize=8)
        axes.set_yticks(range(len(controls)), [KINDS[kind] for kind in controls], fontsize=8)
        axes.tick_params(axis="x", labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
        axes.locator_params(axis="x", nbins=4)
    panels[0].invert_yaxis()
    words = "Lift over the control (orange: the control is better, blue: attention is, grey: neither)"
    words += "; hollow: departure of attention from its sky level"
    figure.supxlabel(words, fontsize=8)
    return figure


def _lift(axes, place: float, lift: Mapping[str, float | None], face: str | None) -> None:
    low, high, middle = lift["low"], lift["high"], lift["lift"]
    if low is None or high is None or middle is None:
        return
    colour = COLOURS[1] if high < 0 else COLOURS[0] if low > 0 else GREY
    axes.plot([low, high], [place, place], color=colour, linewidth=1.6)
    axes.plot(middle, place, "o", color=colour, markersize=5, markerfacecolor=face or colour)


def astronomy_figure(table: Mapping[str, np.ndarray]) -> Figure:
    """FRII peaks, FRI inner half, and the Fanaroff-Riley ratio against the network's probability."""
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    fri, frii = table["label"] == 0, table["label"] == 1
    half = table["separation"] / 2
    left.plot(half[frii], table["attention_distance"][frii], "o", color=COLOURS[1], markersize=4)
    top = float(np.nanmax(np.append(half[frii], table["attention_distance"][frii]), initial=1)) * 1.05
    left.plot([0, top], [0, top], color="0.7", linewidth=0.8)
    left.set(xlabel="Half the separation of the image's peaks (pixels)", ylabel="Distance of attention peaks from the core", title="FRII")
    kinds = ("inner_attention", "inner_image", "inner_area")
    values = [table[kind][fri][np.isfinite(table[kind][fri])] for kind in kinds]
    middle.boxplot(values, widths=0.5, showfliers=False, medianprops={"color": COLOURS[0], "linewidth": 2})
    middle.set_xticks([1, 2, 3], ["attention", "brightness", "area"])
    middle.set(ylabel="Share inside the inner half of the source", title="FRI", ylim=(0, 1))
    share_axis(middle)
    for mask, name, colour in ((fri, "FRI", COLOURS[0]), (frii, "FRII", COLOURS[1])):
        right.plot(table["ratio"][mask], table["p_frii"][mask], "o", color=colour, markersize=4, label=f"catalogued {name}")
    right.axvline(0.5, color="0.7", linewidth=0.8)
    right.axhline(0.5, color="0.7", linewidth=0.8)
    right.set(
        xlabel="Peak separation over extent",
        ylabel="Probability of FRII",
        title="All",
        xlim=(0, 1.02),
        ylim=(-0.02, 1.02),
    )
    right.legend(frameon=False, fontsize=8, loc="lower right")
    for axes in (left, middle, right):
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def uncertainty_figure(
    uncertain: np.ndarray, methods: Mapping[str, Mapping[str, Any]], conformal: Mapping[str, Mapping[str, Any]], classes: int = 2
) -> Figure:
    """Reliability, selective accuracy, entropy of Confident and Uncertain sources, coverage of conformal sets.

    Parameters
    ----------
    methods : by name: ``probability``, ``accuracy``, ``sources`` per bin, ``coverage``, ``selective`` (the curve), ``entropy`` (sources,).
    conformal : by name: ``level`` and, for all, confident and uncertain sources, what `measured_coverage` gives.
    classes : how many; the probability of the class given is at least 1 over their number.
    """
    figure = Figure(figsize=(11, 6.2), layout="constrained")
    (top_left, top_right), (low_left, low_right) = figure.subplots(2, 2)
    least = 1 / classes
    top_left.plot([least, 1], [least, 1], color="0.7", linewidth=0.8)
    for (name, method), colour in zip(methods.items(), COLOURS, strict=False):
        filled = method["sources"] > 0
        top_left.plot(method["probability"][filled], method["accuracy"][filled], "o-", color=colour, markersize=4, label=name)
        shown = method["coverage"] >= 0.1
        top_right.plot(method["coverage"][shown], method["selective"][shown], color=colour, label=name)
    top_left.set(xlabel="Probability of the class given", ylabel="Share that is right", title="Reliability")
    top_left.set(xlim=(least - 0.02, 1.02), ylim=(0, 1.03))
    top_right.set(xlabel="Share of sources kept, the surest first", ylabel="Accuracy", title="Selective accuracy")
    share_axis(top_right)
    _doubt(low_left, methods, uncertain)
    low_left.set_ylim(0, 1.02 * np.log2(classes))
    _coverage(low_right, conformal)
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    for axes, free in ((top_left, "lower left"), (top_right, "upper right")):
        axes.legend(frameon=False, fontsize=8, loc=free)
    return figure


def _doubt(axes, methods: Mapping[str, Mapping[str, Any]], uncertain: np.ndarray) -> None:
    """Entropy of Confident and of Uncertain sources, method by method."""
    ticks: list[str] = []
    for name, method in methods.items():
        groups = [(part, method["entropy"][mask]) for part, mask in (("Confident", ~uncertain), ("Uncertain", uncertain)) if mask.any()]
        for part, values in groups:
            axes.boxplot(values, positions=[len(ticks)], widths=0.6, showfliers=False, medianprops={"color": COLOURS[0], "linewidth": 2})
            ticks.append(f"{name}\n{part}")
    axes.set_xticks(range(len(ticks)), ticks, fontsize=7)
    axes.set(ylabel="Entropy (bits)", title="Doubt")


def _coverage(axes, conformal: Mapping[str, Mapping[str, Any]]) -> None:
    """Measured coverage with its interval, and the mean size of the sets."""
    ticks: list[str] = []
    for (name, parts), colour in zip(conformal.items(), COLOURS, strict=False):
        axes.axhline(parts["level"], color="0.6", linewidth=0.8, linestyle=":")
        for part in ("all", "confident", "uncertain"):
            if part not in parts:
                continue
            measured = parts[part]
            axes.plot([len(ticks)] * 2, measured["interval95"], color=colour, linewidth=2)
            axes.plot(len(ticks), measured["coverage"], "o", color=colour)
            ticks.append(f"{name}\n{part}\nsize {measured['mean_size']:.2f}")
    axes.set_xticks(range(len(ticks)), ticks, fontsize=7)
    axes.set(ylabel="Sets that hold the true class", title="Conformal sets, promised share dotted")
    axes.set_xlim(-0.5, len(ticks) - 0.5)
    share_axis(axes)
