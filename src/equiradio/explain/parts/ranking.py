"""The ranking: every kind of map by every measure, from paired differences over sources with intervals that hold all at once."""

from typing import Any

import numpy as np

from equiradio.evaluation.calibration import most_probable
from equiradio.explain.case import Case
from equiradio.explain.folder import Folder
from equiradio.explain.part import Arrays, Measured, Summary
from equiradio.explain.parts.faithfulness import KINDS, planes_of
from equiradio.explain.ranking import Ranking, ranked
from equiradio.explain.robustness import randomised_likeness, seeds_likeness, turned_likeness
from equiradio.report.explanation_text import KINDS as NAMES
from equiradio.report.explanation_text import MEASURES, PAIR_COLUMNS, number, pair_rows, rank_columns, rank_rows
from equiradio.report.figures import save
from equiradio.report.page import Page
from equiradio.report.ranking_figure import ranking_figure

PLACE, NEEDS = 46, ("maps", "faithfulness")
FAITHFUL = ("deletion", "insertion", "pointing", "energy", "precision")  # of the part `faithfulness`, where it has them
LIKENESSES = {"randomised": randomised_likeness, "turned": turned_likeness, "seeds": seeds_likeness}
LOWER_IS_BETTER = ("deletion", "randomised")


def measure(case: Case, folder: Folder) -> Measured:
    """Values (kinds, sources) of each measure as ``value_<measure>``, and ranks."""
    maps, faithful = folder.arrays("maps"), folder.arrays("faithfulness")
    planes, given = planes_of(case, maps), most_probable(maps["p"])
    checks = LIKENESSES if case.effort.checks else {}
    likenesses = {name: check(case, planes, given, maps["deep"]) for name, check in checks.items()}
    values = {name: faithful[f"measure_{name}"] for name in FAITHFUL if f"measure_{name}" in faithful}
    nothing = np.full(len(case.sources), np.nan)
    values |= {name: np.stack([each.get(kind, nothing) for kind in KINDS]) for name, each in likenesses.items() if each}
    arrays: Arrays = {f"value_{name}": each for name, each in values.items()}
    return summarised(values), arrays | {"shown": np.array(_shown(case, maps, given))}


def summarised(values: Arrays) -> Summary:
    """Means, ranks and the number of sources by measure and kind, mean ranks, and how many intervals hold together."""
    made = rank(values)
    at = lambda table, m, k: float(table[m, k])
    rows = {
        name: {
            kind: {"mean": at(made.means, m, k), "rank": at(made.rank, m, k), "sources": int(made.sources[m, k])}
            for k, kind in enumerate(KINDS)
        }
        for m, name in enumerate(values)
    }
    return {"measures": rows, "mean_rank": dict(zip(KINDS, made.mean_rank.tolist(), strict=True)), "comparisons": made.comparisons}


def rank(values: Arrays) -> Ranking:
    """Of values (kinds, sources) by measure."""
    return ranked(np.stack(list(values.values())), np.array([-1 if name in LOWER_IS_BETTER else 1 for name in values]))


def _shown(case: Case, maps: Arrays, given: np.ndarray) -> int:
    """The source that pictures show: of the last class, among those with every kind of map, the surest right answer."""
    rows, labels = maps["deep"], case.sources.labels
    right = [row for row in rows if given[row] == labels[row] == len(case.labels) - 1] or list(rows)
    return int(max(right, key=lambda row: maps["p"][row, given[row]]))


def headlines(answer: dict[str, Any]) -> list[list[str]]:
    """Where attention and evidence stand."""
    mean = {kind: value for kind, value in answer["ranking"]["mean_rank"].items() if value is not None}
    if not mean:  # too few sources for ranks
        return []
    best = min(mean, key=lambda kind: mean[kind])
    meaning = f"evidence {number(mean.get('evidence'), 1)}; best: {NAMES[best]} {number(mean[best], 1)}, of {len(mean)} kinds of maps"
    return [["mean rank of attention", number(mean.get("attention"), 1), meaning]]


def sections(page: Page, case: Case, folder: Folder, answer: dict[str, Any], other: Folder | None) -> None:
    """The figure that shows it at a glance, and the table."""
    arrays, summary = folder.arrays("ranking"), answer["ranking"]
    values = {name.removeprefix("value_"): each for name, each in arrays.items() if name.startswith("value_")}
    planes, shown = planes_of(case, folder.arrays("maps")), int(arrays["shown"])
    made = rank(values)
    folder.write_table("ranking", PAIR_COLUMNS, pair_rows(list(values), made.means, made.lift, made.low, made.high))
    page.heading("Which map marks what the answer rests on?")
    examples = {kind: plane[shown] for kind, plane in planes.items()}
    picture = ranking_figure(list(values), made.means, made.rank, made.sources, case.sources.images[shown], examples)
    page.picture(
        save(picture, folder.figure("ranking")),
        f"Rank: the middle of those possible, given which are better for sure; paired over sources, {summary['comparisons']} intervals "
        f"that hold together at 95 %. The small maps are of {case.sources.source_ids[shown]}.",
    )
    page.table(rank_columns(list(values)), rank_rows(summary))
    used = sorted({kind["sources"] for kinds in summary["measures"].values() for kind in kinds.values() if kind["sources"]})
    page.text(
        f"Mean and, in brackets, rank. Measured on {', '.join(map(str, used))} sources, fewest where maps are costly. "
        + "; ".join(f"{MEASURES[name]}: lower is better" for name in LOWER_IS_BETTER)
        + ". What needs no trained network is alike under fresh weights and seeds by its nature."
    )
