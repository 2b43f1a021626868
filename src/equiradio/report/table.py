"""Scores as text."""

from typing import NamedTuple

from equiradio.evaluation.scores import Block, Metrics
from equiradio.printable import with_interval

BLOCKS = {"pooled": "pooled passes", "per_source": "per source", "plain": "plain image", "confident": "Confident", "uncertain": "Uncertain"}
OF_PASSES = ("pooled", "per_source")
BY_CLASS = {"f1": "F1", "precision": "precision", "recall": "recall"}


class Table(NamedTuple):
    """Heads of columns, and rows of text."""

    columns: tuple[str, ...]
    rows: list[list[str]]


def metrics_tables(metrics: Metrics) -> list[Table]:
    """What to print of an evaluation: one row per protocol that has scores, accuracy and AUC with their 95 % intervals.

    Of two classes F1, precision and recall stand beside them. Of more, balanced accuracy and macro F1 do, and a second table has a row
    per class, so that both stay narrow enough to read. Without augmented passes there is nothing to pool or to average.
    """
    keys = [key for key in BLOCKS if metrics["passes"] or key not in OF_PASSES]
    blocks = {key: block for key in keys if (block := _block(metrics, key)) is not None}
    classes = next((list(block["f1"]) for block in blocks.values()), [])
    many = len(classes) > 2
    of_classes = () if many else tuple(f"{word} {name}" for word in BY_CLASS.values() for name in classes)
    columns = ("", "sources", "accuracy, %", *(("balanced, %", "macro F1") if many else ()), "AUC", *of_classes)
    rows = [[BLOCKS[key], str(block.get("sources", metrics["sources"])), *_cells(block, classes, many)] for key, block in blocks.items()]
    return [Table(columns, rows), *([_by_class(blocks, classes)] if many else []), *_by_catalogue(metrics)]


def _by_catalogue(metrics: Metrics) -> list[Table]:
    """A row for each catalogue, per source, where there are several; balanced accuracy is over the classes that a catalogue has."""
    blocks = metrics.get("catalogues", {})
    classes = next((list(block["f1"]) for block in blocks.values()), [])
    row = lambda name, block: [
        name,
        str(block["sources"]),
        with_interval(block["accuracy"], block["interval95"]["accuracy"], 1, 100.0),
        f"{100 * block['balanced_accuracy']:.1f}",
        *(f"{block['recall'][each]:.3f}" if block["of_class"][each] else "-" for each in classes),
    ]
    columns = ("by catalogue", "sources", "accuracy, %", "balanced, %", *(f"recall {name}" for name in classes))
    return [Table(columns, [row(name, block) for name, block in blocks.items()])] if blocks else []


def _block(metrics: Metrics, key: str) -> Block | None:
    return metrics[key]  # type: ignore[literal-required]  # a key of BLOCKS


def _cells(block: Block, classes: list[str], many: bool) -> list[str]:
    edges = block["interval95"]
    accuracy, auc = with_interval(block["accuracy"], edges["accuracy"], 1, 100.0), with_interval(block["auc"], edges["auc"])
    if many:
        return [accuracy, f"{100 * block['balanced_accuracy']:.1f}", f"{block['macro_f1']:.3f}", auc]
    scored = (block["f1"], block["precision"], block["recall"])
    return [accuracy, auc, *(f"{scores[name]:.3f}" for scores in scored for name in classes)]


def _by_class(blocks: dict[str, Block], classes: list[str]) -> Table:
    """F1, precision and recall of each class with their intervals, per source where there is such a block."""
    key = "per_source" if "per_source" in blocks else next(iter(blocks))
    block, edges = blocks[key], blocks[key]["interval95"]
    scored = ((block["f1"], edges["f1"]), (block["precision"], edges["precision"]), (block["recall"], edges["recall"]))
    rows = [[name, *(with_interval(values[name], ends[name]) for values, ends in scored)] for name in classes]
    return Table((BLOCKS[key], *BY_CLASS.values()), rows)
