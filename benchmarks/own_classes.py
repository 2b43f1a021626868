"""From a folder per class of FITS cutouts to a calibrated team with a page, by two commands: how long does it take?

Run: python benchmarks/own_classes.py WORK --out results/speed/own-classes.json [--count 200] [--side 76] [--model c4-attention-narrow]
Sources of the simulator, of two classes, with noise, WCS and beam, as a survey of one's own would have them. Both commands are run as
processes of their own, so that starting Python and importing PyTorch count.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from astropy.io import fits
from ending import run as end_with

from equiradio.artefacts.team import TeamFolder
from equiradio.artefacts.team_scores import measured
from equiradio.datasets.simulated import draw_source, observe

FIELD = 200  # pixels of a simulated field, of which the middle is a cutout
SCALE_DEG = 1.8 / 3600


def write_cutouts(folder: Path, count: int, side: int) -> None:
    """A FITS file for each source, in a folder of its class."""
    edge = (FIELD - side) // 2
    for number in range(count):
        rng = np.random.default_rng([11, number])
        sky = observe(draw_source(number % 2, rng), rng, FIELD)[edge : edge + side, edge : edge + side].astype(np.float32)
        middle = (side + 1) / 2
        axes = [("CTYPE1", "RA---SIN"), ("CTYPE2", "DEC--SIN"), ("CUNIT1", "deg"), ("CUNIT2", "deg"), ("RADESYS", "ICRS")]
        place = [("CRVAL1", 1.7 * number), ("CRVAL2", -30 + 0.3 * number), ("CRPIX1", middle), ("CRPIX2", middle)]
        scale = [("CDELT1", -SCALE_DEG), ("CDELT2", SCALE_DEG), ("BUNIT", "JY/BEAM")]
        path = folder / ("jets", "lobes")[number % 2] / f"source-{number:03d}.fits"
        path.parent.mkdir(parents=True, exist_ok=True)
        fits.PrimaryHDU(sky, fits.Header(axes + place + scale)).writeto(path, overwrite=True)


def timed(words: list[str]) -> float:
    """Wall-clock seconds of ``equiradio WORDS``."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "equiradio", *words], check=True)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path, help="folder of the cutouts, the run and the team; new")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--side", type=int, default=76)
    parser.add_argument("--model", default="c4-attention-narrow")
    chosen = parser.parse_args()
    cutouts, run, team = (chosen.work / name for name in ("cutouts", "run", "team"))
    write_cutouts(cutouts, chosen.count, chosen.side)
    seconds = {
        "train": timed(["train", "--data", str(cutouts), "--model", chosen.model, "--preset", "quick", "--out", str(run)]),
        "calibrate": timed(["calibrate", str(run), "--out", str(team)]),
    }
    card, page = TeamFolder(team).card(), TeamFolder(team).page_file
    accuracy = measured(card.test, "all", "accuracy")
    answer = {
        "sources": chosen.count,
        "side": chosen.side,
        "model": chosen.model,
        "cores": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 1),
        "seconds": {name: round(value, 1) for name, value in seconds.items()},
        "page_bytes": page.stat().st_size,
        "test_accuracy": accuracy,
    }
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps(answer, indent=2) + "\n")
    print(json.dumps(answer))


if __name__ == "__main__":
    end_with(main)
