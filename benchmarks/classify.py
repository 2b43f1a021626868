"""Sources per second of `equiradio classify`: reading, recipe, reprojection and inference apart, and the whole with its memory, as JSON.

Run: python benchmarks/classify.py cutouts --model attention --out results/speed/classify-cpu.json
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from equiradio.artefacts.atomic import write_json
from equiradio.artefacts.shelf import default_name
from equiradio.compute.machine import machine
from equiradio.inference.reading import BATCH
from equiradio.inference.team import load
from equiradio.processes import peak_mib
from equiradio.sky.cutout import SkyImage, cut
from equiradio.sky.fits import read_image
from equiradio.sky.listing import image_files
from equiradio.verbs.classify import classify

TURN_DEG = 30.0


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    done = work()
    return done, time.perf_counter() - start


def turned(sky: SkyImage) -> SkyImage:
    """The same pixels said to lie at another angle, so that they are reprojected."""
    wcs, angle = sky.wcs.deepcopy(), np.deg2rad(TURN_DEG)
    wcs.wcs.pc = wcs.wcs.get_pc() @ [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return replace(sky, wcs=wcs)


def measure(files: list[Path], model: str) -> dict[str, Any]:
    """Seconds of each part, one after the other; and of the verb, which reads while it answers."""
    read_image(files[0])  # imports
    cut(turned(read_image(files[0])))
    skies, reading = timed(lambda: [read_image(file) for file in files])
    cutouts, recipe = timed(lambda: [cut(sky) for sky in skies])
    some = skies[:BATCH]
    _, reprojecting = timed(lambda: [cut(turned(sky)) for sky in some])
    team, opening = timed(lambda: load(model))
    images = np.stack([cutout.image for cutout in cutouts])
    team.answer(images[:1])
    _, inference = timed(lambda: [team.answer(images[at : at + BATCH]) for at in range(0, len(images), BATCH)])
    before = peak_mib()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        _, whole = timed(lambda: classify(team, files, out=out / "result.vot"))
        _, with_maps = timed(lambda: classify(team, files, out=out / "maps.vot", maps=out / "maps"))
    seconds = {"reading": reading, "recipe": recipe, "inference": inference, "whole": whole, "whole_with_maps": with_maps}
    rates = {name: len(files) / spent for name, spent in seconds.items()}
    rates |= {"reprojection_and_recipe": len(some) / reprojecting}
    return {
        "model": team.name,
        "members": len(team.members),
        "poses": team.calibration.poses,
        "files": len(files),
        "opening_seconds": round(opening, 2),
        "sources_per_second": {name: round(rate, 2) for name, rate in rates.items()},
        "peak_mib_before_and_after_the_whole": [before, peak_mib()],
    }


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE|DIR", help="FITS cutouts with a WCS")
    parser.add_argument("--model", default=None, help="name of a team, its folder or a run's; the default of classify where left out")
    parser.add_argument("--repeat", type=int, default=1, help="give the files so many times, to see whether memory grows")
    parser.add_argument("--out", type=Path, required=True)
    chosen = parser.parse_args()
    rows = measure(image_files(chosen.files) * chosen.repeat, chosen.model or default_name())
    write_json(chosen.out, {"command": "python benchmarks/classify.py", "machine": machine("cpu")} | rows)
    print(rows)


if __name__ == "__main__":
    main()
