"""Figures of a team's answers about a split: who is taken for whom, do probabilities hold, what abstention is worth, and examples."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from equiradio.evaluation.calibration import most_probable, reliability, top_probability
from equiradio.evaluation.selective import selective_accuracy
from equiradio.labels import Labels
from equiradio.report.figures import COLOURS, SHORT

BINS = 10  # of the reliability diagram
GREY = "0.45"


@dataclass(frozen=True)
class Judged:
    """Calibrated answers about the labelled sources of a split.

    Attributes
    ----------
    split : its name.
    labels : int (count,), place of the class.
    p : (count, classes), probabilities as a catalogue has them.
    answered : bool (count,), not abstained from.
    images : uint8 (count, side, side).
    source_ids : str (count,).
    """

    split: str
    labels: np.ndarray
    p: np.ndarray
    answered: np.ndarray
    images: np.ndarray
    source_ids: np.ndarray

    @property
    def answers(self) -> np.ndarray:
        """Place of the most probable class, int (count,)."""
        return most_probable(self.p)

    @property
    def top(self) -> np.ndarray:
        """The highest probability, (count,)."""
        return top_probability(self.p)

    def confusion(self) -> np.ndarray:
        """Sources of each class (rows) by the class answered (columns), int (classes, classes)."""
        classes = self.p.shape[1]
        return np.bincount(self.labels * classes + self.answers, minlength=classes**2).reshape(classes, classes)


def confusion_figure(splits: Sequence[Judged], classes: Labels) -> Figure:
    """A matrix for each split: numbers of sources, coloured by their share of the row's class."""
    size = 1.6 + 0.62 * len(classes)
    figure = Figure(figsize=(size * len(splits) + 0.6, size), layout="constrained")
    shades = None
    for axes, judged in zip(np.atleast_1d(figure.subplots(1, len(splits))), splits, strict=True):
        table = judged.confusion()
        share = table / np.maximum(table.sum(1, keepdims=True), 1)
        shades = axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
        for row, column in np.ndindex(*table.shape):
            ink = "white" if share[row, column] > 0.5 else "black"
            axes.text(column, row, f"{table[row, column]:,}", ha="center", va="center", color=ink, fontsize=9)
        names = [name[:SHORT] for name in classes]
        axes.set_xticks(range(len(names)), names, rotation=90 if max(map(len, names)) > 6 else 0)
        axes.set_yticks(range(len(names)), names)
        axes.set(xlabel="Answered", ylabel="Labelled", title=f"{judged.split}, {len(judged.labels):,} sources")
    if shades is not None:
        figure.colorbar(shades, ax=figure.axes, label="Share of the labelled class", format=PercentFormatter(1))
    return figure


def reliability_figure(splits: Sequence[Judged]) -> Figure:
    """Share that is right against the probability of the class answered; dots as large as they have sources, bars one standard error."""
    figure = Figure(figsize=(4.4, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], ":", color=GREY, label="as probable as said")
    for colour, judged in zip(COLOURS, splits, strict=False):
        table = reliability(judged.labels, judged.p, BINS)
        filled = table["sources"] > 0
        count, x, y = table["sources"][filled], table["probability"][filled], table["accuracy"][filled]
        wide = np.sqrt(x * (1 - x) / count)  # of the share that would be right if the probability were
        axes.errorbar(x, y, wide, fmt="none", color=colour, alpha=0.5, linewidth=1)
        axes.scatter(x, y, 12 + 160 * count / count.sum(), color=colour, label=judged.split, zorder=3)
        for place in zip(x, y, count, strict=True):
            axes.annotate(f"{place[2]}", place[:2], (5, -10), textcoords="offset points", fontsize=7, color=colour)
    least = 1 / splits[0].p.shape[1]
    axes.set(xlabel="Probability of the class answered", ylabel="Share that is right", xlim=(least - 0.04, 1.02), ylim=(-0.02, 1.04))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="upper left")
    return figure


def coverage_figure(splits: Sequence[Judged], threshold: float) -> Figure:
    """Accuracy of the surest sources against the share of them; a ring where the team stops answering."""
    figure = Figure(figsize=(4.6, 4.2), layout="constrained")
    axes = figure.subplots()
    for colour, judged in zip(COLOURS, splits, strict=False):
        share, right = selective_accuracy(judged.labels, judged.p, 1 - judged.top)
        axes.plot(share, right, color=colour, label=judged.split, drawstyle="steps-post")
        if judged.answered.any():
            of_answered = (judged.answers == judged.labels)[judged.answered].mean()
            axes.plot(judged.answered.mean(), of_answered, "o", markersize=9, markerfacecolor="none", color=colour)
    axes.set(xlabel="Share answered, surest first", ylabel="Share of them that is right", xlim=(0, 1.02), ylim=(0, 1.04))
    axes.set_title(f"ring: answered from probability {threshold:.3f} on, within reach", fontsize=9)
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="lower left")
    return figure


def examples_figure(judged: Judged, rows: np.ndarray, classes: Labels, columns: int = 6) -> Figure:
    """The sources at these rows, square root of brightness, with label, answer and probability; wrong answers in colour."""
    lines = -(-len(rows) // columns)
    figure = Figure(figsize=(1.75 * columns, 2.3 * lines), layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False)
    for axes in panels.flat:
        axes.set_axis_off()
    for axes, row in zip(panels.flat, rows, strict=False):
        wrong = judged.answers[row] != judged.labels[row]
        axes.imshow(np.sqrt(judged.images[row] / 255.0), cmap="gray", vmin=0, vmax=1, origin="lower")
        name, answer = classes.names[judged.labels[row]], classes.names[judged.answers[row]]
        text = f"{str(judged.source_ids[row])[:24]}\n{name[:20]}, says\n{answer[:20]} {judged.top[row]:.2f}"
        axes.set_title(text, fontsize=7, color=COLOURS[1] if wrong else "black")
    return figure
