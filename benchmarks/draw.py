"""Draw how many times faster than e2cnn each variant is, per model.

Run: python benchmarks/draw.py results/speed/peers-cpu.json docs/images/speed.png
"""

import json
import sys
from pathlib import Path

from matplotlib.figure import Figure

STYLES = {
    "default": ("equiradio, as preset fast runs it", "o", "#D55E00"),
    "float32-dense": ("equiradio, float32, dense form", "s", "#0072B2"),
    "e2cnn-kept-blocks": ("e2cnn with our malloc setting", "^", "#009E73"),
    "escnn": ("escnn", "v", "#CC79A7"),
}


def main(source: str, target: str) -> None:
    """Two panels: a training step, inference; a dot per variant with its least and most over the rounds."""
    summary = json.loads(Path(source).read_text())["summary"]
    figure = Figure(figsize=(9, 4), layout="constrained")
    for axes, task in zip(figure.subplots(1, 2, sharey=True), ("training", "inference"), strict=True):
        for offset, (variant, (label, marker, colour)) in enumerate(STYLES.items()):
            rows = [(row, model[task]["times_faster_than_e2cnn"].get(variant)) for row, model in enumerate(summary.values())]
            if not any(ratio for _, ratio in rows):
                continue
            known = [(row + 0.18 * (1.5 - offset), ratio) for row, ratio in rows if ratio]
            heights, medians = [row for row, _ in known], [ratio["median"] for _, ratio in known]
            spans = [[ratio["median"] - ratio["low"] for _, ratio in known], [ratio["high"] - ratio["median"] for _, ratio in known]]
            axes.errorbar(medians, heights, xerr=spans, fmt=marker, color=colour, label=label, markersize=5, linewidth=1)
        axes.axvline(1, color="0.5", linewidth=0.8)
        axes.set_xscale("log")
        axes.set_xticks([0.5, 1, 2, 4, 8, 16], ["0.5", "1", "2", "4", "8", "16"])
        axes.minorticks_off()
        axes.set_xlabel(f"times faster than e2cnn, {task}")
        axes.grid(axis="x", color="0.9")
    figure.axes[0].set_yticks(range(len(summary)), list(summary))
    figure.axes[0].invert_yaxis()
    figure.axes[0].legend(frameon=False, fontsize=8, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    figure.savefig(target, dpi=150)


if __name__ == "__main__":
    main(*sys.argv[1:])
