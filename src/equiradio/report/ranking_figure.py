"""The figure of a ranking: kinds of maps from best to worst, what each looks like, and how it does by each measure."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from equiradio.report.explanation_text import KINDS

OURS = ("attention", "departure", "combined", "first_gate", "evidence", "evidence_for")
LOWER_IS_BETTER = ("deletion", "randomised")
QUESTIONS = {
    "deletion": "taking it away\nchanges the answer",
    "insertion": "it alone gives\nthe answer",
    "pointing": "its peak is on\nthe source",
    "energy": "its sum is on\nthe source",
    "precision": "it picks out the\ntrue structures",
    "randomised": "it needs what\nwas learnt",
    "turned": "it turns with\nthe sky",
    "seeds": "another seed\ndraws the same",
}
NAMES = {
    "deletion": "deletion",
    "insertion": "insertion",
    "pointing": "pointing game",
    "energy": "energy on islands",
    "precision": "average precision",
    "randomised": "likeness to\nfresh weights",
    "turned": "likeness of maps\nof turned sources",
    "seeds": "likeness of maps\nof other seeds",
}
ROW, COLUMN = 0.52, 1.12  # inches
UNRANKED = 1e6  # in the place of a mean rank: below all that have one


def ranking_figure(
    measures: Sequence[str], means: np.ndarray, rank: np.ndarray, sources: np.ndarray, image: np.ndarray, examples: Mapping[str, np.ndarray]
) -> Figure:
    """A row for each kind of map, best mean rank first: the map of one source, then the mean by each measure, darker for a better rank.

    Parameters
    ----------
    means, rank, sources : (measures, kinds), kinds as in `KINDS`; nan and 0 where not measured.
    image : (side, side), the source. examples : by kind, its map of the source.
    """
    there, ranks = (sources > 0).any(0), np.isfinite(rank)
    score = np.where(ranks.any(0), np.where(ranks, rank, 0).sum(0) / np.maximum(ranks.sum(0), 1), np.where(there, UNRANKED, np.inf))
    order = np.argsort(score, kind="stable")[: there.sum()]
    figure = Figure(figsize=(3.9 + COLUMN * len(measures), 1.35 + ROW * len(order)), layout="constrained")
    grid = figure.add_gridspec(len(order), 2, width_ratios=(ROW, COLUMN * len(measures) + 0.8), hspace=0.04, wspace=0)
    _cells(figure.add_subplot(grid[:, 1]), measures, means[:, order], rank[:, order], sources[:, order], order, score[order])
    for place, kind in enumerate(np.array(list(KINDS))[order]):
        _thumbnail(figure.add_subplot(grid[place, 0]), image, examples[str(kind)], str(kind))
    words = "The number is the mean over sources, in brackets the rank: the middle of those possible, given which maps are better for sure."
    figure.supxlabel(words, fontsize=8)
    return figure


def _thumbnail(axes, image: np.ndarray, plane: np.ndarray, kind: str) -> None:
    middle = image.shape[-1] // 2
    near = slice(max(middle - 40, 0), middle + 40)  # small images are shown whole
    if np.isfinite(plane).all():
        top = max(float(np.abs(plane).max()), 1e-30)
        signed = kind == "evidence_for"
        low = -top if signed else float(plane.min())
        axes.imshow(plane[near, near], cmap="RdBu_r" if signed else "magma", vmin=low, vmax=top)
        axes.contour(image[near, near] > 0, levels=[0.5], colors="0.6" if signed else "white", linewidths=0.4)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_ylabel(KINDS[kind], rotation=0, ha="right", va="center", fontsize=9, fontweight="bold" if kind in OURS else "normal")


def _cells(axes, measures, means, rank, sources, order, score) -> None:
    """The table of means, coloured by rank; the mean rank in a last column without colour."""
    most = max(float(np.nanmax(rank, initial=2)), 2)
    shade = np.ma.masked_invalid(1 - 0.85 * (rank.T - 1) / (most - 1))
    axes.imshow(shade, cmap="Blues", vmin=0, vmax=1.3, aspect="auto")
    for column in range(len(measures)):
        for row in range(len(order)):
            if sources[column, row]:
                text = f"{np.round(means[column, row], 2) + 0.0:.2f}"
                text += f"  ({rank[column, row]:g})" if np.isfinite(rank[column, row]) else ""
                axes.text(column, row, text, ha="center", va="center", fontsize=8, color="white" if shade[row, column] >= 0.8 else "black")
    for row, value in enumerate(score):
        axes.text(len(measures), row, f"{value:.1f}" if value < UNRANKED else "-", ha="center", va="center", fontsize=9, fontweight="bold")
    heads = [f"{QUESTIONS[name]}\n\n{NAMES[name]}\n{'low' if name in LOWER_IS_BETTER else 'high'} is better" for name in measures]
    counted = [np.unique(row[row > 0]) for row in sources]
    heads = [f"{head}\n{'/'.join(map(str, count))} sources" for head, count in zip(heads, counted, strict=True)]
    axes.set_xticks(range(len(measures) + 1), [*heads, "mean\nrank"], fontsize=7)
    axes.xaxis.tick_top()
    axes.set_xlim(-0.5, len(measures) + 0.5)
    axes.set_yticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
