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

from equiradio.artefacts.files import write_text
from equiradio.data.sources import CLASSES
from equiradio.explain.residual import angular_power

SHOWN = (1, 2, 3, 4, 8, 12, 16)
COLUMNS = ("run", "map", "residue_over_structure", "order_4_share", *(f"m{m}" for m in SHOWN))


def rows_of(run: Path) -> list[list[str]]:
    """One row for each class and for their difference: residue over the map's own radial structure, and shares of harmonics."""
    with np.load(run / "maps.npz") as file:
        fri, frii = file["mean_maps"].astype(np.float64)
    rows = []
    for name, plane in (*zip(CLASSES, (fri, frii), strict=True), ("FRI - FRII", fri - frii)):
        power = angular_power(plane - plane.mean())
        residue = power[1:]
        shares = residue / residue.sum()
        numbers = [residue.sum() / power[0], shares[3::4].sum(), *(shares[m - 1] for m in SHOWN)]
        rows.append([run.name, name, *(f"{number:.3g}" for number in numbers)])
    return rows


def main(out: Path, runs: list[Path]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for run in runs:
        if (run / "maps.npz").is_file():
            writer.writerows(rows_of(run))
    write_text(out, text.getvalue())
    print(text.getvalue())


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
