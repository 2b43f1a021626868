"""What causes the residue? Networks of varied kernel, downsampling, side, bandlimit and group; round and turned sources.

A round source looks the same from every side, so whatever of its map depends on the angle is residue. Networks are narrow (3, 6, 8 and 10
fields). Untrained: random weights, batch norms settled on the images; this asks what the architecture does before training. Trained: the
arms that matter, briefly, on `simulated`, all on the same images in the same poses.

Usage: python benchmarks/residue.py --out results/residue/untrained.json [--seeds 5] [--minutes 9]    goes on where it stopped
       python benchmarks/residue.py --trained --out results/residue/trained.json [--seeds 3] [--minutes 9]
`residue_effects.py` makes the table and the figure of what they leave.
"""

import argparse
import json
import time
from itertools import product
from pathlib import Path

import numpy as np
import torch
from brief_training import PREPARE, fit, score
from torch import Tensor, nn

from equiradio.artefacts.atomic import write_json
from equiradio.compute.form_timing import steerable_layers, take
from equiradio.compute.memory import keep_large_blocks
from equiradio.datasets.registry import open_data
from equiradio.datasets.sources import Sources
from equiradio.explain.equivariance import errors_against_angle
from equiradio.explain.residual import angular_power, round_sources
from equiradio.inference.gate_maps import gate_maps
from equiradio.layers.convolution import SteeredConvolution
from equiradio.models.gated import GatedNet
from equiradio.settings import ModelSettings
from equiradio.symmetry.groups import parse_group
from equiradio.symmetry.harmonics import harmonic_basis

WIDTHS = (3, 6, 8, 10)
SOURCES = 4
ANGLES = (0, 15, 30, 45)
PROBED = (4, 8, 12, 16)  # harmonics of round sources: quarter turns leave only multiples of 4
BASE = {"group": "C8", "kernel": 5, "downsampling": "max", "side": 152, "bandlimit": None}
LEARNT, EPOCHS, PASSES, TURNED = 400, 6, 4, 40  # training sources; passes over each test source; test sources turned
CROP = 88  # pixels at the centre that the trained see: 96 % of the flux, 44, 22 and 11 pixels behind the poolings


def variants() -> list[dict]:
    """Kernel x pooling for C8, and one factor at a time around the paper's C8 network."""
    found = [BASE | {"kernel": kernel, "downsampling": how} for kernel in (3, 5, 7, 9) for how in ("max", "antialiased")]
    found += [BASE | {"side": 150}, BASE | {"side": 150, "downsampling": "antialiased"}]
    found += [BASE | {"bandlimit": limit, "kernel": kernel} for kernel, limit in ((5, 0), (5, 1), (9, 2))]
    found += [BASE | {"group": group, "downsampling": how} for group in ("C1", "C4", "C16", "D4") for how in ("max", "antialiased")]
    return [*found, BASE | {"group": None}]


def arms() -> list[dict]:
    """What is trained: both ways of downsampling for each of some groups, and for free filters."""
    ways = product(("C8", None, "D8", "C4"), ("max", "antialiased"))
    return [BASE | {"side": CROP, "group": group, "downsampling": how} for group, how in ways]


def name_of(variant: dict) -> str:
    """A variant in words."""
    group, limit = variant["group"] or "free filters", variant["bandlimit"]
    band = "" if limit is None else f", frequencies to {limit}"
    return f"{group}, {variant['kernel']} px, {variant['downsampling']}, {variant['side']}{band}"


def network_of(variant: dict, seed: int) -> GatedNet:
    """The network with fresh weights; frequencies above a bandlimit are gone from its filters."""
    torch.manual_seed(seed)
    settings = ModelSettings(
        kernel_size=variant["kernel"], side=variant["side"], downsampling=variant["downsampling"], pooling="mean", head_relu=False
    )
    network = GatedNet(settings, parse_group(variant["group"]) if variant["group"] else None, PREPARE.blank, WIDTHS)
    if variant["bandlimit"] is not None:
        frequencies = harmonic_basis(variant["kernel"]).frequencies
        too_high = torch.from_numpy(np.repeat(frequencies, np.where(frequencies == 0, 1, 2)) > variant["bandlimit"])
        for layer in network.modules():
            if isinstance(layer, SteeredConvolution):
                layer.weight.data[..., too_high] = 0
    return network


@torch.no_grad()
def settled(network: GatedNet, images: Tensor) -> GatedNet:
    """The network in evaluation, its batch norms with the statistics of these images."""
    for norm in network.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.momentum = 1.0
    network.train()(images)
    return network.eval()


def prepared(images: np.ndarray) -> Tensor:
    """Raw pixels as a network sees them."""
    return PREPARE(torch.from_numpy(np.ascontiguousarray(images, np.float32))[:, None])


def measure(network: GatedNet, sources: np.ndarray) -> dict:
    """Residue of round sources and error of turned ones."""

    @torch.inference_mode()
    def look(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        parts = [network(prepared(images[start : start + 10])) for start in range(0, len(images), 10)]
        maps = np.concatenate([gate_maps(part.attention, images.shape[-1]).mean(1, keepdim=True).numpy() for part in parts])
        return maps, torch.cat([part.logits for part in parts]).softmax(1).numpy()

    power = angular_power(look(round_sources(sources.shape[-1]))[0][:, 0])
    steps = list(errors_against_angle(look, sources, ANGLES))[1:]
    shares = power[:, 1:].sum(1) / power[:, 0]
    return {
        "round_residue": float(np.exp(np.log(np.maximum(shares, 1e-12)).mean())),
        "share_by_harmonic": {str(m): float((power[:, m] / power[:, 1:].sum(1)).mean()) for m in PROBED},
        "error": float(np.mean([step.errors.mean() for step in steps])),
        "shift": float(np.mean([step.shifts.mean() for step in steps])),
    }


def untrained(variant: dict, seed: int) -> dict:
    """Measured on a few simulated sources, whose statistics the batch norms have."""
    sources = open_data("simulated").images[:SOURCES]
    return measure(settled(network_of(variant, seed), prepared(sources)), sources)


def trained(variant: dict, seed: int) -> dict:
    """Trained briefly, measured and scored on test sources."""
    data = open_data("simulated")
    known, unseen = cropped(data.of_split("train").choose(np.arange(LEARNT))), cropped(data.of_split("test"))
    network, started = network_of(variant, seed), time.monotonic()
    if variant["group"] and parse_group(variant["group"]).order >= 8 and variant["kernel"] == 5:
        take(network, dict.fromkeys(steerable_layers(network), "winograd"))  # on processors without bf16 the fastest, by measurement
    fit(network, *known, seed, EPOCHS)
    seconds = round(time.monotonic() - started)
    return measure(network, unseen[0][:TURNED].numpy()) | score(network, *unseen, seed, PASSES) | {"seconds": seconds}


def cropped(sources: Sources) -> tuple[Tensor, Tensor]:
    """Raw pixels at the centre (count, 88, 88) as floats, and labels."""
    edge = (sources.images.shape[-1] - CROP) // 2
    return torch.from_numpy(sources.images[:, edge:-edge, edge:-edge]).float(), torch.from_numpy(sources.labels)


def run(out: Path, seeds: int, minutes: float, training: bool) -> None:
    """Measure what is not measured yet, until the time is up."""
    keep_large_blocks()
    rows = json.loads(out.read_text())["rows"] if out.is_file() else []
    done = {(row["variant"], row["seed"]) for row in rows}
    chosen, started = arms() if training else variants(), time.monotonic()
    about: dict = {"widths": WIDTHS, "angles_deg": ANGLES, "torch": torch.__version__}
    about |= {"sources": TURNED, "learnt": LEARNT, "epochs": EPOCHS, "passes": PASSES} if training else {"sources": SOURCES}
    for seed, variant in product(range(seeds), chosen):
        if (name_of(variant), seed) in done:
            continue
        if time.monotonic() - started > 60 * minutes:
            print(f"{len(rows)} of {seeds * len(chosen)} measured; run the same command to go on")
            return
        found = trained(variant, seed) if training else untrained(variant, seed)
        rows.append({"variant": name_of(variant), **variant, "seed": seed, **found})
        write_json(out, {"about": about, "rows": rows})
        print(rows[-1], flush=True)
    print(f"all {len(rows)} measured")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results/residue/untrained.json"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=9.0)
    parser.add_argument("--trained", action="store_true")
    arguments = parser.parse_args()
    run(arguments.out, arguments.seeds, arguments.minutes, arguments.trained)


if __name__ == "__main__":
    main()
