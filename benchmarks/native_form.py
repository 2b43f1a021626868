"""CPU time of one core per MiraBest test image, in float32: the forms of before, the compiled form, and that with empty sky left out.

``--parts`` says for the last where the time goes; ReLU and batch norm are in "the rest" where a layer does not end with them itself.

python benchmarks/native_form.py c4-attention c8-attention --images 8 --parts
"""

import argparse
import time
from collections import Counter
from functools import partial

import torch

import equiradio
from equiradio.compute import empty_sky
from equiradio.compute.form_timing import steerable_layers, take
from equiradio.inference import member as asking
from equiradio.inference.team import load
from equiradio.layers.forms.native.library import best

PARTS = {"LiftingConvolution": "lifting", "SteerableConvolution": "steerable layers", "AttentionGate": "gates"}


def seconds(member: asking.Member, images, rounds: int) -> float:
    """Least CPU time of an image, after one round to warm up."""
    spent = []
    for _ in range(rounds + 1):
        start = time.process_time()
        member.look(images)
        spent.append((time.process_time() - start) / len(images))
    return min(spent[1:])


def parts(member: asking.Member, images, rounds: int) -> dict[str, float]:
    """Least CPU time of an image in the network's parts."""
    least: dict[str, float] = {}
    spent: Counter[str] = Counter()

    def timed(call, part, *given):
        start = time.process_time()
        answer = call(*given)
        spent[part] += (time.process_time() - start) / len(images)
        return answer

    modules = [module for module in member.network.modules() if type(module).__name__ in PARTS]
    for module in modules:
        module.forward = partial(timed, module.forward, PARTS[type(module).__name__])
    member.network.halve = partial(timed, member.network.halve, "pooling over pixels")
    for _ in range(rounds):
        spent.clear()
        timed(member.look, "all", images)
        spent["the rest"] = 2 * spent["all"] - spent.total()
        least = {part: min(least.get(part, time_), time_) for part, time_ in spent.items()}
    return least


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--parts", action="store_true")
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
            times[form] = 1000 * seconds(member, images, options.rounds)
        asking.would_help = empty_sky.would_help
        times["native, no empty sky"] = 1000 * seconds(member, images, options.rounds)
        print(name, ", ".join(f"{what} {spent:.0f} ms" for what, spent in times.items()), flush=True)
        if options.parts:
            print("   ", ", ".join(f"{what} {1000 * spent:.1f} ms" for what, spent in parts(member, images, options.rounds).items()))


if __name__ == "__main__":
    main()
