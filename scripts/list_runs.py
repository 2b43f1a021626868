"""Write the table of runs in results/runs/ into README.md and docs/reproduction.md, between their markers.

Usage: python scripts/list_runs.py            (from the repository's root)
"""

import json
import re
from collections import defaultdict
from pathlib import Path
from statistics import mean, stdev
from typing import Any

RUNS = Path("results/runs")
TARGETS = ("README.md", "docs/reproduction.md")  # the first takes the summary, the second every run
MARKERS = re.compile(r"(<!-- runs: begin -->\n).*?(<!-- runs: end -->)", re.DOTALL)


def spread(values: list[float]) -> str:
    """Mean and standard deviation over seeds, in per cent."""
    tail = f" ± {100 * stdev(values):.1f}" if len(values) > 1 else ""
    return f"{100 * mean(values):.1f}{tail}"


def summary(by_model: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]]) -> list[str]:
    lines = [
        "| model (preset fast) | seeds | accuracy per source, % | pooled, % | Confident, % | Uncertain, % | AUC per source |",
        "|---|---|---|---|---|---|---|",
    ]
    for model, runs in by_model.items():
        scores = [metrics for _, metrics in runs]
        column = {key: spread([score[key]["accuracy"] for score in scores]) for key in ("per_source", "pooled", "confident", "uncertain")}
        auc = [score["per_source"]["auc"] for score in scores]
        tail = f" ± {stdev(auc):.3f}" if len(auc) > 1 else ""
        lines.append(f"| `{model}` | {len(runs)} | {' | '.join(column.values())} | {mean(auc):.3f}{tail} |")
    return lines


def details(by_model: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]]) -> list[str]:
    lines = [
        "| run | epoch kept | validation loss | accuracy per source, % [95 %] | NLL | ECE | trained on | minutes |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for model, runs in by_model.items():
        for card, metrics in runs:
            low, high = metrics["per_source"]["interval95"]["accuracy"]
            accuracy = f"{100 * metrics['per_source']['accuracy']:.1f} [{100 * low:.1f}, {100 * high:.1f}]"
            calibration = metrics["calibration"]
            kept = f"{card['best_epoch'] + 1} of {card['epochs']} | {card['best_validation_loss']:.4f}"
            machine = f"{card['device']}, {card['precision']} | {card['seconds'] / 60:.0f}"
            lines.append(
                f"| {model}, seed {card['seed']} | {kept} | {accuracy} | {calibration['nll']:.3f} | {calibration['ece']:.3f} | {machine} |"
            )
    return lines


def main() -> None:
    by_model, unfinished = defaultdict(list), []
    for folder in sorted(RUNS.iterdir()):
        card = json.loads((folder / "card.json").read_text())
        metrics = folder / "metrics" / "mirabest-test.json"
        if metrics.is_file():
            by_model[card["model"]].append((card, json.loads(metrics.read_text())))
        else:
            unfinished.append(f"`{folder.name}`: {card['state']} after {card['epochs']} epochs {card['reason']}".rstrip())
    head = ["", *summary(by_model), "", "± is the standard deviation over seeds.", ""]
    tail = [*details(by_model), "", "Minutes are wall-clock, on cores that were shared with other work.", ""]
    if unfinished:
        tail += ["Not finished, and not evaluated: " + "; ".join(unfinished) + ".", ""]
    for target, lines in zip(TARGETS, (head, [*head, *tail]), strict=True):
        path, text = Path(target), "\n".join(lines)
        path.write_text(MARKERS.sub(lambda found, text=text: f"{found[1]}{text}\n{found[2]}", path.read_text()))


if __name__ == "__main__":
    main()
