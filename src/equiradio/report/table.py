"""Numbers as text."""

from typing import Any

BLOCKS = {"pooled": "pooled passes", "per_source": "per source", "plain": "plain image", "confident": "Confident", "uncertain": "Uncertain"}
COLUMNS = ("", "sources", "accuracy, %", "AUC", "F1 FRI", "F1 FRII", "precision FRI", "precision FRII", "recall FRI", "recall FRII")


def metrics_rows(metrics: dict[str, Any]) -> list[list[str]]:
    """One row of text per protocol: `COLUMNS`, accuracy and AUC with their 95 % intervals."""
    rows = []
    for key, name in BLOCKS.items():
        block = metrics[key]
        if block is None:
            continue
        interval = block["interval95"]
        low_high = interval["accuracy"]
        accuracy = f"{100 * block['accuracy']:.1f}" + (f" [{100 * low_high[0]:.1f}, {100 * low_high[1]:.1f}]" if low_high else "")
        auc = (
            "-"
            if block["auc"] is None
            else f"{block['auc']:.3f}" + (f" [{interval['auc'][0]:.3f}, {interval['auc'][1]:.3f}]" if interval["auc"] else "")
        )
        by_class = [f"{block[score][label]:.3f}" for score in ("f1", "precision", "recall") for label in ("FRI", "FRII")]
        rows.append([name, str(block.get("sources", metrics["sources"])), accuracy, auc, *by_class])
    return rows
