"""CPU time of one core per MiraBest test image of a packaged team's first member, as `classify` asks it; runs with older builds too.

PYTHONPATH=OLDER/src python benchmarks/member_answers.py c4-attention c8-attention; the same with this build, in turn.
"""

import argparse
import time

import torch

import equiradio
from equiradio.inference.team import load


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
        member, spent = load(name).members[0], []
        for _ in range(given.rounds + 1):
            begun = time.process_time()
            member.look(images)
            spent.append((time.process_time() - begun) / len(images))
        print(f"{name} {1000 * min(spent[1:]):.1f} ms", flush=True)


if __name__ == "__main__":
    main()
