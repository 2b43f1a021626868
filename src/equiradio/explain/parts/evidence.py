"""The part of an explanation that takes the answer apart: what attention does to it, and what the features would say anyway."""

from typing import Any

import numpy as np

from equiradio.errors import SettingRefusal
from equiradio.evaluation.bootstrap import draw
from equiradio.evaluation.overlap import with_interval
from equiradio.evaluation.scores import scores
from equiradio.explain.case import Case
from equiradio.explain.faithfulness import paired_lift
from equiradio.explain.islands import energy_inside, precision_of, source_islands
from equiradio.explain.parts.faithfulness import departure
from equiradio.inference.evidence import Evidence, evidence, margin
from equiradio.inference.gate_maps import gate_maps
from equiradio.labels import UNKNOWN

Part = tuple[dict[str, Any], dict[str, np.ndarray]]
RESAMPLES = 2000
REPLACED = {
    "attention as it is": lambda alpha: alpha,
    "each map's mean everywhere": lambda alpha: alpha.mean((2, 3), keepdim=True).expand_as(alpha),
    "mean map of all sources": lambda alpha: alpha.mean(0, keepdim=True).expand_as(alpha),
    "map of another source": lambda alpha: alpha.roll(1, 0),
    "1 - attention": lambda alpha: 1 - alpha,
}
KINDS = {
    "attention": lambda part: part.attention,
    "1 - attention": lambda part: 1 - part.attention,
    "reading": lambda part: part.reading,
    "attention x reading": lambda part: part.attention * part.reading,
}
SIGNED = ("reading", "attention x reading")


def taken_apart(case: Case) -> Part:
    """Answers with other maps in place of attention (all sources), and how well each part marks the source (the sample).

    ``linear`` is False, and nothing else is measured, for a network whose heads are not linear.
    """
    labelled = case.everyone.choose(case.everyone.labels != UNKNOWN)
    shuffled = labelled.choose(np.random.default_rng(0).permutation(len(labelled)))  # another source may be of either class
    try:
        parts, constant = evidence(case.classifier, shuffled.images)
    except SettingRefusal as refusal:
        return {"linear": False, "reason": str(refusal)}, {}
    case.count(len(shuffled))
    margins = {
        name: margin([Evidence(replace(part.attention), part.reading) for part in parts], constant) for name, replace in REPLACED.items()
    }
    sampled, _ = evidence(case.classifier, case.sources.images)
    case.count(len(case.sources))
    summary = {"linear": True, "sources": len(labelled), "replaced": replaced(margins, shuffled.labels), "marks": marks(case, sampled)}
    arrays = {f"margin {name}": values for name, values in margins.items()}
    return summary, arrays | {"label": shuffled.labels, "source_id": shuffled.source_ids.astype(str)}


def replaced(margins: dict[str, np.ndarray], labels: np.ndarray) -> dict[str, Any]:
    """Accuracy, AUC and changed answers for each replacement; its change of accuracy with a paired interval over sources."""
    right = {name: ((values > 0) == (labels == 1)).astype(float) for name, values in margins.items()}
    usual = next(iter(margins))
    found = {}
    for name, values in margins.items():
        measured = scores(labels, 1 / (1 + np.exp(-values)))
        found[name] = {
            "accuracy": measured["accuracy"],
            "auc": measured["auc"],
            "answers_changed": float(((values > 0) != (margins[usual] > 0)).mean()),
            "accuracy_change": paired_lift(right[name], right[usual]),
        }
    return found


def marks(case: Case, parts: list[Evidence]) -> dict[str, Any]:
    """Mean over the sample, with its interval, of energy on islands and (truth known) average precision, by kind and gate."""
    images = case.sources.images
    islands, counts = [source_islands(image) for image in images], draw(len(images), RESAMPLES, 0)
    of = lambda measure, planes, masks: with_interval(
        np.array([measure(plane, mask) if mask.any() else np.nan for plane, mask in zip(planes, masks, strict=True)]), counts
    )
    found: dict[str, Any] = {}
    for kind, make in KINDS.items():
        shown = gate_maps([make(part) for part in parts])
        planes = {f"gate {number + 1}": shown[:, number] for number in range(shown.shape[1])} | {"all gates": shown.mean(1)}
        for gate, plane in planes.items():
            seen = departure(plane.numpy(), images > 0) if kind in SIGNED else plane.numpy()
            found.setdefault(kind, {})[gate] = {"energy": of(energy_inside, seen, islands)}
            if case.truth is not None:
                found[kind][gate]["precision"] = of(precision_of, seen, case.truth > 0)
    return found
