"""Time per image of a training step, on MiraBest in training poses: forms, and empty sky computed once.

CPU time of one core, or, with ``--threads`` above 1, time by the clock, for which no other work should run.

python benchmarks/training_step.py c4-attention d4-attention --batch 16 --precision bf16
"""

import argparse
import time

import numpy as np
import torch
import torch.nn.functional as F

import equiradio
from equiradio.compute.form_timing import steerable_layers, take
from equiradio.compute.memory import keep_large_blocks
from equiradio.compute.poses import TRAINING, draw_poses, show
from equiradio.compute.preprocess import preprocessing
from equiradio.models.registry import build
from equiradio.settings import change, preset

WAYS = {
    "dense": ("dense", False),
    "winograd": ("winograd", False),
    "native, all pixels": ("native", False),
    "native, empty sky once": ("native", True),
}


def a_batch(count: int) -> tuple[torch.Tensor, torch.Tensor, float]:
    """Normalised images in their poses, labels, and the value of an empty pixel."""
    data = equiradio.open_data("mirabest").of_split("train")
    drawn = np.random.default_rng(0).permutation(len(data.images))[:count]
    poses = draw_poses(0, TRAINING, drawn, np.zeros(count, int))
    preprocess = preprocessing(preset("fast").data, None)
    return preprocess(show(torch.from_numpy(data.images[drawn]), poses.matrices())), torch.from_numpy(data.labels[drawn]), preprocess.blank


def a_network(name: str, blank: float, precision: str, form: str, once: bool) -> torch.nn.Module:
    torch.manual_seed(0)
    network = build(change(preset("fast"), {"model.name": name}).model, blank=blank).train()
    take(network, dict.fromkeys(steerable_layers(network), form), precision)
    if not once:
        network._leaves_out_empty_sky = lambda images: False
    return network


def seconds(network: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, precision: str) -> float:
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    start = clock()
    network.zero_grad()
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        loss = F.cross_entropy(network(images).logits, labels)
    loss.backward()
    return (clock() - start) / len(images)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--precision", choices=("float32", "bf16"), default="float32")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    keep_large_blocks()
    images, labels, blank = a_batch(options.batch)
    for name in options.models:
        networks = {way: a_network(name, blank, options.precision, *what) for way, what in WAYS.items() if way in options.ways}
        turn = lambda each: {way: seconds(network, images, labels, options.precision) for way, network in each.items()}
        spent = [turn(networks) for _ in range(options.rounds + 1)]
        least = {way: 1000 * min(each[way] for each in spent[1:]) for way in networks}  # after one round to warm up
        print(name, ", ".join(f"{way} {time:.0f} ms" for way, time in least.items()), flush=True)


if __name__ == "__main__":
    main()
