"""How the maps of several gates are best made one: every combination measured on the validation split, never on test.

Mean, product and a mean weighted by what each gate adds to the answer, of the maps and of their departures from the level on dark pixels,
and each gate alone: energy, pointing and average precision on islands of all sources, deletion and insertion of some.

Usage: python scripts/combine_gates.py results/explain/combinations.json attention:0 c4-attention:0 runs/my-run ...
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from equiradio.artefacts.atomic import write_json
from equiradio.datasets.registry import open_data
from equiradio.datasets.sources import Sources
from equiradio.explain.case import evenly
from equiradio.explain.combining import COMBINATIONS, answer_shares, departures
from equiradio.explain.faithfulness import curves, sky_values
from equiradio.explain.folder import plain
from equiradio.explain.islands import energy_inside, points_at, precision_of, source_islands
from equiradio.inference.evidence import evidence, margins
from equiradio.inference.gate_maps import gate_maps
from equiradio.inference.member import Member
from equiradio.inference.team import load, member_of

SPLIT, DEEP, FRACTIONS = "validation", 16, (0.005, 0.02, 0.06)


def opened(name: str) -> Member:
    """A member by ``TEAM:SEED``, or a run by its folder."""
    team, _, seed = name.partition(":")
    return member_of(load(team, "cpu"), int(seed)) if seed else load(name, "cpu").members[0]


def candidates(member: Member, sources: Sources) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Every combination (sources, side, side); the gates' mean shares of the answer; the class given."""
    whole, lit = evidence(member, sources.images), sources.images > 0
    given = margins(whole).argmax(1)
    shares = answer_shares([part.toward(given) for part in whole.parts], lit)
    gates = gate_maps([part.attention for part in whole.parts]).numpy()
    apart = departures(gates, lit)
    planes = {f"{name} of maps": make(gates, shares) for name, make in COMBINATIONS.items()}
    planes |= {f"{name} of departures": make(apart, shares) for name, make in COMBINATIONS.items()}
    planes |= {"departure of mean": departures(gates.mean(1, keepdims=True), lit)[:, 0]}
    planes |= {f"gate {gate + 1}": gates[:, gate] for gate in range(gates.shape[1])}
    return planes | {f"departure of gate {gate + 1}": apart[:, gate] for gate in range(gates.shape[1])}, shares.mean(0), given


def measured(member: Member, sources: Sources) -> dict[str, Any]:
    """Each combination's means, and the gates' shares of the answer."""
    planes, shares, given = candidates(member, sources)
    islands = [source_islands(image) for image in sources.images]
    rows: dict[str, dict[str, float]] = {}
    for name, maps in planes.items():
        pairs = [(plane, mask) for plane, mask in zip(maps, islands, strict=True) if mask.any()]
        each = {"energy": energy_inside, "pointing": points_at, "precision": precision_of}
        rows[name] = {what: float(np.mean([measure(*pair) for pair in pairs])) for what, measure in each.items()}
        answers = []
        for row in evenly(sources.labels, DEEP):
            sky = sky_values(sources.images[row], islands[row], np.random.default_rng([0, int(row)]))
            probability = lambda images, label=given[row]: member.look(images).logits.double().softmax(1)[:, label].numpy()
            answers.append(curves(probability, sources.images[row], maps[row], sky, int(row), FRACTIONS))
        rows[name] |= dict(zip(("deletion", "insertion"), np.mean(answers, (0, 2)), strict=True))
    return {"sources": len(sources), "deep": DEEP, "shares": shares, "combinations": rows}


def main(out: Path, names: list[str]) -> None:
    runs = json.loads(out.read_text())["runs"] if out.is_file() else {}
    for name in names:
        member = opened(name)
        key = f"{member.card.model}, seed {member.card.seed}"
        if key not in runs:
            runs[key] = measured(member, open_data(member.card.data).of_split(SPLIT))
            write_json(out, plain({"split": SPLIT, "runs": runs}))
            print(key, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
