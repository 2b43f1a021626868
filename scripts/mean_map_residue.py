"""Residue of class-mean attention maps over uniform rotations, from the maps that evaluations left: no network is run.

The mean map over uniform rotations of every source would be round if the network turned with the sky, so its power in angular harmonics is
residue. For networks exact under quarter turns only multiples of 4 can be there.

Usage: python scripts/mean_map_residue.py results/explain/mean-maps.csv results/runs/*attention*
"""

import csv
import io
import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from equiradio.artefacts.atomic import write_text
from equiradio.artefacts.map_archive import holder_of, maps_in
from equiradio.artefacts.run import Run
from equiradio.explain.residual import angular_power
from equiradio.labels import FANAROFF_RILEY
from equiradio.models.names import group_of
from equiradio.report.figures import COLOURS, save

SHOWN = (1, 2, 3, 4, 8, 12, 16)
ASIDE = 0.35  # of a harmonic, between marks of models
FLOOR = 1e-15  # below is rounding: harmonics that quarter turns forbid
COLUMNS = ("run", "map", "residue_over_structure", "order_4_share", *(f"m{m}" for m in SHOWN))


def rows_of(run: Run) -> list[list[str]]:
    """One row for each class and for their difference: residue over the map's own radial structure, and shares of harmonics."""
    fri, frii = maps_in(run.maps_file, "mean_maps")["mean_maps"].astype(np.float64)
    rows = []
    for name, plane in (*zip(FANAROFF_RILEY, (fri, frii), strict=True), ("FRI - FRII", fri - frii)):
        power = angular_power(plane - plane.mean())
        residue = power[1:]
        shares = residue / residue.sum()
        numbers = [residue.sum() / power[0], shares[3::4].sum(), *(shares[m - 1] for m in SHOWN)]
        rows.append([run.folder.name, name, *(f"{number:.3g}" for number in numbers)])
    return rows


def draw(runs: list[Run], path: Path) -> None:
    """Power of each harmonic of the class difference over the map's radial structure: a line or marks per run, a colour per model."""
    figure = Figure(figsize=(7.4, 4.0), layout="constrained")
    axes = figure.subplots()
    models: dict[str, list[Run]] = {}
    for run in runs:
        models.setdefault(run.card().model, []).append(run)
    for place, (model, own) in enumerate(models.items()):
        for number, run in enumerate(own):
            fri, frii = maps_in(run.maps_file, "mean_maps")["mean_maps"].astype(np.float64)
            power = angular_power(fri - frii - (fri - frii).mean())
            shown = np.flatnonzero(power[1:] > FLOOR * power[0]) + 1
            style = {"color": COLOURS[place], "label": None if number else model}
            if len(shown) > 16:
                axes.plot(shown, power[shown] / power[0], "o-", markersize=3, linewidth=0.8, alpha=0.7, **style)
            else:  # models with quarter turns side by side
                beside = shown + ASIDE * (place - len(models) / 2)
                group = group_of(model)
                axes.plot(beside, power[shown] / power[0], "D" if group and group.mirrored else "^", markersize=4, linestyle="", **style)
    for multiple in range(4, 33, 4):
        axes.axvline(multiple, color="0.9", linewidth=1, zorder=0)
    axes.set(xlabel="Angular harmonic m around the centre", ylabel="Power over that of the radial structure", yscale="log")
    axes.set_xticks(range(0, 33, 4))
    axes.set_title("Mean map of FRI less that of FRII over 36 rotations: residue", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, title="a mark for each seed", title_fontsize=8)
    save(figure, path)


def main(out: Path, folders: list[Path]) -> None:
    runs = [run for run in map(Run, folders) if run.maps_file.is_file()]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for run in runs:
        if holder_of(run.maps_file):
            writer.writerows(rows_of(run))
    write_text(out, text.getvalue())
    draw([run for run in runs if holder_of(run.maps_file)], out.with_suffix(".png"))
    print(text.getvalue())


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
