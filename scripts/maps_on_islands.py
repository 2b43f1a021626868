"""Attention of all test sources against islands and astronomers' measures, from the maps that evaluations left: no network is run.

The measures of `equiradio explain` that need nothing but a map, for every run, on every source of its split; controls: image and Gaussian.

Usage: python scripts/maps_on_islands.py results/explain/all-sources.json results/runs/*attention*
"""

import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from equiradio.artefacts.atomic import write_json
from equiradio.artefacts.map_archive import holder_of, maps_in
from equiradio.artefacts.run import Run
from equiradio.artefacts.tables import read_predictions
from equiradio.datasets.registry import open_data
from equiradio.datasets.sources import Sources
from equiradio.explain.controls import centred_gaussian
from equiradio.explain.equivariance import inscribed
from equiradio.explain.faithfulness import departure, paired_lift, similarity
from equiradio.explain.folder import plain
from equiradio.explain.islands import energy_inside, points_at, source_islands
from equiradio.explain.parts.astronomy import compared

SPLIT = "test"


def on_islands(planes: dict[str, np.ndarray], islands: np.ndarray) -> dict[str, Any]:
    """Mean pointing and energy of each kind of map, and lifts of attention and of its departure over the controls."""
    measured: dict[str, Any] = {}
    for name, measure in (("pointing", points_at), ("energy", energy_inside)):
        values = {kind: np.array([measure(p, m) for p, m in zip(maps, islands, strict=True) if m.any()]) for kind, maps in planes.items()}
        lifts = {
            f"{ours} over {control}": paired_lift(values[ours], values[control])
            for ours in list(planes)[:2]
            for control in list(planes)[2:]
        }
        measured[name] = {"means": {kind: value.mean() for kind, value in values.items()}, "lifts": lifts}
    return measured


def of_run(run: Run, sources: Sources, islands: np.ndarray) -> tuple[dict[str, Any], np.ndarray]:
    """Everything that the maps of a run say; and the maps."""
    stored = maps_in(run.maps_file, "maps", "source_id")
    maps, names = stored["maps"].astype(np.float32) / 255, stored["source_id"]
    if not np.array_equal(names, sources.source_ids.astype(str)):
        raise SystemExit(f"{run.folder}: maps of other sources than {sources.name}, {SPLIT}")
    table = read_predictions(run.predictions_file(sources.name, SPLIT)).to_pydict()
    first = [k for k, number in enumerate(table["pass"]) if number == 0]
    p_frii = dict(zip((table["source_id"][k] for k in first), (table["p_frii"][k] for k in first), strict=True))
    answers = np.array([p_frii[str(name)] for name in names])
    images = sources.images.astype(np.float32)
    gaussian = np.broadcast_to(centred_gaussian(), images.shape)
    planes = {"attention": maps, "departure": departure(maps, images > 0), "image": images, "gaussian": gaussian}
    summary, _ = compared(sources, maps, answers)
    return {"islands": on_islands(planes, islands), "astronomy": summary}, maps


def main(out: Path, folders: list[Path]) -> None:
    runs = [run for run in map(Run, folders) if holder_of(run.maps_file)]
    sources = open_data(runs[0].settings().data.name).of_split(SPLIT)
    islands, where = np.stack([source_islands(image) for image in sources.images]), inscribed(sources.images.shape[-1])
    measured, maps = {}, {}
    for run in runs:
        measured[run.folder.name], maps[run.folder.name] = of_run(run, sources, islands)
    pairs = {
        f"{a} | {b}": np.mean([similarity(one, other, where) for one, other in zip(maps[a], maps[b], strict=True)])
        for a, b in combinations(maps, 2)
    }
    about = {"data": sources.name, "split": SPLIT, "sources": len(sources), "island_area": islands.mean()}
    write_json(out, plain({"about": about, "runs": measured, "map_correlation": pairs}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
