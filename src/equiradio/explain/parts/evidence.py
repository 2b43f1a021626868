"""The answer taken apart: what attention does to it, and what the features would say anyway."""

from typing import Any

import numpy as np
from torch import Tensor

from equiradio.errors import SettingRefusal
from equiradio.evaluation.bootstrap import draw
from equiradio.evaluation.calibration import most_probable
from equiradio.evaluation.choosing import probabilities
from equiradio.evaluation.overlap import with_interval
from equiradio.evaluation.scores import scores
from equiradio.explain.case import Case, scored
from equiradio.explain.faithfulness import departure, paired_lift
from equiradio.explain.folder import Folder
from equiradio.explain.islands import energy_inside, precision_of, source_islands
from equiradio.explain.part import Measured
from equiradio.inference.evidence import Evidence, Sum, evidence, margins
from equiradio.inference.gate_maps import gate_maps
from equiradio.labels import UNKNOWN, Labels
from equiradio.report.explanation_text import MARK_COLUMNS, REPLACED_COLUMNS, mark_rows, number, p_text, replaced_rows
from equiradio.report.page import Page

PLACE, NEEDS = 50, ()
RESAMPLES = 2000
ONE_MAP = "mean map of all sources"
REPLACED = {
    "attention as it is": lambda alpha: alpha,
    "each map's mean everywhere": lambda alpha: alpha.mean((2, 3), keepdim=True).expand_as(alpha),
    ONE_MAP: lambda alpha: alpha.mean(0, keepdim=True).expand_as(alpha),
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


def measure(case: Case, folder: Folder) -> Measured:
    """See `taken_apart`; nothing of the folder is read."""
    return taken_apart(case)


def taken_apart(case: Case) -> Measured:
    """Answers with other maps in place of attention (all sources), and how well each part marks the source (the sample).

    ``linear`` is False, and nothing else is measured, for a network whose heads are not linear.
    """
    labelled = case.everyone.choose(case.everyone.labels != UNKNOWN)
    shuffled = labelled.choose(np.random.default_rng(0).permutation(len(labelled)))  # another source may be of any class
    try:
        whole = evidence(case.member, shuffled.images)
    except SettingRefusal as refusal:
        return {"linear": False, "reason": str(refusal)}, {}
    case.count(len(shuffled))
    answers = {name: margins(_with_maps(whole, replace)) for name, replace in REPLACED.items()}
    sampled = evidence(case.member, case.sources.images)
    case.count(len(case.sources))
    summary = {
        "linear": True,
        "sources": len(labelled),
        "replaced": replaced(answers, shuffled.labels, case.labels),
        "marks": marks(case, [part.toward(toward(margins(sampled))) for part in sampled.parts]),
    }
    arrays = {f"margin {name}": values for name, values in answers.items()}
    return summary, arrays | {"label": shuffled.labels, "source_id": shuffled.source_ids.astype(str)}


def _with_maps(whole: Sum, replace: Any) -> Sum:
    return Sum([Evidence(replace(part.attention), part.reading) for part in whole.parts], whole.constant)


def toward(answers: np.ndarray) -> np.ndarray:
    """The class that evidence speaks for or against, (count,): the second of two, else the one given by the margins (count, classes)."""
    return np.ones(len(answers), int) if answers.shape[1] == 2 else answers.argmax(1)


def replaced(answers: dict[str, np.ndarray], labels: np.ndarray, classes: Labels) -> dict[str, Any]:
    """Accuracy, AUC and changed answers for each replacement; its change of accuracy with a paired interval over sources.

    ``answers`` : margins (count, classes) by replacement, the first as they are.
    """
    p = {name: _probabilities(values) for name, values in answers.items()}
    usual = most_probable(next(iter(p.values())))
    rows = {}
    for name, values in p.items():
        given, measured = most_probable(values), scores(labels, scored(values), classes=classes)
        rows[name] = {
            "accuracy": measured["accuracy"],
            "auc": measured["auc"],
            "answers_changed": float((given != usual).mean()),
            "accuracy_change": paired_lift((given == labels).astype(float), (usual == labels).astype(float)),
        }
    return rows


def _probabilities(answers: np.ndarray) -> np.ndarray:
    """From margins (count, classes): a margin is K / (K - 1) times the logit less the mean logit of all K classes."""
    count = answers.shape[1]
    return probabilities(answers * ((count - 1) / count))


def marks(case: Case, parts: list[Evidence]) -> dict[str, Any]:
    """Mean over the sample, with its interval, of energy on islands and (truth known) average precision, by kind and gate."""
    images = case.sources.images
    islands, counts = [source_islands(image) for image in images], draw(len(images), RESAMPLES, 0)
    of = lambda measure, planes, masks: with_interval(
        np.array([measure(plane, mask) if mask.any() else np.nan for plane, mask in zip(planes, masks, strict=True)]), counts
    )
    rows: dict[str, Any] = {}
    for kind, make in KINDS.items():
        shown = gate_maps([make(part) for part in parts], images.shape[-1])
        planes: dict[str, Tensor] = {f"gate {gate + 1}": shown[:, gate] for gate in range(shown.shape[1])} | {"all gates": shown.mean(1)}
        for gate, plane in planes.items():
            seen = departure(plane.numpy(), images > 0) if kind in SIGNED else plane.numpy()
            rows.setdefault(kind, {})[gate] = {"energy": of(energy_inside, seen, islands)}
            if case.truth is not None:
                rows[kind][gate]["precision"] = of(precision_of, seen, case.truth > 0)
    return rows


def headlines(answer: dict[str, Any]) -> list[list[str]]:
    """What one map for all sources would do."""
    if not answer["evidence"]["linear"]:
        return []
    same = answer["evidence"]["replaced"][ONE_MAP]
    meaning = f"{100 * same['answers_changed']:.1f} % of answers change, p {p_text(same['accuracy_change']['p_value'])}"
    return [["accuracy with one mean map for all", number(same["accuracy"]), meaning]]


def sections(page: Page, case: Case, folder: Folder, answer: dict[str, Any], other: Folder | None) -> None:
    """Both tables, or why there are none."""
    summary = answer["evidence"]
    page.heading("What attention does to the answer")
    if not summary["linear"]:
        page.text(f"The answer cannot be taken apart. {summary['reason']}")
        return
    page.text(
        "The heads are linear, so the logits are a sum over pixels of attention times a reading of the features. "
        f"Below: {summary['sources']} sources answered with other maps in place of attention, and how well each part marks the source."
    )
    page.table(REPLACED_COLUMNS, replaced_rows(summary))
    page.table(MARK_COLUMNS, mark_rows(summary))
