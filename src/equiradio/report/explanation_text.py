"""An explanation in words and tables."""

from collections.abc import Mapping, Sequence
from typing import Any

KINDS = {
    "attention": "attention",
    "departure": "departure of attention",
    "combined": "product of departures",
    "first_gate": "departure of gate 1",
    "evidence": "evidence",
    "evidence_for": "evidence for the class",
    "image": "the image itself",
    "gaussian": "centred Gaussian",
    "noise": "noise",
    "untrained": "untrained network",
    "grad_cam": "Grad-CAM",
    "score_cam": "Score-CAM",
    "gradients": "integrated gradients",
    "occlusion": "occlusion",
}
MEASURES = {
    "deletion": "deletion",
    "insertion": "insertion",
    "pointing": "pointing game",
    "energy": "energy on islands",
    "precision": "average precision",
    "hot_spot_rank": "rank of hot spots",
    "core_rank": "rank of the core",
    "randomised": "likeness to fresh weights",
    "turned": "stability under turns",
    "seeds": "agreement of seeds",
}


def number(value: float | None, digits: int = 3) -> str:
    """A number as text, a dash for none."""
    return "-" if value is None else f"{value:.{digits}f}"


def p_text(value: float | None) -> str:
    """A p-value as text."""
    return "-" if value is None else "< 0.0001" if value < 1e-4 else f"{value:.4f}"


def lift_rows(faithful: Mapping[str, Any]) -> list[list[str]]:
    """One row per measure, map (attention and its departure) and control: means, lift with interval and p-value."""
    rows = []
    for kind, lifts in (("attention", faithful["lifts"]), ("departure", faithful["departure_lifts"])):
        for name, controls in lifts.items():
            means = faithful["means"][name]
            for control, lift in controls.items():
                if lift["lift"] is None:
                    continue
                better = KINDS[control] if (lift["high"] or 0) < 0 else KINDS[kind] if (lift["low"] or 0) > 0 else "-"
                values = (number(means[kind]), number(means[control]), _lift(lift), p_text(lift["p_value"]))
                rows.append([MEASURES[name], KINDS[kind], KINDS[control], *values, better])
    return rows


def _lift(lift: Mapping[str, Any]) -> str:
    """A mean difference with its interval, where there are sources enough for one."""
    return f"{lift['lift']:+.3f}" + ("" if lift["low"] is None else f" [{lift['low']:+.3f}, {lift['high']:+.3f}]")


LIFT_COLUMNS = ("measure", "map", "control", "map's", "control's", "lift [95 %]", "p", "better")
METHOD_COLUMNS = ("method", "sources", "accuracy", "nll", "Brier", "ECE", "accuracy of the surest half", "entropy: AUC for Uncertain", "p")


def method_rows(uncertainty: Mapping[str, Any]) -> list[list[str]]:
    """One row per way of being unsure."""
    rows = []
    for name, measured in uncertainty["methods"].items():
        doubt = measured["entropy_and_uncertain"]
        scores = [number(measured[key]) for key in ("accuracy", "nll", "brier", "ece")]
        half = number(measured["selective_accuracy"]["0.5"])
        rows.append([name, str(measured["sources"]), *scores, half, number(doubt["auc"]), p_text(doubt["p_value"])])
    return rows


REPLACED_COLUMNS = ("in place of attention", "accuracy", "AUC", "answers that change, %", "change of accuracy [95 %]", "p")
MARK_COLUMNS = ("map", "gate", "energy on islands [95 %]", "average precision [95 %]")


def replaced_rows(evidence: Mapping[str, Any]) -> list[list[str]]:
    """One row per map that was put in the place of attention; the first is attention itself."""
    rows = []
    for name, measured in evidence["replaced"].items():
        change = measured["accuracy_change"]
        percent = f"{100 * measured['answers_changed']:.1f}"
        rows.append([name, number(measured["accuracy"]), number(measured["auc"]), percent, _lift(change), p_text(change["p_value"])])
    return rows


def mark_rows(evidence: Mapping[str, Any]) -> list[list[str]]:
    """One row per part of the answer and gate: how much of it lies on the source; precision where truth is known."""
    edges = lambda mean: mean and mean["interval95"]
    span = lambda mean: f"{mean['mean']:.3f} [{edges(mean)[0]:.3f}, {edges(mean)[1]:.3f}]" if edges(mean) else "-"
    return [
        [kind, gate, span(measures["energy"]), span(measures.get("precision"))]
        for kind, gates in evidence["marks"].items()
        for gate, measures in gates.items()
    ]


PAIR_COLUMNS = ("measure", "map", "other", "mean", "mean_of_other", "lift", "low", "high", "better")


def pair_rows(measures: Sequence[str], means: Any, lift: Any, low: Any, high: Any) -> list[list[Any]]:
    """One row per measure and pair of maps that were measured: lift of the first over the other, with its simultaneous interval."""
    kinds, rows = list(KINDS), []
    for m, name in enumerate(measures):
        for a, kind in enumerate(kinds):
            for b in range(a + 1, len(kinds)):
                if lift[m, a, b] == lift[m, a, b]:  # not nan
                    better = kind if low[m, a, b] > 0 else kinds[b] if high[m, a, b] < 0 else ""
                    spans = (float(each[m, a, b]) for each in (lift, low, high))
                    rows.append([name, kind, kinds[b], float(means[m, a]), float(means[m, b]), *spans, better])
    return rows


def rank_columns(measures: Sequence[str]) -> list[str]:
    """Of the table that `rank_rows` fills."""
    return ["map", "mean rank", *(MEASURES[name] for name in measures)]


def rank_rows(ranking: Mapping[str, Any]) -> list[list[str]]:
    """One row per kind of map, best mean rank first: its mean by each measure, and its rank in brackets."""
    place = lambda rank: f" ({rank:g})" if rank is not None and rank == rank else ""  # few sources have no rank
    cell = lambda each: f"{number(each['mean'], 2)}{place(each['rank'])}" if each["sources"] else "-"
    mean = {kind: value for kind, value in ranking["mean_rank"].items() if value is not None and value == value}
    order = sorted(mean, key=lambda kind: mean[kind])
    return [[KINDS[kind], number(mean[kind], 1), *(cell(each[kind]) for each in ranking["measures"].values())] for kind in order]


CORE_COLUMNS = ("map", "core of FRI", "its image's peaks", "core of FRII", "its image's peaks")


def core_rows(marks: Mapping[str, Any]) -> list[list[str]]:
    """One row per kind of map: its mean rank on core and peaks of each class, with the p-value against noise."""
    cell = lambda each: f"{number(each['rank'], 2)} (p {p_text(each['p_value'])})" if each["sources"] else "-"
    return [
        [KINDS[kind], *(cell(each[what]) for each in classes.values() for what in ("core", "peaks"))] for kind, classes in marks.items()
    ]
