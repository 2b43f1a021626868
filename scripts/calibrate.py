"""Ask packaged members about a split and keep every answer; then fit the card from them (scripts/calibrate.py fit).

Usage: python scripts/calibrate.py ask validation --minutes 9 attention:8 c4-attention:4     (MODEL:POSES; resumable, one file per pose)
       python scripts/calibrate.py fit attention c4-attention                                 (reads validation answers alone)
       python scripts/calibrate.py ask test --minutes 9 attention c4-attention                (poses as the card has them, once)
       python scripts/calibrate.py score attention c4-attention                               (test scores as shipped, into the card)
"""

import argparse
import time

import numpy as np
from calibration_fit import answers_file, fit, score

from equiradio.artefacts.atomic import write_atomically
from equiradio.artefacts.shelf import packaged_card
from equiradio.datasets.registry import open_data
from equiradio.inference.posed import one_pose
from equiradio.inference.team import load


def ask(split: str, model: str, poses: int, end: float) -> bool:
    """Every member in every pose, what is there left alone; False where time ran out."""
    images = open_data("mirabest").of_split(split).images
    classifier = load(model)
    for pose in range(poses):
        for member in classifier.members:
            file = answers_file(member, split, pose)
            if file.is_file():
                continue
            if time.time() > end:
                return False
            start = time.time()
            logits, features, _ = one_pose(member, images, pose)
            write_atomically(file, lambda part, kept=(logits, features): np.savez(part, logits=kept[0], features=kept[1]))
            print(f"{file.name}: {time.time() - start:.0f} s", flush=True)
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("ask", "fit", "score"))
    parser.add_argument("words", nargs="+", metavar="SPLIT|MODEL")
    parser.add_argument("--minutes", type=float, default=1e6)
    given = parser.parse_intermixed_args()
    if given.step == "ask":
        (split, *models), end = given.words, time.time() + 60 * given.minutes
        for word in models:
            model, _, poses = word.partition(":")
            ask(split, model, int(poses or packaged_card(model)["poses"]), end)
        return
    for model in (word.partition(":")[0] for word in given.words):
        (fit if given.step == "fit" else score)(model)


if __name__ == "__main__":
    main()
