"""Scores as text."""

from equiradio.evaluation.scores import Block, Metrics

BLOCKS = {"pooled": "pooled passes", "per_source": "per source", "plain": "plain image", "confident": "Confident", "uncertain": "Uncertain"}
BY_CLASS = {"f1": "F1", "precision": "precision", "recall": "recall"}
OF_MANY = {"balanced_accuracy": "balanced, %", "macro_f1": "macro F1"}  # of two classes the columns by class say as much


def metrics_columns(metrics: Metrics) -> tuple[str, ...]:
    """Heads of `metrics_rows`: for FRI and FRII sources, accuracy, AUC, and F1, precision and recall of each."""
    classes = _classes(metrics)
    of_many = OF_MANY.values() if len(classes) > 2 else ()
    return ("", "sources", "accuracy, %", *of_many, "AUC", *(f"{word} {name}" for word in BY_CLASS.values() for name in classes))


def metrics_rows(metrics: Metrics) -> list[list[str]]:
    """One row of text per protocol that has scores: `metrics_columns`, accuracy and AUC with their 95 % intervals."""
    classes = _classes(metrics)
    return [
        [name, str(block.get("sources", metrics["sources"])), *_cells(block, classes)]
        for key, name in BLOCKS.items()
        if (block := _block(metrics, key)) is not None
    ]


def _block(metrics: Metrics, key: str) -> Block | None:
    return metrics[key]  # type: ignore[literal-required]  # a key of BLOCKS


def _classes(metrics: Metrics) -> list[str]:
    """Names of the classes, in order; none where nothing was scored."""
    return next((list(block["f1"]) for key in BLOCKS if (block := _block(metrics, key)) is not None), [])


def _cells(block: Block, classes: list[str]) -> list[str]:
    edges = block["interval95"]
    accuracy = f"{100 * block['accuracy']:.1f}" + _between(edges["accuracy"], 100, 1)
    of_many = [f"{100 * block['balanced_accuracy']:.1f}", f"{block['macro_f1']:.3f}"] if len(classes) > 2 else []
    auc = "-" if block["auc"] is None else f"{block['auc']:.3f}" + _between(edges["auc"], 1, 3)
    by_class = [f"{scores[name]:.3f}" for scores in (block["f1"], block["precision"], block["recall"]) for name in classes]
    return [accuracy, *of_many, auc, *by_class]


def _between(edges: list[float] | None, scale: float, digits: int) -> str:
    return f" [{scale * edges[0]:.{digits}f}, {scale * edges[1]:.{digits}f}]" if edges else ""
