"""Figures of a survey's catalogue: where its sources lie, what they are at which flux and size, where no class is named."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from equiradio.report.figures import COLOURS

GREY, PALE = "#8a8a8a", "#d0d0d0"
BINS = 12
DECADES = 100.0  # of axes: over a wider range they are logarithmic, or labelled at powers of ten alone
WIDE_DEG = 90.0  # skies wider than this are drawn whole
AXES = {"total_jy": "flux density, Jy", "size_arcsec": "largest angular size, arcsec", "beams_across": "beams across"}


class Sample(NamedTuple):
    """Sources of a catalogue.

    Attributes
    ----------
    ra_deg, dec_deg : nan where there is none.
    label : the class, empty where there is no answer.
    uncertain : does the network abstain?
    numbers : columns of measures, nan for none, by the names of `AXES`.
    """

    ra_deg: np.ndarray
    dec_deg: np.ndarray
    label: np.ndarray
    uncertain: np.ndarray
    numbers: Mapping[str, np.ndarray]


def groups(sample: Sample, classes: Sequence[str]) -> list[tuple[str, np.ndarray, Any]]:
    """Name, rows and colour of what figures tell apart: classes that are named, abstentions, sources without an answer."""
    sure = ~sample.uncertain.astype(bool)
    named = [(name, (sample.label == name) & sure, colour) for name, colour in zip(classes, COLOURS, strict=False)]
    rest = [("abstains", (sample.label != "") & ~sure, GREY), ("no answer", sample.label == "", PALE)]
    return named + rest


def sky_map(sample: Sample, classes: Sequence[str]) -> Figure:
    """Positions by class, east to the left; a whole sky by Mollweide where they are spread wide."""
    placed = np.isfinite(sample.ra_deg + sample.dec_deg)
    ra, dec = sample.ra_deg[placed], sample.dec_deg[placed]
    middle = np.degrees(np.angle(np.exp(1j * np.radians(ra)).mean())) % 360 if len(ra) else 0.0
    east = (ra - middle + 180) % 360 - 180
    wide = bool(len(ra)) and max(np.ptp(east), np.ptp(dec)) > WIDE_DEG
    figure = Figure(figsize=(8.4, 4.6), layout="constrained")
    axes = figure.add_subplot(projection="mollweide" if wide else None)
    size = float(np.clip(4000 / max(len(ra), 1), 0.3, 14))
    for name, rows, colour in reversed(groups(sample, classes)):
        along, up = east[rows[placed]], dec[rows[placed]]
        x, y = (-np.radians(along), np.radians(up)) if wide else (along + middle, up)
        axes.scatter(x, y, s=size, color=colour, label=f"{name} ({len(x):,})", linewidths=0)
    if wide:
        axes.set_xticklabels([])
        axes.set_title(f"RA {middle:.0f} deg in the middle", fontsize=9)
    else:
        axes.invert_xaxis()
        axes.set(xlabel="right ascension, deg", ylabel="declination, deg")
        axes.set_aspect(1 / max(np.cos(np.radians(float(dec.mean()) if len(dec) else 0.0)), 0.05))
    axes.grid(alpha=0.3)
    handles, names = axes.get_legend_handles_labels()
    figure.legend(handles[::-1], names[::-1], loc="outside right upper", frameon=False, markerscale=float(np.sqrt(30 / size)))
    return figure


def shares(sample: Sample, classes: Sequence[str], column: str) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Edges of logarithmic bins of a measure, sources in each, and the share of each class and of abstentions among those answered."""
    values = sample.numbers[column]
    usable = np.isfinite(values) & (values > 0) & (sample.label != "")
    if not usable.any():
        return np.zeros(0), np.zeros(0), {}
    low, high = values[usable].min(), values[usable].max()
    edges = np.geomspace(low, high * (1 + 1e-9) if high > low else low * 2, BINS + 1)
    counts = np.histogram(values[usable], edges)[0]
    each = {name: np.histogram(values[usable & rows], edges)[0] for name, rows, _ in groups(sample, classes)[:-1]}
    return edges, counts, {name: many / np.maximum(counts, 1) for name, many in each.items()}


def classes_by(sample: Sample, classes: Sequence[str]) -> Figure:
    """Share of classes and abstentions against flux, size and beams across, and how many sources there are in each bin."""
    figure = Figure(figsize=(10.5, 4.2), layout="constrained")
    grid = figure.subplots(2, len(AXES), sharex="col", height_ratios=[3, 1], squeeze=False)
    colours = {name: colour for name, _, colour in groups(sample, classes)}
    for place, (column, words) in enumerate(AXES.items()):
        above, below = grid[0, place], grid[1, place]
        edges, counts, each = shares(sample, classes, column)
        below.set_xlabel(words)
        if not len(edges):
            above.text(0.5, 0.5, "no values", ha="center", transform=above.transAxes)
            continue
        bottom = np.zeros(BINS)
        for name, share in each.items():
            above.bar(edges[:-1], share, np.diff(edges), bottom, align="edge", color=colours[name], label=name, linewidth=0)
            bottom += share
        below.stairs(counts, edges, fill=True, color="#555555")
        above.set(ylim=(0, 1), xscale="log")
        if counts.max() > DECADES:
            below.set_yscale("symlog", linthresh=10)
        below.xaxis.set_major_locator(LogLocator(subs=(1,) if edges[-1] > DECADES * edges[0] else (1, 2, 5)))
        below.xaxis.set_major_formatter("{x:g}")
        below.xaxis.set_minor_formatter(NullFormatter())
    grid[0, 0].set_ylabel("share of those answered")
    grid[1, 0].set_ylabel("sources")
    handles, names = grid[0, 0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, names, loc="outside upper right", ncols=len(names), frameon=False)
    return figure
