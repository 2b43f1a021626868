"""The ranking of `equiradio explain` for several networks: every kind of map by every measure; seeds of a model are pooled.

The parts `maps`, `faithfulness`, `ranking` and `astronomy` alone. What is finished lies in --work and is not measured again.

Usage: python scripts/rank_maps.py results/explain/ranking attention:0,1,2 c4-attention:0 runs/attention-anchored-mirabest-fast-seed0

writes OUT.json (means, ranks, core and peaks), OUT-MODEL-DATA.csv (every pair of maps with its interval) and OUT-MODEL-DATA.png.
TEAM:SEEDS are members of a team, with its other members as their siblings; a folder is a run.
"""

import argparse
import csv
import tempfile
from pathlib import Path

import numpy as np

from equiradio.artefacts.atomic import write_json
from equiradio.datasets.registry import open_data
from equiradio.explain.case import Case, Effort
from equiradio.explain.folder import Folder, plain
from equiradio.explain.parts.faithfulness import planes_of
from equiradio.explain.parts.ranking import rank, summarised
from equiradio.report.explanation_text import PAIR_COLUMNS, pair_rows
from equiradio.report.figures import save
from equiradio.report.ranking_figure import ranking_figure
from equiradio.verbs.explain import about_case, case_of, measured, open_networks

PARTS = ("maps", "faithfulness", "ranking", "astronomy")
Values = dict[str, np.ndarray]


def opened(name: str, effort: Effort, data: str | None) -> list[Case]:
    """The cases of a member of each of the seeds of ``TEAM:SEEDS``, or of a run."""
    team, _, seeds = name.partition(":")
    networks = [open_networks(team, int(seed)) for seed in seeds.split(",")] if seeds else [open_networks(name)]
    sources = [open_data(data or each.member.card.data) for each in networks]
    return [case_of(each, of, "test", effort, lambda *_: None) for each, of in zip(networks, sources, strict=True)]


def values_of(case: Case, folder: Folder) -> Values:
    """Values (kinds, sources) by measure, measured where they are not there yet."""
    folder.check(about_case(case))
    for part in PARTS:
        measured(part, case, folder)
        print(f"{folder.path.name}: {part}, {case.passes.get(part, 0)} images", flush=True)
    arrays = folder.arrays("ranking")
    return {name.removeprefix("value_"): each for name, each in arrays.items() if name.startswith("value_")}


def pooled(each: list[Values]) -> Values:
    """Mean over networks, source by source; the sources that all of them measured."""
    return {name: np.mean([values[name] for values in each], 0) for name in each[0] if all(name in values for values in each)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("networks", nargs="+")
    parser.add_argument("--data")
    parser.add_argument("--sources", type=int, default=0, help="of the test split, 0 for all")
    parser.add_argument("--deep", type=int, default=12, help="of these, for costly maps")
    parser.add_argument("--curves", type=int, default=0, help="of these, for deletion and insertion, 0 for all")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "equiradio-ranking")
    asked = parser.parse_args()
    effort = Effort(sample=asked.sources, deep=asked.deep, curves=asked.curves, fractions=(0.005, 0.02, 0.06))
    models: dict[str, list[tuple[Case, Folder]]] = {}
    for name in asked.networks:
        for case in opened(name, effort, asked.data):
            card = case.member.card
            key = f"{card.model}-{case.everyone.name}"
            folder = Folder(asked.work / f"{key}-seed{card.seed}-{asked.sources}-{asked.deep}-{asked.curves}")
            models.setdefault(key, []).append((case, folder))
    written = {}
    for key, cases in models.items():
        values = pooled([values_of(case, folder) for case, folder in cases])
        marks = {f"seed {case.member.card.seed}": (folder.summary("astronomy") or {}).get("marks") for case, folder in cases}
        written[key] = {"seeds": [case.member.card.seed for case, _ in cases], **summarised(values), "core_and_peaks": marks}
        write_json(asked.out.with_name(f"{asked.out.name}.json"), plain({"split": "test", "models": written}))
        _draw(asked.out.with_name(f"{asked.out.name}-{key}"), values, *cases[0])


def _draw(out: Path, values: Values, case: Case, folder: Folder) -> None:
    """Figure and table of pairs of one model; the small maps are those of its first network."""
    made, shown = rank(values), int(folder.arrays("ranking")["shown"])
    rows = pair_rows(list(values), made.means, made.lift, made.low, made.high)
    with out.with_suffix(".csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(PAIR_COLUMNS)
        writer.writerows([[f"{cell:.4f}" if isinstance(cell, float) else cell for cell in row] for row in rows])
    examples = {kind: plane[shown] for kind, plane in planes_of(case, folder.arrays("maps")).items()}
    save(ranking_figure(list(values), made.means, made.rank, made.sources, case.sources.images[shown], examples), out.with_suffix(".png"))


if __name__ == "__main__":
    main()
