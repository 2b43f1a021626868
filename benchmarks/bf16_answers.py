"""Answers of packaged teams in bf16 beside float32, on the 153 test images of MiraBest as they are: how far probabilities move.

python benchmarks/bf16_answers.py c4-attention quick --out results/speed/bf16-answers.json
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from ending import run

import equiradio
from equiradio.artefacts.atomic import write_json
from equiradio.compute.machine import facts
from equiradio.layers.forms.native.library import best


def probabilities(name: str, precision: str, images: np.ndarray) -> np.ndarray:
    """Of every source and class, by the team as it answers."""
    team = equiradio.load(name, precision=precision)
    return np.concatenate([team.answer(images[first : first + 16]).p for first in range(0, len(images), 16)])


def compared(name: str, sources: Any) -> dict[str, Any]:
    plain, rounded = (probabilities(name, precision, sources.images) for precision in ("float32", "bf16"))
    moved, changed = np.abs(plain - rounded), np.flatnonzero(plain.argmax(1) != rounded.argmax(1))
    return {
        "largest": float(moved.max()),
        "mean": float(moved.mean()),
        "changed_class": [{"source": int(row), "float32": plain[row].tolist(), "bf16": rounded[row].tolist()} for row in changed],
        "right": {"float32": int((plain.argmax(1) == sources.labels).sum()), "bf16": int((rounded.argmax(1) == sources.labels).sum())},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("teams", nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    sources = equiradio.open_data("mirabest").of_split("test")
    answer: dict[str, Any] = {"machine": facts(), "kernels": best(), "teams": {}}
    for name in options.teams:
        answer["teams"][name] = compared(name, sources)
        print(name, answer["teams"][name], flush=True)
        write_json(options.out, answer)


if __name__ == "__main__":
    run(main)
