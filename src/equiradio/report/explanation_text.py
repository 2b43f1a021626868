"""An explanation in words and tables."""

from collections.abc import Mapping
from typing import Any

KINDS = {
    "attention": "attention",
    "departure": "departure of attention",
    "image": "the image itself",
    "gaussian": "centred Gaussian",
    "untrained": "untrained network",
    "grad_cam": "Grad-CAM",
    "gradients": "integrated gradients",
}
MEASURES = {
    "deletion": "deletion",
    "insertion": "insertion",
    "pointing": "pointing game",
    "energy": "energy on islands",
    "precision": "average precision",
    "hot_spot_rank": "rank of hot spots",
    "core_rank": "rank of the core",
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
                span = f"{lift['lift']:+.3f} [{lift['low']:+.3f}, {lift['high']:+.3f}]"
                better = KINDS[control] if lift["high"] < 0 else KINDS[kind] if lift["low"] > 0 else "-"
                values = (number(means[kind]), number(means[control]), span, p_text(lift["p_value"]))
                rows.append([MEASURES[name], KINDS[kind], KINDS[control], *values, better])
    return rows


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
        span = f"{change['lift']:+.3f} [{change['low']:+.3f}, {change['high']:+.3f}]"
        percent = f"{100 * measured['answers_changed']:.1f}"
        rows.append([name, number(measured["accuracy"]), number(measured["auc"]), percent, span, p_text(change["p_value"])])
    return rows


def mark_rows(evidence: Mapping[str, Any]) -> list[list[str]]:
    """One row per part of the answer and gate: how much of it lies on the source; precision where truth is known."""
    span = lambda mean: f"{mean['mean']:.3f} [{mean['interval95'][0]:.3f}, {mean['interval95'][1]:.3f}]" if mean else "-"
    return [
        [kind, gate, span(measures["energy"]), span(measures.get("precision"))]
        for kind, gates in evidence["marks"].items()
        for gate, measures in gates.items()
    ]
