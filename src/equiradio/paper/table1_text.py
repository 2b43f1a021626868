"""Table 1 as CSV, Markdown, LaTeX and cells of a page: the paper's row next to ours."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

from equiradio.paper.comparison_text import COMPARED, COMPARED_NOTE, comparison_rows, smallest_text
from equiradio.paper.contents import Audit, Block, Row, Table1
from equiradio.paper.disputed import DISPUTED, WITHOUT, accuracy_rows, disputed_rows, disputed_text
from equiradio.printable import in_brackets
from equiradio.report.page import Cell, Link, Piece

SCORES = ("accuracy", "auc", "f1 FRI", "f1 FRII", "precision FRI", "precision FRII", "recall FRI", "recall FRII")
HEADS = ("accuracy, %", "AUC", "F1 FRI", "F1 FRII", "precision FRI", "precision FRII", "recall FRI", "recall FRII")
Protocol = Literal["pooled", "per_source", "plain", "confident", "uncertain"]
PROTOCOLS: tuple[Protocol, ...] = ("pooled", "per_source", "plain", "confident", "uncertain")
PROTOCOL_NAMES = {
    "pooled": "pooled passes",
    "per_source": "per source",
    "plain": "plain image",
    "confident": "per source, Confident",
    "uncertain": "per source, Uncertain",
}
COLUMNS = ("model", "seeds", *HEADS)
CSV_COLUMNS = (
    "model",
    "whose",
    "protocol",
    "score",
    "value",
    "sd",
    "low95",
    "high95",
    "seeds",
    "epochs",
    "hours",
    "device",
    "undertrained",
)


def score_of(block: Mapping[str, object], score: str) -> Any:
    """``"f1 FRI"`` of a block of scores."""
    name, _, label = score.partition(" ")
    return cast(dict[str, object], block[name])[label] if label else block[name]


def score_text(block: Mapping[str, Any] | None, score: str, *, interval: bool = True) -> str:
    """A score as text: mean ± standard deviation over seeds [95 % interval over sources]."""
    value = score_of(block, score) if block else None
    if block is None or value is None:
        return "-"
    scale, digits = (100, 1) if score == "accuracy" else (1, 3)
    text = f"{scale * value:.{digits}f}"
    sd, edges = (score_of(block[key], score) if key in block else None for key in ("sd", "interval95"))
    if sd is not None:
        text += f" ± {scale * sd:.{digits}f}"
    return text + in_brackets(edges if interval else None, digits, scale)


def seeds_text(row: Row, remark: bool = True) -> str:
    """How many runs, or that there is none; whether they were too short, as a remark."""
    return "not run" if not row["seeds"] else f"{row['seeds']}" + (" (undertrained)" if remark and row["undertrained"] else "")


def text_rows(table: Table1, protocol: Protocol, intervals: int = len(SCORES)) -> list[list[str]]:
    """The paper's row and ours, model by model: `COLUMNS`; the first so many scores with their intervals."""
    return [cells for row in table["rows"] for cells in _of_model(row, protocol, intervals)]


def _of_model(row: Row, protocol: Protocol, intervals: int) -> list[list[str]]:
    scores = [score_text(row[protocol], score, interval=place < intervals) for place, score in enumerate(SCORES)]
    ours = [f"{row['model']}, ours", seeds_text(row), *scores]
    if row["paper"] is None or protocol != "pooled":
        return [ours]
    return [[f"{row['model']}, paper", "1", *(score_text(row["paper"], score) for score in SCORES)], ours]


def linked_rows(table: Table1, protocol: Protocol, links: dict[str, list[Link]]) -> list[list[Cell]]:
    """As `text_rows`; our model's name is followed by links to each run's metrics, our numbers lead to table1.json."""
    rows: list[list[Cell]] = []
    for row in table["rows"]:
        *paper, ours = _of_model(row, protocol, intervals=2)
        rows += [[*cells] for cells in paper]
        numbers: list[Cell] = [Link(cell, "table1.json") if cell != "-" else cell for cell in ours[2:]]
        names: list[Piece] = [ours[0]]
        for link in links.get(row["model"], []):
            names += [" ", link]
        rows.append([names, ours[1], *numbers])
    return rows


def to_csv(table: Table1) -> str:
    """One line for each model, protocol and score: `CSV_COLUMNS`; a model that was not run has the paper's lines and one of its own."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for row in table["rows"]:
        tail = [row["seeds"], row["epochs"], _hours(row, ".3f"), row["device"], row["undertrained"]]
        if paper := row["paper"]:
            ends = ["", "", "", 1, "", row["hours_paper"], "A100", ""]
            writer.writerows([row["model"], "paper", "pooled", score, score_of(paper, score), *ends] for score in SCORES)
        if not row["seeds"]:
            writer.writerow([row["model"], "ours", "not run", "", "", "", "", "", *tail])
        for protocol in PROTOCOLS:
            if block := row[protocol]:
                writer.writerows([row["model"], "ours", protocol, score, *_numbers(block, score), *tail] for score in SCORES)
    return text.getvalue()


def _numbers(block: Block, score: str) -> list[object]:
    """A score, its standard deviation over seeds, and the edges of its interval."""
    return [score_of(block, score), score_of(block["sd"], score), *(score_of(block["interval95"], score) or ("", ""))]


def _hours(row: Row, digits: str) -> str:
    """Hours by device, in the order of ``device``; empty where it was not run."""
    return "; ".join(f"{hours:{digits}}" for hours in (row["hours"] or {}).values())


def to_markdown(table: Table1) -> str:
    """Both protocols, Confident and Uncertain apart, and the comparisons, as Markdown."""
    parts = ["# Table 1", "", _caption(table), ""]
    for protocol in PROTOCOLS:
        parts += [f"## {PROTOCOL_NAMES[protocol].capitalize()}", "", *markdown(COLUMNS, text_rows(table, protocol)), ""]
    parts += ["## Single networks and ensembles", "", *markdown(ANSWERS, answer_rows(table)), "", ANSWERS_NOTE, ""]
    parts += ["## Runs", "", *markdown(RUNS, run_rows(table)), ""]
    parts += ["## Paired comparisons, per source", "", *markdown(COMPARED, comparison_rows(table)), "", COMPARED_NOTE, ""]
    parts += [smallest_text(table), ""]
    if table["disputed"] is not None:
        parts += ["## Labels in question", "", disputed_text(table["disputed"], table["sources"]), ""]
        parts += [*markdown(DISPUTED, disputed_rows(table["disputed"])), "", *markdown(WITHOUT, accuracy_rows(table["disputed"])), ""]
    return "\n".join(parts)


def markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table in Markdown, line by line."""
    line = lambda cells: f"| {' | '.join(cells)} |"
    return [line(columns), line(["---"] * len(columns)), *map(line, rows)]


def to_latex(table: Table1) -> str:
    """The pooled protocol beside the paper's rows as a LaTeX table (needs booktabs)."""
    lines = [
        "% " + _caption(table),
        r"\begin{tabular}{llcccccccc}",
        r"\toprule",
        r" & & & & \multicolumn{2}{c}{F1 score} & \multicolumn{2}{c}{Precision} & \multicolumn{2}{c}{Recall} \\",
        r"Model & Seeds & Accuracy (\%) & AUC & FRI & FRII & FRI & FRII & FRI & FRII \\",
        r"\midrule",
    ]
    for cells in text_rows(table, "pooled", intervals=0):
        lines.append(" & ".join(cell.replace(" ± ", r" $\pm$ ").replace("%", r"\%") for cell in cells) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


RUNS = ("model", "seeds", "epochs", "hours a run, by device", "paper's hours (A100)", "device", "remark")


def run_rows(table: Table1) -> list[list[str]]:
    """What each row cost: `RUNS`."""
    rows = []
    for row in table["rows"]:
        hours = _hours(row, ".2f") or "-"
        epochs = "-" if row["epochs"] is None else f"{row['epochs']}"
        remark = f"undertrained: {row['undertrained']}" if row["undertrained"] else ""
        rows.append(
            [row["model"], seeds_text(row, remark=False), epochs, hours, f"{row['hours_paper'] or '-'}", row["device"] or "-", remark]
        )
    return rows


ANSWERS = ("model", "answers of", "accuracy, %", "Confident, %", "AUC", "NLL", "ECE", "calibration error, debiased")
ANSWERS_NOTE = (
    "Per source; of single networks means over seeds, an ensemble averages the probabilities of its seeds. Calibration "
    "error, debiased: root mean square of the gaps in bins of equally many sources, less their sampling noise (Kumar et al. 2019); 0 where "
    "the gaps are no larger than that noise. ECE is biased upward."
)


def answer_rows(table: Table1) -> list[list[str]]:
    """Single networks beside the ensemble of their seeds: `ANSWERS`."""
    rows = []
    for row in table["rows"]:
        count = row["seeds"]
        of_one = "single network" if count == 1 else f"single networks, {count}"
        for name, scores in ((of_one, row["single_networks"]), (f"ensemble of {count}", row["ensemble"])):
            if scores is not None:
                shares = [_or_dash(scores["accuracy"], "{:.1f}", 100), _or_dash(scores["confident"], "{:.1f}", 100)]
                rest = [f"{scores[key]:.3f}" for key in ("auc", "nll", "ece", "calibration_error")]
                rows.append([row["model"], name, *shares, *rest])
    return rows


AUDIT = (
    "run",
    "habit",
    "accuracy, %",
    "change, points",
    "AUC",
    "change",
    "answers that change, %",
    "logits move by, %",
    "maps: correlation",
    "maps: mean change",
)


def audit_rows(audit: Audit) -> list[list[str]]:
    """Effects of habits as text: `AUDIT`; '-' where a habit does not act."""
    rows = []
    for row in audit["rows"]:
        if row["accuracy"] is None and row["map_correlation"] is None:
            rows.append([row["run"], row["habit"], "not run", *["-"] * 7])
            continue
        shown = [
            _or_dash(row["accuracy"], "{:.1f}", 100),
            _or_dash(row["accuracy_change"], "{:+.1f}", 100),
            _or_dash(row["auc"], "{:.3f}"),
            _or_dash(row["auc_change"], "{:+.3f}"),
            _or_dash(row["answers_changed"], "{:.1f}", 100),
            _or_dash(row["logit_change"], "{:.1f}", 100),
            _or_dash(row["map_correlation"], "{:.3f}"),
            _or_dash(row["map_change"], "{:.3f}"),
        ]
        rows.append([row["run"], row["habit"], *shown])
    return rows


def _or_dash(value: float | None, pattern: str, scale: float = 1) -> str:
    return "-" if value is None else pattern.format(scale * value)


def _caption(table: Table1) -> str:
    return (
        f"{table['sources']} test sources of {table['data']}, preset {table['preset']}. Ours: mean ± standard deviation over seeds "
        "[95 % bootstrap interval over sources of that mean]; the paper: one run each."
    )
