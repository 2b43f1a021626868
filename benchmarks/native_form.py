"""CPU time of one core per MiraBest test image, in float32: the forms of before, the compiled form, and that with empty sky left out.

python benchmarks/native_form.py c4-attention c8-attention --images 8
"""

import argparse
import time

import torch

import equiradio
from equiradio.compute import empty_sky
from equiradio.compute.form_timing import steerable_layers, take
from equiradio.inference import member as asking
from equiradio.inference.team import load
from equiradio.layers.forms.native.library import best


def seconds(member: asking.Member, images, rounds: int = 3) -> float:
    """Least CPU time of an image, after one round to warm up."""
    spent = []
    for _ in range(rounds + 1):
        start = time.process_time()
        member.look(images)
        spent.append((time.process_time() - start) / len(images))
    return min(spent[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--images", type=int, default=8)
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = equiradio.open_data("mirabest")
    images = data.images[data.split == "test"][: options.images]
    print(f"kernels: {best()}")
    for name in options.models:
        member = load(name).members[0]
        layers, times = steerable_layers(member.network), {}
        asking.would_help = lambda network: False
        for form in ("winograd", "native"):
            take(member.network, dict.fromkeys(layers, form))
            times[form] = 1000 * seconds(member, images)
        asking.would_help = empty_sky.would_help
        times["native, no empty sky"] = 1000 * seconds(member, images)
        print(name, ", ".join(f"{what} {spent:.0f} ms" for what, spent in times.items()), flush=True)


if __name__ == "__main__":
    main()
