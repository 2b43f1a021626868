"""What causes the residue? Untrained networks of varied kernel, pooling, side, bandlimit and group; round and turned sources.

A round source looks the same from every side, so whatever of its map depends on the angle is residue. Networks are narrow (3, 6, 8 and 10
fields), their weights random, batch norms settled on the images: this asks what the architecture does before training.

Usage: python benchmarks/residue.py --out results/residue/untrained.json [--seeds 5] [--minutes 9]    goes on where it stopped
       python benchmarks/residue.py --draw results/residue/untrained.json results/residue/untrained.png
"""

import argparse
import json
import time
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from torch import nn

from equiradio.artefacts.files import write_json
from equiradio.data.simulated import load_simulated
from equiradio.explain.equivariance import errors_against_angle
from equiradio.explain.residual import angular_power, round_sources
from equiradio.inference.gates import gate_maps
from equiradio.layers.convolution import SteeredConvolution
from equiradio.layers.pooling import AntialiasedPool
from equiradio.models import gated
from equiradio.settings import DataSettings, ModelSettings
from equiradio.symmetry.groups import parse_group
from equiradio.symmetry.harmonics import harmonic_basis

WIDTHS = (3, 6, 8, 10)
SOURCES = 4
ANGLES = (0, 15, 30, 45)
PROBED = (4, 8, 12, 16)  # harmonics of round sources: quarter turns leave only multiples of 4
BASE = {"group": "C8", "kernel": 5, "pooling": "max", "side": 152, "bandlimit": None}
BLANK = -DataSettings().pixel_mean / DataSettings().pixel_std


def variants() -> list[dict]:
    """Kernel x pooling for C8, and one factor at a time around the paper's C8 network."""
    found = [BASE | {"kernel": kernel, "pooling": pooling} for kernel in (3, 5, 7, 9) for pooling in ("max", "antialiased")]
    found += [BASE | {"side": 150}, BASE | {"side": 150, "pooling": "antialiased"}]
    found += [BASE | {"bandlimit": limit, "kernel": kernel} for kernel, limit in ((5, 0), (5, 1), (9, 2))]
    found += [BASE | {"group": group, "pooling": pooling} for group in ("C1", "C4", "C16", "D4") for pooling in ("max", "antialiased")]
    return [*found, BASE | {"group": None}]


def name_of(variant: dict) -> str:
    """A variant in words."""
    group, limit = variant["group"] or "free filters", variant["bandlimit"]
    band = "" if limit is None else f", frequencies to {limit}"
    return f"{group}, {variant['kernel']} px, {variant['pooling']}, {variant['side']}{band}"


def network_of(variant: dict, seed: int, images: torch.Tensor) -> nn.Module:
    """The untrained network, its batch norms settled on the images."""
    torch.manual_seed(seed)
    settings = ModelSettings(kernel_size=variant["kernel"], side=variant["side"], pooling="mean", head_relu=False)
    group = parse_group(variant["group"]) if variant["group"] else None
    network = gated.GatedNet(settings, group, BLANK, WIDTHS)
    if variant["bandlimit"] is not None:
        frequencies = harmonic_basis(variant["kernel"]).frequencies
        too_high = torch.from_numpy(np.repeat(frequencies, np.where(frequencies == 0, 1, 2)) > variant["bandlimit"])
        for layer in network.modules():
            if isinstance(layer, SteeredConvolution):
                layer.weight.data[..., too_high] = 0
    for norm in network.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.momentum = 1.0
    with torch.no_grad():
        network.train()(images)
    return network.eval()


def prepared(images: np.ndarray) -> torch.Tensor:
    """Raw pixels as a network sees them."""
    data = DataSettings()
    return (torch.from_numpy(np.ascontiguousarray(images, np.float32))[:, None] / 255 - data.pixel_mean) / data.pixel_std


def measure(variant: dict, seed: int, sources: np.ndarray) -> dict:
    """Residue of round sources and error of turned ones, of one network."""
    pool = AntialiasedPool() if variant["pooling"] == "antialiased" else gated.max_pool
    with patch.object(gated, "max_pool", pool):
        network = network_of(variant, seed, prepared(sources))

        @torch.inference_mode()
        def look(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            output = network(prepared(images))
            return gate_maps(output.attention).mean(1, keepdim=True).numpy(), output.logits.softmax(1)[:, 1].numpy()

        power = angular_power(look(round_sources())[0][:, 0])
        errors = [step.errors.mean() for step in errors_against_angle(look, sources, ANGLES)][1:]
    shares = power[:, 1:].sum(1) / power[:, 0]
    return {
        "variant": name_of(variant),
        **variant,
        "seed": seed,
        "round_residue": float(np.exp(np.log(np.maximum(shares, 1e-12)).mean())),
        "share_by_harmonic": {str(m): float((power[:, m] / power[:, 1:].sum(1)).mean()) for m in PROBED},
        "error": float(np.mean(errors)),
    }


def run(out: Path, seeds: int, minutes: float) -> None:
    """Measure what is not measured yet, until the time is up."""
    rows = json.loads(out.read_text())["rows"] if out.is_file() else []
    done = {(row["variant"], row["seed"]) for row in rows}
    sources, started = load_simulated(2 * SOURCES).images[:SOURCES], time.monotonic()
    for seed in range(seeds):
        for variant in variants():
            if (name_of(variant), seed) in done:
                continue
            if time.monotonic() - started > 60 * minutes:
                print(f"{len(rows)} of {seeds * len(variants())} measured; run the same command to go on")
                return
            rows.append(measure(variant, seed, sources))
            about = {"widths": WIDTHS, "sources": SOURCES, "angles_deg": ANGLES, "torch": torch.__version__}
            write_json(out, {"about": about, "rows": rows})
    print(f"all {len(rows)} measured")


def draw(source: Path, picture: Path) -> None:
    """Residue of round sources and error of turned ones by variant: a dot per seed, a bar through the 95 % interval of the mean."""
    from matplotlib.figure import Figure

    from equiradio.report.figures import COLOURS, save

    rows = json.loads(source.read_text())["rows"]
    names = [name for name in map(name_of, variants()) if any(row["variant"] == name for row in rows)]
    figure = Figure(figsize=(9, 0.3 * len(names) + 1), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    labels = ("Residue of round sources (power over the mean's)", "Error of turned sources, 15-45 degrees")
    for axes, key, label in zip(panels, ("round_residue", "error"), labels, strict=True):
        for place, name in enumerate(names):
            values = np.log([row[key] for row in rows if row["variant"] == name])
            colour = COLOURS[2] if "antialiased" in name else COLOURS[0]
            wide = 1.96 * values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0.0
            axes.plot(np.exp(values), [place] * len(values), ".", color="0.75", markersize=5)
            axes.plot(np.exp([values.mean() - wide, values.mean() + wide]), [place] * 2, color=colour, linewidth=2)
            axes.plot(np.exp(values.mean()), place, "o", color=colour, markersize=5)
        axes.set(xscale="log", xlabel=label)
        axes.grid(axis="x", color="0.9")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_yticks(range(len(names)), names, fontsize=8)
    panels[0].invert_yaxis()
    save(figure, picture)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results/residue/untrained.json"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=9.0)
    parser.add_argument("--draw", type=Path, nargs=2, metavar=("JSON", "PNG"))
    arguments = parser.parse_args()
    if arguments.draw:
        draw(*arguments.draw)
    else:
        run(arguments.out, arguments.seeds, arguments.minutes)


if __name__ == "__main__":
    main()
