"""CPU time of one core per image of a training step on MiraBest, `training.sky` first and wide in turn: showing, both passes, AdamW.

python benchmarks/wide_sky.py attention c4-attention --batch 32 --form native --precision float32
"""

import argparse
import time
from contextlib import nullcontext
from statistics import mean, median

import numpy as np
import torch
import torch.nn.functional as F

import equiradio
from equiradio.compute.form_timing import steerable_layers, take
from equiradio.compute.memory import keep_large_blocks
from equiradio.compute.preprocess import preprocessing
from equiradio.models.registry import build
from equiradio.settings import change, preset
from equiradio.training.batches import SourcesModule

SKIES = ("first", "wide")


class Stage:
    """The little that the data module asks of a Trainer."""

    world_size, global_rank, training, current_epoch = 1, 0, True, 0


class Arm:
    """A network that is trained on one kind of sky."""

    def __init__(self, name: str, sky: str, options: argparse.Namespace, data: equiradio.datasets.sources.Sources) -> None:
        settings = change(preset("fast"), {"model.name": name, "training.sky": sky})
        preprocess = preprocessing(settings.data, None)
        self.module = SourcesModule(data, settings.training, preprocess)
        self.module.trainer = Stage()
        self.batches = np.random.default_rng(0).permutation(self.module.images_per_epoch)
        torch.manual_seed(0)
        self.network = build(settings.model, blank=preprocess.blank).train()
        if options.form != "auto":
            take(self.network, dict.fromkeys(steerable_layers(self.network), options.form))
        self.optimiser = torch.optim.AdamW(self.network.parameters(), fused=True)
        self.shown, self.lit, self.count = [], [], options.batch
        self.cast = torch.autocast("cpu", torch.bfloat16) if options.precision == "bf16" else nullcontext()

    def step(self, number: int) -> float:
        batch = torch.from_numpy(self.batches[number * self.count :][: self.count])
        start = time.process_time()
        images, labels = self.module.on_after_batch_transfer(batch, 0)
        self.shown.append((time.process_time() - start) / self.count)
        self.lit.append(float((images != images.median()).float().mean()))
        start = time.process_time()
        with self.cast:
            logits = self.network(images).logits
        F.cross_entropy(logits.float(), labels).backward()
        self.optimiser.step()
        self.optimiser.zero_grad()
        return (time.process_time() - start) / self.count + self.shown[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--form", default="auto")
    parser.add_argument("--precision", choices=("float32", "bf16"), default="float32")
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_large_blocks()
    data = equiradio.open_data("mirabest")
    for name in options.models:
        arms = {sky: Arm(name, sky, options, data) for sky in SKIES}
        spent = [{sky: arm.step(number) for sky, arm in arms.items()} for number in range(options.steps + 1)][1:]  # the first warms up
        ratios = [each["wide"] / each["first"] for each in spent]
        for sky, arm in arms.items():
            times = [1000 * each[sky] for each in spent]
            showing = f"of it showing {1000 * mean(arm.shown[1:]):.2f}, lit {mean(arm.lit):.4f}"
            print(f"{name} {sky}: {mean(times):.2f} ms a step and image, {showing}")
        print(f"{name}: wide over first {median(ratios):.3f} (median of {len(ratios)} steps)", flush=True)


if __name__ == "__main__":
    main()
