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
HEADLINES = ("what", "measured", "what it means")


def number(value: float | None, digits: int = 3) -> str:
    """A number as text, a dash for none."""
    return "-" if value is None else f"{value:.{digits}f}"


def p_text(value: float | None) -> str:
    """A p-value as text."""
    return "-" if value is None else "< 0.0001" if value < 1e-4 else f"{value:.4f}"


def headline_rows(answer: Mapping[str, Any]) -> list[list[str]]:
    """What a reader should know first: rows of `HEADLINES`."""
    symmetry, faithful, astronomy, uncertainty = (answer[part] for part in ("symmetry", "faithfulness", "astronomy", "uncertainty"))
    low, high = symmetry["error_interval95"]
    turns, residue = symmetry["quarter_turns"], symmetry["residue"]
    conformal = uncertainty["conformal"]["one network"]["all"]
    rows = [
        [
            "map error between quarter turns",
            f"{symmetry['error']:.3f} [{low:.3f}, {high:.3f}]",
            f"interpolation alone {symmetry['floor']:.3f}",
        ],
        ["shift of probability", number(symmetry["mean_shift_of_p"]), f"largest {symmetry['largest_shift_of_p']:.3f}"],
        ["quarter turns of maps", f"{turns['largest']:.1e}", "exact" if turns["exact"] else "not exact"],
        ["mirrors of maps", f"{symmetry['mirrors']['largest']:.1e}", "exact" if symmetry["mirrors"]["exact"] else "not exact"],
        [
            f"peak of the residue at m = {residue['tested_order']}, ...",
            number(residue["excess"]["median"], 2),
            f"p {p_text(residue['excess']['p_value'])}",
        ],
    ]
    rows += [[MEASURES[name], number(means["attention"]), _verdict(faithful, name)] for name, means in faithful["means"].items()]
    if answer["evidence"]["linear"]:
        plain = answer["evidence"]["replaced"]["mean map of all sources"]
        meaning = f"{100 * plain['answers_changed']:.1f} % of answers change, p {p_text(plain['accuracy_change']['p_value'])}"
        rows.append(["accuracy with one mean map for all", number(plain["accuracy"]), meaning])
    agree = astronomy["network_and_ratio"]
    rows += [
        ["agrees with the Fanaroff-Riley ratio", number(agree["share"]), f"kappa {number(agree['kappa'])}, p {p_text(agree['p_value'])}"],
        ["conformal sets, coverage at 90 %", number(conformal["coverage"]), f"mean size {number(conformal['mean_size'], 2)}"],
    ]
    return rows


def _verdict(faithful: Mapping[str, Any], name: str) -> str:
    lost = faithful["wins"][name]
    if lost:
        return "better: " + ", ".join(KINDS[kind] for kind in lost)
    beaten = [KINDS[kind] for kind, lift in faithful["lifts"][name].items() if (lift["low"] or 0) > 0]
    return "above " + ", ".join(beaten) if beaten else "no control differs for sure"


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
    for name, found in uncertainty["methods"].items():
        doubt = found["entropy_and_uncertain"]
        scores = [number(found[key]) for key in ("accuracy", "nll", "brier", "ece")]
        half = number(found["selective_accuracy"]["0.5"])
        rows.append([name, str(found["sources"]), *scores, half, number(doubt["auc"]), p_text(doubt["p_value"])])
    return rows


REPLACED_COLUMNS = ("in place of attention", "accuracy", "AUC", "answers that change, %", "change of accuracy [95 %]", "p")
MARK_COLUMNS = ("map", "gate", "energy on islands [95 %]", "average precision [95 %]")


def replaced_rows(evidence: Mapping[str, Any]) -> list[list[str]]:
    """One row per map that was put in the place of attention; the first is attention itself."""
    rows = []
    for name, found in evidence["replaced"].items():
        change = found["accuracy_change"]
        span = f"{change['lift']:+.3f} [{change['low']:+.3f}, {change['high']:+.3f}]"
        percent = f"{100 * found['answers_changed']:.1f}"
        rows.append([name, number(found["accuracy"]), number(found["auc"]), percent, span, p_text(change["p_value"])])
    return rows


def mark_rows(evidence: Mapping[str, Any]) -> list[list[str]]:
    """One row per part of the answer and gate: how much of it lies on the source; precision where truth is known."""
    span = lambda found: f"{found['mean']:.3f} [{found['interval95'][0]:.3f}, {found['interval95'][1]:.3f}]" if found else "-"
    return [
        [kind, gate, span(measures["energy"]), span(measures.get("precision"))]
        for kind, gates in evidence["marks"].items()
        for gate, measures in gates.items()
    ]
