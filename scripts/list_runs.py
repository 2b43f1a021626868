"""Write the tables of results/ into README.md and docs/reproduction.md, between their markers, and the figures into docs/images/.

Usage: equiradio report results --out results/report && python scripts/list_runs.py            (from the repository's root)

results/report/ is not in git; table1.* of it are, in results/, and a test rebuilds them.
"""

import json
import re
import sys
from pathlib import Path
from shutil import copyfile

from equiradio.paper.contents import Table1
from equiradio.paper.table1_text import COMPARED, comparison_rows, markdown, score_text, seeds_text

RESULTS, REPORT, IMAGES = Path("results"), Path("results/report"), Path("docs/images")
TARGETS = ("README.md", "docs/reproduction.md")  # the first takes the summary, the second every run
MARKERS = re.compile(r"(<!-- runs: begin -->\n).*?(<!-- runs: end -->)", re.DOTALL)
SUMMARY = ("model", "seeds", "accuracy per source, %", "pooled, %", "Confident, %", "Uncertain, %", "AUC per source", "paper's accuracy, %")
DETAILS = ("run", "epoch kept", "validation loss", "accuracy per source, % [95 %]", "NLL", "ECE", "trained on", "minutes")


def summary(table: Table1) -> list[str]:
    """A line for each row of Table 1."""
    rows = []
    for row in table["rows"]:
        cells = [
            score_text(row[key], "accuracy", interval=key == "per_source") for key in ("per_source", "pooled", "confident", "uncertain")
        ]
        auc, paper = score_text(row["per_source"], "auc", interval=False), score_text(row["paper"], "accuracy")
        rows.append([f"`{row['model']}`", seeds_text(row), *cells, auc, paper])
    return markdown(SUMMARY, rows)


def details() -> list[str]:
    """A line for each run that was evaluated."""
    rows = []
    for folder in sorted((RESULTS / "runs").iterdir()):
        card, metrics = (json.loads((folder / name).read_text()) for name in ("card.json", "metrics/mirabest-test.json"))
        calibration, minutes = metrics["calibration"], f"{card['seconds'] / 60:.0f}"
        low, high = metrics["per_source"]["interval95"]["accuracy"]
        accuracy = f"{100 * metrics['per_source']['accuracy']:.1f} [{100 * low:.1f}, {100 * high:.1f}]"
        losses = [f"{card['best_epoch'] + 1} of {card['epochs']}", f"{card['best_validation_loss']:.4f}"]
        device = f"{card['device']}, {card['precision']}"
        scores = [accuracy, f"{calibration['nll']:.3f}", f"{calibration['ece']:.3f}"]
        rows.append([f"{card['model']}, seed {card['seed']}", *losses, *scores, device, minutes])
    return markdown(DETAILS, rows)


def main() -> None:
    lacking = json.loads((REPORT / "findings.json").read_text())["lacking"]
    if lacking:
        sys.exit(f"{REPORT}: {lacking} Set EQUIRADIO_DATA and make the page again; nothing was written.")
    for suffix in ("csv", "json", "md", "tex"):
        copyfile(REPORT / f"table1.{suffix}", RESULTS / f"table1.{suffix}")
    copyfile(REPORT / "findings.json", RESULTS / "findings.json")
    for number in (1, 2, 3):
        copyfile(REPORT / f"figure{number}.png", IMAGES / f"figure{number}.png")
    table = json.loads((RESULTS / "table1.json").read_text())
    head = [
        "",
        *summary(table),
        "",
        f"Preset {table['preset']}; ± is the standard deviation over seeds, brackets are 95 % over sources.",
        "",
    ]
    tail = ["Paired, on the same sources:", "", *markdown(COMPARED, comparison_rows(table)), "", *details()]
    tail += ["", "Minutes are wall-clock, on cores that were shared with other work.", ""]
    for target, lines in zip(TARGETS, (head, [*head, *tail]), strict=True):
        path, text = Path(target), "\n".join(lines)
        path.write_text(MARKERS.sub(lambda marks, text=text: f"{marks[1]}{text}\n{marks[2]}", path.read_text()))


if __name__ == "__main__":
    main()
