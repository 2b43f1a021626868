"""Figures: data in, matplotlib Figure out.

Colours are safe for colour-blind eyes. Rows run upward, so that on FIRST cutouts north is up and east left.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from equiradio.artefacts.atomic import write_atomically
from equiradio.artefacts.run import Epoch
from equiradio.datasets.sources import Sources
from equiradio.evaluation.scores import most_probable
from equiradio.labels import UNKNOWN

COLOURS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#882255",
    "#000000",
)  # Okabe & Ito 2008, wine (Tol) in place of yellow
SMOOTH = 5  # epochs, Bowles et al. 2021, figure 1
SHORT = 40  # characters of a name that fit above a panel


def save(figure: Figure, path: Path, dpi: int = 150) -> Path:
    """Write a figure as PNG or PDF (by suffix), whole or not at all."""
    FigureCanvasAgg(figure)
    write_atomically(path, lambda part: figure.savefig(part, dpi=dpi))
    return path


def running_mean(values: np.ndarray, window: int = SMOOTH) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation over the last ``window`` values at each place (fewer at the start)."""
    parts = [values[max(0, stop - window) : stop] for stop in range(1, len(values) + 1)]
    return np.array([part.mean() for part in parts]), np.array([part.std() for part in parts])


def loss_curves(histories: Mapping[str, Sequence[Epoch]], smooth: bool = False, classes: int = 2) -> Figure:
    """Training (dashed) and validation (solid) loss against epoch; an arrow at each lowest validation loss.

    Parameters
    ----------
    histories : rows of each model's history.
    smooth : draw running means over 5 epochs with the standard deviation shaded, for long trainings.
    classes : how many there are; chance is at the logarithm of their number.

    Source: Bowles et al. 2021, figure 1.
    """
    figure = Figure(figsize=(6.2, 3.8), layout="constrained")
    axes = figure.subplots()
    for colour, (name, rows) in zip(COLOURS, histories.items(), strict=False):
        epochs = np.array([row["epoch"] for row in rows]) + 1
        losses = np.array([row["validation_loss"] for row in rows])
        for kind, line, values in (("training", "--", np.array([row["train_loss"] for row in rows])), ("validation", "-", losses)):
            mean, spread = running_mean(values) if smooth else (values, np.zeros_like(values))
            axes.plot(epochs, mean, line, color=colour, label=f"{name}, {kind}")
            if smooth:
                axes.fill_between(epochs, mean - spread, mean + spread, color=colour, alpha=0.15, linewidth=0)
        best = int(losses.argmin())
        arrow = {"arrowstyle": "-|>", "color": colour}
        axes.annotate(
            "kept", (epochs[best], losses[best]), (0, -26), textcoords="offset points", ha="center", color=colour, arrowprops=arrow
        )
    chance = np.log(classes)
    axes.axhline(chance, color="0.6", linewidth=0.8, linestyle=":")
    above: Any = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points"}
    axes.annotate("chance", (1, chance), (0, 3), ha="right", fontsize=8, color="0.4", **above)
    axes.set(xlabel="Epoch", ylabel="Cross-entropy (nats per image)")
    least, most = np.array([0.8, 1.5]) * (chance / np.log(2))
    axes.set_ylim(0, min(max(axes.get_ylim()[1], least), most))
    axes.legend(frameon=False, fontsize=8, loc="lower left")
    return figure


def attention_grid(sources: Sources, maps: np.ndarray, p: np.ndarray, model: str) -> Figure:
    """Pairs of panels, a source and its attention map, three pairs to a row; the outline of the source is dashed where the class is wrong.

    Parameters
    ----------
    sources : what is shown.
    maps : (count, height, width), combined attention 0..1.
    p : (count, classes) probabilities.
    """
    pairs, names = 3, sources.classes
    rows = max(1, -(-len(sources) // pairs))
    figure = Figure(figsize=(3.3 * pairs, 1.78 * rows + 0.4), layout="constrained")
    panels = figure.subplots(rows, 2 * pairs, squeeze=False)
    for axes in panels.flat:
        axes.set_axis_off()
    shades = None
    for k in range(len(sources)):
        left, right = panels[k // pairs, 2 * (k % pairs) : 2 * (k % pairs) + 2]
        truth, top = int(sources.labels[k]), int(most_probable(p[k]))
        wrong = truth not in (top, UNKNOWN)
        left.imshow(np.sqrt(sources.images[k] / 255.0), cmap="gray", vmin=0, vmax=1, origin="lower")
        shades = right.imshow(maps[k], cmap="viridis", vmin=0, vmax=1, origin="lower")
        right.contour(sources.images[k] > 0, levels=[0.5], colors="white", linewidths=0.6, linestyles="dashed" if wrong else "solid")
        left.set_title(f"{names.name_of(truth)} ({sources.confidence[k]})", fontsize=8, loc="left", pad=3)
        right.set_title(
            f"says {names.name_of(top)}, p = {p[k].max():.2f}",
            fontsize=8,
            loc="left",
            pad=3,
            color=COLOURS[1] if wrong else "black",
        )
        left.text(0.02, 0.02, str(sources.source_ids[k])[:SHORT], transform=left.transAxes, fontsize=5, color="white", va="bottom")
    if shades is not None:
        figure.colorbar(shades, ax=panels, shrink=0.5, pad=0.01, label="Attention (all gates)")
    figure.suptitle(
        f"{model}: image (square root of brightness) and attention; sources evenly spaced through the split; dashed outline: wrong class",
        fontsize=9,
    )
    return figure


def sources_montage(sources: Sources, columns: int = 8) -> Figure:
    """Evenly spaced sources of a data set: two rows of each class, the first above, square root of brightness; empty where too few."""
    rows, names = 2, sources.classes
    figure = Figure(figsize=(columns, len(names) * rows + 0.3), layout="constrained")
    panels = figure.subplots(len(names) * rows, columns)
    for label, block in enumerate(np.split(panels, len(names))):
        chosen = np.flatnonzero(sources.labels == label)
        if len(chosen) > block.size:
            chosen = chosen[np.linspace(0, len(chosen) - 1, block.size).round().astype(int)]
        for axes in block.flat:
            axes.set(xticks=[], yticks=[])
        for axes, row in zip(block.flat, chosen, strict=False):
            axes.imshow(np.sqrt(sources.images[row] / 255.0), cmap="gray", vmin=0, vmax=1, origin="lower")
        block[0, 0].set_ylabel(names.names[label])
    figure.suptitle(sources.name, fontsize=10)
    return figure
