"""What each change of a network does to the residue: a table and a figure from what `residue.py` measured.

Usage: python benchmarks/residue_effects.py results/residue/untrained.json results/residue/untrained.png     draws; prints the table
"""

import json
import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from residue import BASE, CROP
from scipy.stats import t as student

from equiradio.report.figures import COLOURS, save

MEASURES = {
    "round_residue": "residue of round sources",
    "error": "error of turned sources",
    "accuracy": "accuracy",
}
ENOUGH = 3  # seeds for an interval
SAID = {"group": "group", "kernel": "filters, px", "downsampling": "downsampling", "side": "side, px", "bandlimit": "frequencies up to"}

Change = tuple[str, object, object]  # a factor, its value before and after


def draw(source: Path, picture: Path) -> None:
    """Every measure by variant: a dot per seed, a bar through the 95 % interval of the mean."""
    rows = json.loads(source.read_text())["rows"]
    names = list(dict.fromkeys(row["variant"] for row in rows))
    shown = [key for key in MEASURES if key in rows[0]]
    figure = Figure(figsize=(3 + 3 * len(shown), 0.3 * len(names) + 1), layout="constrained")
    panels = figure.subplots(1, len(shown), sharey=True)
    for axes, key in zip(panels, shown, strict=True):
        for place, name in enumerate(names):
            mean, low, high = interval([row[key] for row in rows if row["variant"] == name], logarithmic=key != "accuracy")
            colour = COLOURS[2] if "antialiased" in name else COLOURS[0]
            values = [row[key] for row in rows if row["variant"] == name]
            axes.plot(values, [place] * len(values), ".", color="0.75", markersize=5)
            axes.plot([low, high], [place] * 2, color=colour, linewidth=2)
            axes.plot(mean, place, "o", color=colour, markersize=5)
        axes.set(xscale="linear" if key == "accuracy" else "log", xlabel=MEASURES[key])
        if key != "accuracy":
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
            axes.xaxis.set_major_formatter("{x:g}")
            axes.xaxis.set_minor_formatter(NullFormatter())
        axes.grid(axis="x", color="0.9")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_yticks(range(len(names)), names, fontsize=8)
    panels[0].invert_yaxis()
    save(figure, picture)


def interval(values: list[float], logarithmic: bool) -> tuple[float, float, float]:
    """Mean and 95 % interval by Student's t over seeds; of the logarithms where that is the scale."""
    scaled = np.log(values) if logarithmic else np.array(values)
    half = float(student.ppf(0.975, len(values) - 1) * scaled.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0
    ends = scaled.mean(), scaled.mean() - half, scaled.mean() + half
    mean, low, high = np.exp(ends) if logarithmic else ends
    return float(mean), float(low), float(high)


def changes(rows: list[dict]) -> list[Change]:
    """Each factor from the paper's value to every other, and the group from free filters too."""
    found = [
        (factor, usual, value)
        for factor, usual in BASE.items()
        for value in dict.fromkeys(row[factor] for row in rows)
        if value != usual and not (factor == "side" and value == CROP)
    ]
    groups = dict.fromkeys(row["group"] for row in rows)
    return found + [("group", None, group) for group in groups if group not in (None, BASE["group"])]


def effect(rows: list[dict], change: Change, key: str) -> tuple[list[float], int]:
    """By seed, the mean over pairs of networks that differ in this alone (a ratio; a difference of accuracy), and how many pairs."""
    factor, before, after = change
    place = {(*(row[name] for name in BASE), row["seed"]): row[key] for row in rows}
    by_seed: dict[int, list[float]] = {}
    for row in rows:
        partner = place.get((*((row | {factor: before})[name] for name in BASE), row["seed"]))
        if row[factor] == after and partner is not None:
            by_seed.setdefault(row["seed"], []).append(row[key] - partner if key == "accuracy" else np.log(row[key] / partner))
    most = max((len(values) for values in by_seed.values()), default=0)
    means = [float(np.mean(values)) for values in by_seed.values() if len(values) == most]
    return means if key == "accuracy" else list(np.exp(means)), most


def table(source: Path) -> str:
    """Markdown: what each change does to residue, error and accuracy, with its 95 % interval over seeds."""
    rows = json.loads(source.read_text())["rows"]
    shown = [key for key in MEASURES if key in rows[0]]
    lines = [f"| change | pairs x seeds | {' | '.join(MEASURES[key] for key in shown)} |", "|---" * (len(shown) + 2) + "|"]
    for change in changes(rows):
        factor, before, after = change
        say = lambda value, factor=factor: {"bandlimit": "all", "group": "free filters"}[factor] if value is None else value
        cells = [f"{SAID[factor]}: {say(before)} to {say(after)}"]
        for key in shown:
            values, pairs = effect(rows, change, key)
            if not values:
                break
            cells[1:] = cells[1:] or [f"{pairs} x {len(values)}"]
            cells.append(told(values, key))
        else:
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def told(values: list[float], key: str) -> str:
    """Mean and interval in words; the values themselves where there are too few for an interval."""
    say = (lambda value: f"{100 * value:+.1f}") if key == "accuracy" else (lambda value: f"{value:.2f}")
    if len(values) < ENOUGH:
        return ", ".join(map(say, values))
    mean, low, high = map(say, interval(values, logarithmic=key != "accuracy"))
    return f"{mean} [{low}, {high}]"


if __name__ == "__main__":
    draw(Path(sys.argv[1]), Path(sys.argv[2]))
    print(table(Path(sys.argv[1])))
