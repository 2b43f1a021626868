"""One steerable layer in its forms: cost against group order, batch and side of the image, as JSON and a figure.

Run: python benchmarks/scaling.py --out results/speed/scaling-cpu.json --figure docs/images/scaling.png
Where the file is there already, the shorter times of both runs are kept: run it again on a shared machine.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from equiradio.artefacts.atomic import write_json
from equiradio.compute.device import choose_precision
from equiradio.compute.form_timing import Case
from equiradio.compute.machine import machine
from equiradio.compute.memory import keep_large_blocks
from equiradio.layers.forms import Shape
from equiradio.symmetry import Cyclic, Dihedral

FIELDS = 32
ORDERS, BATCHES, SIDES = (2, 4, 8, 16, 32), (1, 2, 4, 8), (19, 38, 76)
USUAL_SIDE, USUAL_BATCH = 38, 2
COLOURS = {"dense": "#0072B2", "fourier": "#D55E00", "winograd": "#009E73"}
AXES = {"group order": "order", "batch": "batch", "side, pixels": "side"}


def measure() -> list[dict[str, Any]]:
    """Forward and backward of a 5x5 layer of 32 fields, milliseconds per image in every form that may win."""
    precision = choose_precision("auto", "cpu")
    usual = {"side": USUAL_SIDE, "batch": USUAL_BATCH}
    asked = [("group order", group, usual) for order in ORDERS for group in (Cyclic(order), Dihedral(order // 2))]
    asked += [("batch", Dihedral(8), usual | {"batch": batch}) for batch in BATCHES]
    asked += [("side, pixels", Dihedral(8), usual | {"side": side}) for side in SIDES]
    rows = []
    for axis, group, shape in asked:
        side, batch = shape["side"], shape["batch"]
        choice = Case(Shape(group, FIELDS, FIELDS, 5), side, side, batch, precision, "cpu", training=True).measure()
        rows.append({"axis": axis, "group": group.name, "order": group.order, "side": side, "batch": batch, "precision": precision})
        taken = {f"{form}_ms_per_image": choice.milliseconds.get(form) for form in COLOURS}
        rows[-1] |= {name: spent and spent / batch for name, spent in taken.items()}
        print(choice, flush=True)
    return rows


def least(rows: list[dict[str, Any]], before: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The shorter time of two runs, row by row and form by form: other work on the machine only makes it longer."""
    for row, earlier in zip(rows, before, strict=True):
        for name in (f"{form}_ms_per_image" for form in COLOURS):
            if row[name] and earlier[name]:
                row[name] = min(row[name], earlier[name])
    return rows


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Three panels, one per axis; log scales, with the slopes that the operations predict."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.4), layout="constrained")
    for axes, (axis, key) in zip(figure.subplots(1, 3), AXES.items(), strict=True):
        for form, colour in COLOURS.items():
            for kind, style in (("C", "o-"), ("D", "s--")):
                chosen = [row for row in rows if row["axis"] == axis and row["group"][0] == kind and row[f"{form}_ms_per_image"]]
                if chosen:
                    x, y = [row[key] for row in chosen], [row[f"{form}_ms_per_image"] for row in chosen]
                    axes.loglog(x, y, style, color=colour, label=f"{form}, {kind}", markersize=4)
        axes.set_xlabel(axis)
        ticks = sorted({row[key] for row in rows if row["axis"] == axis})
        axes.set_xticks(ticks, [str(tick) for tick in ticks])
        axes.minorticks_off()
        axes.legend(frameon=False, fontsize=7)
    figure.axes[0].set_ylabel("ms per image, forward and backward")
    figure.savefig(path, dpi=150)


def main() -> None:
    """Measure, write, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--figure", type=Path, required=True)
    chosen = parser.parse_args()
    keep_large_blocks()
    torch.manual_seed(0)
    rows = measure()
    if chosen.out.exists():
        rows = least(rows, json.loads(chosen.out.read_text())["rows"])
    write_json(
        chosen.out, {"command": "python benchmarks/scaling.py", "machine": machine("cpu"), "fields": FIELDS, "size": 5, "rows": rows}
    )
    draw(rows, chosen.figure)


if __name__ == "__main__":
    main()
