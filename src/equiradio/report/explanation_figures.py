"""Figures of an explanation's symmetry: error against angle, error of each layer, spectrum of the residue, randomised networks."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from scipy.stats import t

from equiradio.report.figures import COLOURS

GREY = "0.45"


def _band(axes, x, values, colour, label, style="-"):
    """Mean over sources (x, sources) with the 95 % interval of the mean shaded."""
    axes.plot(x, values.mean(1), style, color=colour, label=label)
    if values.shape[1] > 1:
        axes.fill_between(x, *mean_band(values), color=colour, alpha=0.18, linewidth=0)


def mean_band(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Low and high end (x,) of the 95 % interval of the mean over two or more sources, (x, sources), by Student's t."""
    sources = values.shape[1]
    mean, wide = values.mean(1), t.ppf(0.975, sources - 1) * values.std(1, ddof=1) / np.sqrt(sources)
    return mean - wide, mean + wide


def symmetry_figure(
    angles: np.ndarray,
    errors: np.ndarray,
    floor: np.ndarray,
    shifts: np.ndarray,
    against: tuple[str, np.ndarray, np.ndarray, np.ndarray] | None = None,
) -> Figure:
    """E(theta) of every gate and of the combined map with the interpolation floor; beside it the shift of the probability.

    Parameters
    ----------
    angles : (angles,) degrees.
    errors, floor : (angles, sources, gates + 1), the combined map last.
    shifts : (angles, sources), |p(Rx) - p(x)|.
    against : name, angles, errors and shifts of another network.
    """
    figure = Figure(figsize=(9.2, 3.7), layout="constrained")
    left, right = figure.subplots(1, 2)
    gates = errors.shape[-1] - 1
    for gate in range(gates):
        left.plot(angles, errors[..., gate].mean(1), ":", color=COLOURS[gate + 2], label=f"gate {gate + 1}")
    _band(left, angles, errors[..., -1], COLOURS[0], "combined map")
    _band(left, angles, floor[..., -1], GREY, "interpolation alone (there and back)", "--")
    _band(right, angles, shifts, COLOURS[0], "this network")
    if against:
        _band(left, against[1], against[2][..., -1], COLOURS[1], f"combined map, {against[0]}")
        _band(right, against[1], against[3], COLOURS[1], against[0])
    left.set(xlabel="Rotation (degrees)", ylabel="Error of the map, |A(Rx) - R A(x)| / |A(x)|", ylim=(0, None))
    right.set(xlabel="Rotation (degrees)", ylabel="Shift of the probability, |p(Rx) - p(x)|", ylim=(0, None))
    left.set_ylim(0, 1.5 * left.get_ylim()[1])  # room for the legend
    for axes in (left, right):
        axes.set_xticks(np.arange(0, 91, 15))
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=8, loc="upper left")
    return figure


def layers_figure(names: list[str], errors: np.ndarray) -> Figure:
    """Lie-derivative error of each layer: a dot per source (layers, sources), a line through the medians."""
    figure = Figure(figsize=(8.2, 3.6), layout="constrained")
    axes = figure.subplots()
    place = np.arange(len(names))
    gates = np.array([name.startswith("gate") for name in names])
    axes.plot(np.repeat(place, errors.shape[1]), errors.ravel(), ".", color="0.75", markersize=4, label="a source")
    axes.plot(
        place[~gates], np.median(errors[~gates], 1), "o-", color=COLOURS[0], markersize=4, label="features (pooled over the group), median"
    )
    axes.plot(place[gates], np.median(errors[gates], 1), "D", color=COLOURS[1], markersize=5, label="attention, median")
    axes.set_xticks(place, [name.replace("block ", "").replace(", layer ", ".") for name in names], rotation=45, ha="right", fontsize=8)
    axes.set(xlabel="Block.layer, in the order in which the network computes", ylabel="Error under an infinitesimal turn", ylim=(0, None))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="upper left")
    return figure


def residue_figure(
    power: np.ndarray, centred: np.ndarray, widths: tuple[float, ...], order: int, against: tuple[str, np.ndarray, np.ndarray] | None = None
) -> Figure:
    """Angular power of the residue of sources, and of maps of round sources; lines mark multiples of the tested order.

    Parameters
    ----------
    power : (sources, harmonics) shares, m = 1.. on the second axis.
    centred : (widths, harmonics) power of the map of each round source over the power of its mean (m = 0).
    against : name, power and centred of another network.
    """
    figure = Figure(figsize=(9.2, 3.7), layout="constrained")
    left, right = figure.subplots(1, 2)
    m = np.arange(1, power.shape[-1] + 1)
    pairs = [("this network", power, centred, COLOURS[0])] + ([(*against, COLOURS[1])] if against else [])
    for name, spectrum, of_round, colour in pairs:
        mean = spectrum.mean(0)
        drawn = np.random.default_rng(0).integers(len(spectrum), size=(500, len(spectrum)))
        low, high = np.percentile(spectrum[drawn].mean(1), (2.5, 97.5), axis=0)
        left.plot(m, mean, "-o", color=colour, markersize=3, label=name)
        left.fill_between(m, low, high, color=colour, alpha=0.18, linewidth=0)
        right.plot(
            m, np.maximum(of_round.mean(0), 1e-12), "-o", color=colour, markersize=3, label=f"{name}, mean of {len(of_round)} widths"
        )
    for axes in (left, right):
        for multiple in range(order, m[-1] + 1, order):
            axes.axvline(multiple, color="0.85", linewidth=1, zorder=0)
        axes.set(xlabel="Angular harmonic m around the centre", yscale="log")
        axes.set_xticks(np.arange(0, m[-1] + 1, 4))
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=8, loc="upper right")
    left.set_ylabel("Share of the residue's power")
    right.set_ylabel("Power of the map over its mean's")
    left.set_title("Residue of the sample, A(Rx) - R A(x)", fontsize=9)
    sizes = ", ".join(f"{width:g}" for width in widths)
    right.set_title(f"Map of a round source, {sizes} pixels wide", fontsize=9)
    return figure


def randomisation_figure(stages: list[str], similarity: np.ndarray) -> Figure:
    """Rank correlation of the trained map with that of the network randomised down to each stage (stages, sources)."""
    figure = Figure(figsize=(5.4, 3.4), layout="constrained")
    axes = figure.subplots()
    place = np.arange(1, len(stages) + 1)
    axes.plot(np.repeat(place, similarity.shape[1]), similarity.ravel(), ".", color="0.75", markersize=5, label="a source")
    axes.plot(np.append(0, place), np.append(1, similarity.mean(1)), "o-", color=COLOURS[0], label="mean")
    axes.axhline(0, color="0.6", linewidth=0.8, linestyle=":")
    names = [f"block {int(stage[-1]) + 1}" if stage.startswith("blocks") else stage for stage in stages]
    axes.set_xticks(np.append(0, place), ["trained", *(f"+ {name}" if k else name for k, name in enumerate(names))], fontsize=8)
    axes.set(xlabel="Randomised so far, from the answer down to the image", ylabel="Rank correlation with the trained map", ylim=(-1, 1.05))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="lower left")
    return figure


def gallery(images: np.ndarray, maps: Mapping[str, np.ndarray], agreement: np.ndarray, titles: list[str], count: int = 10) -> Figure:
    """The sources on whose maps the models agree best (left half) and worst (right half): image, then a map of each model.

    Parameters
    ----------
    images : (sources, side, side) raw pixels.
    maps : by model, (sources, side, side).
    agreement : (sources,) mean rank correlation between the models' maps.
    """
    order = np.argsort(-agreement, kind="stable")
    count = min(count, len(order) // 2)
    columns = 1 + len(maps)
    figure = Figure(figsize=(2 * columns * 0.95 + 0.6, 1.06 * count + 0.6), layout="constrained")
    halves: Any = figure.subfigures(1, 2, wspace=0.04)
    for half, rows, title in zip(halves, (order[:count], order[::-1][:count]), ("best agreement", "worst agreement"), strict=True):
        half.suptitle(title, fontsize=9)
        panels = half.subplots(count, columns, squeeze=False, gridspec_kw={"wspace": 0.02, "hspace": 0.02})
        for line, row in zip(panels, rows, strict=True):
            for axes in line:
                axes.set(xticks=[], yticks=[])
            line[0].imshow(np.sqrt(images[row] / 255), cmap="gray", vmin=0, vmax=1, origin="lower")
            line[0].set_ylabel(f"{titles[row]}\n{agreement[row]:.2f}", fontsize=6)
            for axes, plane in zip(line[1:], maps.values(), strict=True):
                axes.imshow(plane[row], cmap="viridis", vmin=0, vmax=1, origin="lower")
                axes.contour(images[row] > 0, levels=[0.5], colors="white", linewidths=0.4)
        for axes, name in zip(panels[0], ("image", *maps), strict=True):
            axes.set_title(name, fontsize=6)
    return figure


def share_axis(axes) -> None:
    """Write an axis of shares in percent."""
    axes.yaxis.set_major_formatter(PercentFormatter(1))
