"""CPU time of one core per MiraBest test image of a packaged team's first member, as `classify` asks it; runs with older builds too.

PYTHONPATH=OLDER/src python benchmarks/member_answers.py c4-attention c8-attention; the same with this build, in turn.
"""

import argparse
import time
from typing import Any

import torch

import equiradio
from equiradio.inference.team import load


def answering(member: Any, images: Any) -> float:
    """CPU seconds an image."""
    begun = time.process_time()
    member.look(images)
    return (time.process_time() - begun) / len(images)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=4, help="of which the least counts, after one to warm up")
    given = parser.parse_args()
    torch.set_num_threads(1)
    data = equiradio.open_data("mirabest")
    images = data.images[data.split == "test"][: given.images]
    for name in given.models:
        member = load(name).members[0]
        spent = [answering(member, images) for _ in range(given.rounds + 1)]
        print(f"{name} {1000 * min(spent[1:]):.1f} ms", flush=True)


if __name__ == "__main__":
    main()
