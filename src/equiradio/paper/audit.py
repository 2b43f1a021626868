"""Habits of the published code, one at a time, on finished runs: what each does to accuracy, AUC and maps."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from equiradio.artefacts.atomic import write_json
from equiradio.artefacts.tables import read_predictions
from equiradio.compute.forms import take_likely_forms
from equiradio.datasets.registry import chosen_split, open_data
from equiradio.datasets.sources import Sources
from equiradio.evaluation.scores import arranged, scores
from equiradio.explain.attention import maps
from equiradio.inference.member import Member
from equiradio.inference.team import load
from equiradio.models.registry import build
from equiradio.paper.contents import Audit, AuditRow
from equiradio.paper.plan import AUDITED, SPLIT, Item
from equiradio.verbs.evaluate import predict

PASSES = 4
HABITS = ("batch-range, sorted batches", "batch-range, shuffled batches", "batch-range, single images", "floor-150")
RAW = "raw-figure2"
WHAT = (
    "Each habit of the published code switched on alone in a finished run, same weights; changes against the run as it is. "
    "Accuracy and AUC pooled over the plain and {passes} augmented passes. Logits move by: median change over the spread of all logits. "
    "Maps: of the plain test images. sixteen-passes takes a training of its own."
)

Step = Callable[[str, int, int], object]


def audit_runs(
    items: Sequence[Item],
    out: Path | None,
    *,
    passes: int = PASSES,
    data_dir: Path | None = None,
    device: str = "cpu",
    step: Step = lambda what, done, total: None,
) -> Audit:
    """Measure every habit on the first evaluated run of each model with gates, and ``sixteen-passes`` where its run is there.

    Returns
    -------
    ``what`` and ``rows``, as written to ``out``: see docs/reference/files.md.
    """
    rows: list[AuditRow] = []
    usual = [item for item in items if AUDITED not in item.settings.training.compat and item.evaluated]
    for model in dict.fromkeys(item.model for item in usual):
        item = next(item for item in usual if item.model == model)
        (member,) = load(item.run.folder, device).members
        if member.network.gate_count:
            data = item.settings.data
            sources = chosen_split(open_data(data.name, data_dir, data.classes), SPLIT)
            rows += audit_network(member, sources, item.name, item.settings.training.seed, passes, step)
    rows += [of_training(item, usual) for item in items if AUDITED in item.settings.training.compat]
    audit: Audit = {"what": WHAT.format(passes=passes), "passes": passes, "rows": rows}
    if out is not None:
        write_json(out, audit)
    return audit


def audit_network(
    member: Member, sources: Sources, name: str, seed: int, passes: int, step: Step = lambda what, done, total: None
) -> list[AuditRow]:
    """One row for the network as it is and one per habit that acts on a trained network."""
    base, own = predict(member, sources, seed, passes, "sorted"), maps(member, sources.images)
    rows = [_row(name, "none", base, base, None, None)]
    for number, habit in enumerate(HABITS):
        step(f"habits of {name}", number, len(HABITS) + 1)
        kind, _, company = habit.partition(", ")
        other = with_habit(member, kind)
        batches = {"shuffled batches": "shuffled", "single images": "single"}.get(company, "sorted")
        shuffled = batches == "shuffled"
        order = np.random.default_rng(seed).permutation(len(sources)) if shuffled else np.argsort(sources.labels, kind="stable")
        theirs = np.empty_like(own)
        theirs[order] = maps(other, sources.images[order], batch=1 if batches == "single" else 64)
        rows.append(_row(name, habit, predict(other, sources, seed, passes, batches), base, theirs, own))
    rows.append(_row(name, RAW, None, base, maps(member, sources.images, raw=True), own))
    step(f"habits of {name}", len(HABITS) + 1, len(HABITS) + 1)
    return rows


def with_habit(member: Member, habit: str) -> Member:
    """A network of the same weights that has a habit: ``batch-range`` or ``floor-150``."""
    every: dict[str, dict[str, Any]] = {"batch-range": {"normalisation": "batch-range"}, "floor-150": {"side": 150}}
    changes = every[habit]
    network = build(member.settings.model, classes=len(member.labels), blank=member.preprocess.blank, **changes)
    network.load_state_dict(member.network.state_dict())
    take_likely_forms(network, member.settings.training.layer_form, member.precision, member.device.type)
    return member.with_network(network)


def _row(
    run: str,
    habit: str,
    columns: dict[str, np.ndarray] | None,
    base: dict[str, np.ndarray],
    theirs: np.ndarray | None,
    own: np.ndarray | None,
) -> AuditRow:
    row = {"run": run, "habit": habit, **dict.fromkeys(EFFECTS)}
    if columns is not None:
        before, after = (scores(part["label"], part["p_frii"]) for part in (base, columns))
        margins = [part["logit_frii"] - part["logit_fri"] for part in (base, columns)]
        row |= {
            "accuracy": after["accuracy"],
            "accuracy_change": after["accuracy"] - before["accuracy"],
            "auc": after["auc"],
            "auc_change": difference(after["auc"], before["auc"]),
            "answers_changed": float(((margins[0] >= 0) != (margins[1] >= 0)).mean()),
            "logit_change": float(np.median(abs(margins[1] - margins[0])) / max(float(margins[0].std()), 1e-12)),
        }
    if theirs is not None and own is not None:
        row |= {"map_correlation": correlation(theirs, own), "map_change": float(abs(theirs - own).mean())}
    return cast(AuditRow, row)


EFFECTS = ("accuracy", "accuracy_change", "auc", "auc_change", "answers_changed", "logit_change", "map_correlation", "map_change")


def difference(after: float | None, before: float | None) -> float | None:
    """What changed; None where one of them is not defined."""
    return None if after is None or before is None else after - before


def correlation(first: np.ndarray, second: np.ndarray) -> float | None:
    """Mean over images of the correlation of two maps (images, height, width); None where no map varies."""
    parts = [plane.reshape(len(plane), -1).astype(np.float64) for plane in (first, second)]
    parts = [part - part.mean(axis=1, keepdims=True) for part in parts]
    sizes = np.sqrt((parts[0] ** 2).sum(axis=1) * (parts[1] ** 2).sum(axis=1))
    varied = sizes > 0
    return float(((parts[0] * parts[1]).sum(axis=1)[varied] / sizes[varied]).mean()) if varied.any() else None


def of_training(item: Item, usual: Sequence[Item]) -> AuditRow:
    """Effect of the habit that needs a training: pooled scores against the run of that model and seed, where both are there."""
    row = {"run": item.name, "habit": AUDITED, **dict.fromkeys(EFFECTS)}
    same = next(
        (other for other in usual if other.model == item.model and other.settings.training.seed == item.settings.training.seed), None
    )
    if not item.evaluated or same is None:
        return cast(AuditRow, row)
    pair = [arranged(read_predictions(part.run.predictions_file(part.data, SPLIT))) for part in (same, item)]
    before, after = (scores(np.repeat(part.labels, part.views.shape[1]), part.views.ravel()) for part in pair)
    changed = float(((pair[0].views >= 0.5) != (pair[1].views >= 0.5)).mean()) if pair[0].views.shape == pair[1].views.shape else None
    effects = {
        "accuracy": after["accuracy"],
        "accuracy_change": after["accuracy"] - before["accuracy"],
        "auc": after["auc"],
        "auc_change": difference(after["auc"], before["auc"]),
        "answers_changed": changed,
    }
    return cast(AuditRow, row | effects)
