"""Figures 1 to 3 of Bowles et al. 2021, from stored histories and maps: data in, Figure out."""

import itertools
from textwrap import wrap
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from equiradio.artefacts.run import Epoch
from equiradio.report.figures import COLOURS, running_mean
from equiradio.sky.recipe import MIRABEST

COLUMN, PAGE = 3.4, 7.0  # inches: one column of a journal, and its page
SMALL = {"font.size": 7, "axes.linewidth": 0.6, "xtick.major.width": 0.6, "ytick.major.width": 0.6}
FAINT = 0.005  # of the peak of a difference of mean images
EDGE = MIRABEST.size_arcsec / 2
TOP = 1.2  # nats: where the axis of Figure 1 is cut off at the latest, for some epochs go far above
TOGETHER = 3  # models in one panel of Figure 1, and panels in a row of it


class Panel(NamedTuple):
    """One map of Figure 3: class-differenced mean map and mean image (height, width), and what is written above it."""

    title: str
    note: str
    maps: np.ndarray
    images: np.ndarray


class Row(NamedTuple):
    """One source of Figure 2: what it is, its image (None where it is not here), and each model's map and whether its class is right."""

    title: str
    image: np.ndarray | None
    maps: list[np.ndarray]
    right: list[bool]


def figure1(histories: dict[str, list[list[Epoch]]], note: str) -> Figure:
    """Loss against epoch, running mean over 5 epochs with its standard deviation shaded; an arrow at each lowest validation loss.

    Parameters
    ----------
    histories : of each model the histories of its seeds; the first is drawn, with shading, the others as thin lines of validation loss.
        Up to `TOGETHER` models share a panel, as in the paper; of more each has its own.
    note : small print below.
    """
    apart = len(histories) > TOGETHER
    count, columns = (len(histories), TOGETHER) if apart else (1, 1)
    rows = -(-count // columns)
    figure = Figure(figsize=(PAGE, 1.7 * rows + 0.3) if apart else (COLUMN, 2.9), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    for axes in panels[count:]:
        axes.remove()
    panels, tops = panels[:count], {}
    for number, (colour, (model, seeds)) in enumerate(zip(itertools.cycle(COLOURS), histories.items(), strict=False)):
        axes = panels[number % count]
        tops[model] = _losses(axes, seeds, colour, model)
        if apart:
            axes.set_title(model, loc="left", fontsize=7, color=colour, pad=3)
    for axes in panels:
        axes.tick_params(labelsize=7)
        axes.axhline(np.log(2), color="0.5", linewidth=0.7, linestyle=":")
    first = panels[0]
    first.text(0.99, np.log(2), "chance", transform=first.get_yaxis_transform(), ha="right", va="bottom", fontsize=6, color="0.4")
    low, high = first.get_ylim()
    first.set(ylim=(max(low, 0.0), min(high, TOP)))
    if above := [f"{model} to {top:.1f}" for model, top in tops.items() if top > TOP]:
        note += f" The axis is cut off at {TOP}; curves go on above it: {', '.join(above)}."
    for axes in panels[-columns:]:
        axes.set_xlabel("Epoch", fontsize=8)
    for axes in panels[::columns]:
        axes.set_ylabel("Cross-entropy\n(nats per image)" if apart else "Cross-entropy (nats per image)", fontsize=8)
    kinds = [Line2D([], [], color="0.3", linestyle=style, label=name) for style, name in (("-", "validation"), ("--", "training"))]
    models = [] if apart else first.get_legend_handles_labels()[0]
    first.legend(handles=[*models, *kinds], frameon=False, fontsize=7, loc="upper right")
    _note(figure, note)
    return figure


def _losses(axes: Axes, seeds: list[list[Epoch]], colour: str, model: str) -> float:
    """A model's curves, and the arrow at its first seed's lowest validation loss; the highest place of a curve."""
    highest = 0.0
    for number, rows in enumerate(seeds):
        epochs = np.array([row["epoch"] for row in rows]) + 1
        losses = {"--": [row["train_loss"] for row in rows], "-": [row["validation_loss"] for row in rows]}
        for style, values in losses.items():
            if number and style == "--":
                continue
            mean, spread = running_mean(np.array(values))
            highest = max(highest, float(mean.max()))
            label = model if not number and style == "-" else None
            axes.plot(epochs, mean, style, color=colour, linewidth=0.5 if number else 1.3, alpha=0.45 if number else 1, label=label)
            if not number:
                axes.fill_between(epochs, mean - spread, mean + spread, color=colour, alpha=0.12, linewidth=0)
    first = np.array([row["validation_loss"] for row in seeds[0]])
    best = int(first.argmin())
    end = (seeds[0][best]["epoch"] + 1, first[best])
    axes.annotate("", end, (0, -20), textcoords="offset points", arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 0.9})
    axes.update_datalim([end])
    axes.autoscale_view()
    return highest


def figure2(rows: list[Row], models: list[str], note: str) -> Figure:
    """A source to a row: the image, then each model's attention map; contour of the lit pixels, dashed where the model is wrong."""
    columns = 1 + len(models)
    width = COLUMN if columns <= 4 else PAGE
    side = (width - 0.42) / columns
    figure = Figure(figsize=(width, side * len(rows) + 0.85))
    figure.set_layout_engine("constrained", w_pad=0.01, h_pad=0.015, wspace=0, hspace=0)
    panels = figure.subplots(len(rows), columns, squeeze=False)
    shades = None
    for line, row in zip(panels, rows, strict=True):
        for axes in line:
            axes.set(xticks=[], yticks=[])
        line[0].set_ylabel(row.title, fontsize=6)
        if not row.maps:
            for axes in line:
                axes.set_frame_on(False)
            line[0].text(0.5, 0.5, "no such source", transform=line[0].transAxes, ha="center", va="center", fontsize=6)
            continue
        if row.image is None:
            line[0].text(0.5, 0.5, "image not here", transform=line[0].transAxes, ha="center", va="center", fontsize=6)
        else:
            line[0].imshow(np.sqrt(row.image / 255.0), cmap="gray", vmin=0, vmax=1, origin="lower", extent=(-EDGE, EDGE, -EDGE, EDGE))
        for axes, attention, is_right in zip(line[1:], row.maps, row.right, strict=True):
            shades = axes.imshow(attention, cmap="viridis", vmin=0, vmax=1, origin="lower", extent=(-EDGE, EDGE, -EDGE, EDGE))
            if row.image is not None:
                _outline(axes, row.image, "solid" if is_right else "dashed")
            if not is_right:
                axes.text(0.03, 0.04, "wrong", transform=axes.transAxes, fontsize=6, color="white")
    for axes, name in zip(panels[0], ["image", *models], strict=True):
        axes.set_title(name, fontsize=7, pad=3)
    if any(row.image is not None for row in rows):
        first = next(line[0] for line, row in zip(panels, rows, strict=True) if row.image is not None and row.maps)
        first.plot([-EDGE + 15, -EDGE + 75], [-EDGE + 15] * 2, color="white", linewidth=1.2)
        first.text(-EDGE + 45, -EDGE + 22, '60"', color="white", fontsize=6, ha="center")
    if shades is not None:
        bar = figure.colorbar(shades, ax=panels, location="bottom", fraction=0.03, pad=0.01, aspect=40)
        bar.set_label("attention, all gates", fontsize=7)
        bar.ax.tick_params(labelsize=6)
    _note(figure, note)
    return figure


def _outline(axes: Axes, image: np.ndarray, style: Any) -> None:
    axes.contour(image > 0, levels=[0.5], colors="white", linewidths=0.5, linestyles=style, extent=(-EDGE, EDGE, -EDGE, EDGE))


def figure3(rows: list[list[Panel]], note: str) -> Figure:
    """Mean map of FRI less that of FRII, colours centred on 0; contours where the class-differenced mean image is 0.

    Parameters
    ----------
    rows : panels, trained networks above, untrained ones below; each panel has colours of its own, since their amplitudes differ.
    """
    columns = max(map(len, rows))
    figure = Figure(figsize=(COLUMN, 2.05 * len(rows) + 0.5), layout="constrained")
    panels = figure.subplots(len(rows), columns, squeeze=False)
    for line, row in zip(panels, rows, strict=True):
        for axes in line[len(row) :]:
            axes.set_axis_off()
        for axes, panel in zip(line, row, strict=False):
            reach = max(float(abs(panel.maps).max()), 1e-9)
            shades = axes.imshow(panel.maps, cmap="RdBu_r", vmin=-reach, vmax=reach, origin="lower", extent=(-EDGE, EDGE, -EDGE, EDGE))
            if panel.images.any():
                axes.contour(
                    _without_sky(azimuthal_mean(panel.images)),
                    levels=[0],
                    colors="black",
                    linewidths=0.5,
                    extent=(-EDGE, EDGE, -EDGE, EDGE),
                )
            axes.set_title(f"{panel.title}\n{panel.note}", fontsize=6, pad=3, loc="left")
            axes.set(xticks=(-100, 0, 100), yticks=(-100, 0, 100))
            axes.tick_params(labelsize=6, length=2)
            bar = figure.colorbar(shades, ax=axes, location="bottom", fraction=0.05, pad=0.02, aspect=25)
            bar.ax.tick_params(labelsize=5.5, length=2)
            bar.ax.locator_params(nbins=4)
        line[0].set_ylabel("offset (arcsec)", fontsize=6)
    _note(figure, note)
    return figure


def azimuthal_mean(plane: np.ndarray) -> np.ndarray:
    """A plane that depends on the radius alone, in steps of a pixel: what a mean over all rotations would be, where 36 leave spokes."""
    side = plane.shape[-1]
    rows, columns = np.indices(plane.shape) - (side - 1) / 2
    radius = np.hypot(rows, columns)
    bins = radius.astype(int).ravel()
    numbers = np.bincount(bins)
    profile = np.bincount(bins, plane.ravel()) / np.maximum(numbers, 1)
    return np.interp(radius, np.bincount(bins, radius.ravel()) / np.maximum(numbers, 1), profile)


def _without_sky(plane: np.ndarray) -> np.ndarray:
    """nan where nothing is: from the radius on beyond which the plane stays below `FAINT` of its peak, its crossings of 0 are noise."""
    rows, columns = np.indices(plane.shape) - (plane.shape[-1] - 1) / 2
    radius = np.hypot(rows, columns)
    reach = radius[abs(plane) > FAINT * abs(plane).max()].max()
    return np.where(radius <= reach, plane, np.nan)


def _note(figure: Figure, text: str) -> None:
    """Small print below, broken to the figure's width."""
    lines = wrap(" ".join(text.split()), int(24 * figure.get_figwidth()))
    figure.supxlabel("\n".join(lines), fontsize=5.5, color="0.35")
