"""What anchored gates cost beside gates under `range`: a training step and an answer of two models in turn, CPU time of one core.

python benchmarks/anchored_cost.py attention,RUN c4-attention,RUN --out results/anchored/cost.json

Each pair is a team, whose first member answers, and a run of the anchored model of like size; a step is that of new networks of both models
(`training_step.py`, empty sky computed once), on MiraBest's training split in training poses.
"""

import argparse
import statistics
from functools import partial
from pathlib import Path
from typing import Any

import torch
from member_answers import answering
from training_step import a_batch, a_network, seconds

import equiradio
from equiradio.artefacts.atomic import write_json
from equiradio.compute.memory import keep_large_blocks
from equiradio.inference.team import load
from equiradio.layers.forms.native import library


def ratio(range_s: list[float], anchored_s: list[float]) -> dict[str, Any]:
    """Milliseconds an image, the least of all rounds, to which other work adds least; anchored over range, of these and of each round."""
    each = [two / one for one, two in zip(range_s, anchored_s, strict=True)]
    least = {"range_ms": 1000 * min(range_s), "anchored_ms": 1000 * min(anchored_s)}
    return {**least, "ratio": min(anchored_s) / min(range_s), "median_of_ratios": statistics.median(each), "rounds": len(each)}


def in_turn(rounds: int, one: Any, two: Any) -> dict[str, Any]:
    """Both once to warm up, then one after the other, whichever came second before going first."""
    one(), two()
    spent: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds):
        for place in (0, 1) if number % 2 == 0 else (1, 0):
            spent[place].append((one, two)[place]())
    return ratio(*spent)


def measured(team: str, run: str, asked: argparse.Namespace) -> dict[str, Any]:
    members = [load(name).members[0] for name in (team, run)]
    images, labels, blank = a_batch(asked.batch)
    made: dict[str, Any] = {}
    for precision in ("float32", "bf16"):
        networks = [a_network(member.card.model, blank, precision, "native", True) for member in members]
        step = [partial(seconds, network, images, labels, precision) for network in networks]
        made[f"step, {precision}"] = in_turn(asked.rounds, *step)
    data = equiradio.open_data("mirabest").of_split("test")
    look = [partial(answering, member, data.images[: asked.batch]) for member in members]
    made["answer, float32"] = in_turn(asked.rounds, *look)
    return {"models": [member.card.model for member in members], **made}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", nargs="+", metavar="TEAM,RUN")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    keep_large_blocks()
    pairs = []
    for pair in asked.pairs:
        pairs.append(measured(*pair.split(","), asked))
        write_json(
            asked.out, {"kernels": library.best(), "batch": asked.batch, "split": {"step": "train", "answer": "test"}, "pairs": pairs}
        )
        for what, spent in pairs[-1].items():
            if isinstance(spent, dict):
                words = f"{spent['range_ms']:.1f} ms, anchored {spent['anchored_ms']:.1f} ms: {spent['ratio']:.3f}"
                print(pairs[-1]["models"][0], what, words, f"(median of rounds {spent['median_of_ratios']:.3f})", flush=True)


if __name__ == "__main__":
    main()
