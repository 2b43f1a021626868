"""How far the maps of networks that were trained alike agree, pair by pair, on the validation split: rank and Pearson correlation.

Inside the inscribed circle, of the mean of the gates, of their product (geometric mean) and of the first gate alone; means over sources
with 95 % intervals over them. Where two maps are 0 on the same sky, ranks agree there: Pearson's correlation is stricter then.

Usage: python scripts/map_agreement.py results/explain/agreement.json attention RUN,RUN ...
Each further word is a team by name or folder, or runs joined by commas; pairs are made within a word.
"""

import json
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from equiradio.artefacts.atomic import write_json
from equiradio.datasets.registry import open_data
from equiradio.inference.gate_maps import gate_maps, inscribed, one_map
from equiradio.inference.member import Member, chunks
from equiradio.inference.team import load

BATCH, DRAWS = 16, 2000


def maps_of(member: Member, images: np.ndarray) -> dict[str, np.ndarray]:
    """Kinds of maps (count, pixels) of raw images, inside the circle."""
    looks = [gate_maps(member.look(images[slice(*rows)]).attention).float().numpy() for rows in chunks(len(images), BATCH)]
    gates = np.concatenate(looks)
    kinds = {"mean": one_map(gates, anchored=False), "product": one_map(gates, anchored=True), "gate 1": gates[:, 0]}
    return {kind: planes[:, inscribed().numpy()] for kind, planes in kinds.items()}


def summary(values: np.ndarray) -> dict[str, Any]:
    """Mean over sources and its interval; a source of which one map is flat counts 0."""
    values, rng = np.nan_to_num(values), np.random.default_rng(0)
    drawn = [rng.choice(values, len(values)).mean() for _ in range(DRAWS)]
    return {"mean": float(values.mean()), "interval95": np.percentile(drawn, (2.5, 97.5)).tolist()}


def main() -> None:
    out, *words = sys.argv[1:]
    if not words:
        sys.exit(__doc__)
    images = open_data("mirabest").of_split("validation").images
    result = (
        json.loads(Path(out).read_text(encoding="utf-8"))
        if Path(out).is_file()
        else {"split": "validation", "sources": len(images), "pairs": {}}
    )
    for word in words:
        members = [member for name in word.split(",") for member in load(name).members]
        named = {f"{each.card.model}, seed {each.card.seed}": maps_of(each, images) for each in members}
        for (one, first), (other, second) in combinations(named.items(), 2):
            result["pairs"][f"{one} and {other}"] = {
                kind: {
                    "rank": summary(np.array([spearmanr(a, b).statistic for a, b in zip(planes, second[kind], strict=True)])),
                    "pearson": summary(np.array([np.corrcoef(a, b)[0, 1] for a, b in zip(planes, second[kind], strict=True)])),
                }
                for kind, planes in first.items()
            }
            print(one, other, {kind: round(each["rank"]["mean"], 3) for kind, each in result["pairs"][f"{one} and {other}"].items()})
    write_json(Path(out), result)


if __name__ == "__main__":
    main()
