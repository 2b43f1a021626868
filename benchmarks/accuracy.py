"""Is accuracy traded for speed? Small C4, D8 and C16 networks on `simulated`, the same seeds in every form and precision.

Run: python benchmarks/accuracy.py --out results/speed/accuracy.json
The images are averaged over 2x2 pixels (150 -> 75, padded to 76) and the blocks are narrow, so that a training takes a few minutes. A form
is taken in all blocks but the first, as networks of full width do, the compiled one (native) in all. Same seed: same first weights, order
and poses; the arms differ by rounding alone. Written after every training; the same command goes on. Arms in bf16 are left out where the
hardware does not multiply it.
"""

import argparse
import json
import statistics
import time
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from brief_training import PREPARE, fit, score
from torch import Tensor

from equiradio.artefacts.atomic import write_json
from equiradio.compute.device import choose_precision
from equiradio.compute.form_timing import steerable_layers, take
from equiradio.compute.machine import machine
from equiradio.compute.memory import keep_large_blocks
from equiradio.datasets.registry import open_data
from equiradio.datasets.sources import Sources
from equiradio.models.gated import GatedNet
from equiradio.settings import ModelSettings
from equiradio.symmetry import parse_group

ARMS = {
    f"{precision} {form}": (precision, form)
    for precision, form in product(("float32", "bf16"), ("dense", "fourier", "winograd", "native"))
    if (precision, form) != ("bf16", "winograd")
}
GROUPS, SEEDS, WIDTHS, SIDE = ("C4", "D8", "C16"), (0, 1, 2), (2, 4, 8, 16), 76
SOURCES, EPOCHS, PASSES = 400, 4, 2  # training sources; passes over each test source


def halved(sources: Sources) -> tuple[Tensor, Tensor]:
    """Images (count, 75, 75), float, and labels."""
    return F.avg_pool2d(torch.from_numpy(sources.images)[:, None].float(), 2)[:, 0], torch.from_numpy(sources.labels)


def train(group: str, precision: str, form: str, seed: int, data: tuple[Tensor, Tensor]) -> GatedNet:
    """A narrow network of this group, trained in one form."""
    torch.manual_seed(seed)
    network = GatedNet(ModelSettings(pooling="mean", head_relu=False, side=SIDE), parse_group(group), PREPARE.blank, WIDTHS).train()
    everywhere = form == "native"
    take(network, {name: form if everywhere or not name.startswith("blocks.0.") else "dense" for name in steerable_layers(network)})
    fit(network, *data, seed, EPOCHS, precision)
    return network


def main() -> None:
    """Train what is missing, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--arms", default=",".join(ARMS), help="comma-separated")
    parser.add_argument("--groups", default=",".join(GROUPS), help="comma-separated")
    parser.add_argument("--seeds", default=",".join(map(str, SEEDS)), help="comma-separated")
    options = parser.parse_args()
    out, arms, seeds = options.out, options.arms.split(","), [int(seed) for seed in options.seeds.split(",")]
    runs: list[dict[str, Any]] = json.loads(out.read_text())["runs"] if out.exists() else []
    keep_large_blocks()
    sources = open_data("simulated")
    known, unseen = halved(sources.of_split("train").choose(np.arange(SOURCES))), halved(sources.of_split("test"))
    for seed, group, arm in product(seeds, options.groups.split(","), arms):
        if any((run["seed"], run["group"], run["arm"]) == (seed, group, arm) for run in runs):
            continue
        if ARMS[arm][0] == "bf16" and choose_precision("auto", "cpu") != "bf16":
            continue
        start = time.perf_counter()
        network = train(group, *ARMS[arm], seed, known)
        runs.append({"group": group, "arm": arm, "seed": seed, **score(network, *unseen, seed, PASSES, ARMS[arm][0])})
        runs[-1]["seconds"] = round(time.perf_counter() - start)
        print(runs[-1], flush=True)
        heading = {"command": "python benchmarks/accuracy.py", "machine": machine("cpu"), "train": len(known[1]), "test": len(unseen[1])}
        heading |= {"epochs": EPOCHS, "widths": WIDTHS, "side": SIDE}
        write_json(out, heading | {"summary": summary(runs), "runs": runs})


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean and standard deviation over seeds, by group and arm."""
    answer: dict[str, Any] = {}
    for group, arm, name in product(GROUPS, ARMS, ("accuracy", "nll")):
        values = [run[name] for run in runs if (run["group"], run["arm"]) == (group, arm)]
        if values:
            spread = round(statistics.stdev(values), 4) if len(values) > 1 else None
            answer.setdefault(group, {}).setdefault(arm, {})[name] = {"mean": round(statistics.mean(values), 4), "deviation": spread}
    return answer


if __name__ == "__main__":
    main()
