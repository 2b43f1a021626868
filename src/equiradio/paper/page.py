"""The page report.html: every number with the file it came from."""

from collections.abc import Callable, Sequence
from pathlib import Path

from equiradio.artefacts.atomic import write_text
from equiradio.artefacts.json_files import read_json
from equiradio.artefacts.map_archive import lies_in
from equiradio.errors import RunRefusal
from equiradio.paper.claims import claims
from equiradio.paper.comparison_text import COMPARED, COMPARED_NOTE, comparison_rows, smallest_text
from equiradio.paper.contents import Audit, Disputed, Findings, Table1
from equiradio.paper.disputed import DISPUTED, WITHOUT, accuracy_rows, disputed_rows, disputed_text
from equiradio.paper.results import Results
from equiradio.paper.table1_text import (
    ANSWERS,
    ANSWERS_NOTE,
    AUDIT,
    COLUMNS,
    PROTOCOL_NAMES,
    PROTOCOLS,
    RUNS,
    answer_rows,
    audit_rows,
    linked_rows,
    run_rows,
)
from equiradio.report.page import Cell, Link, Page, Piece

PAGE, DISPUTED_PICTURE = "report.html", "disputed"
CAPTIONS = {
    "figure1": "Figure 1. Loss against epoch for every attention model that was run.",
    "figure2": "Figure 2. Attention maps of sources chosen by a rule.",
    "figure3": "Figure 3. Class-differenced mean attention (FRI less FRII), trained above, untrained below.",
}


def write_page(out: Path, results: Results, table: Table1, findings: Findings, figures: Sequence[str], back: Path) -> None:
    """Write report.html, with the figures that were drawn into its folder; ``back`` leads from it to the folder of results."""
    page = Page("Bowles et al. 2021, reproduced")
    here = lambda path: (back / lies_in(results.folder, path)).as_posix()
    run = [row for row in table["rows"] if row["seeds"]]
    page.text(
        f"{sum(row['seeds'] for row in run)} runs of {len(run)} models by preset {table['preset']} on {table['data']}; "
        f"{table['sources']} test sources. Every number leads to the file that it came from."
    )
    if findings["lacking"]:
        page.text(findings["lacking"])
    _tables(page, table, here, out / f"{DISPUTED_PICTURE}.png")
    page.heading("Figures")
    for name in figures:
        page.picture(out / f"{name}.png", CAPTIONS[name])
        page.text([Link(f"{name}.pdf", f"{name}.pdf")])
    _claims(page, results, table, findings, here)
    _audit(page, results, here)
    write_text(out / PAGE, page.render())


def _tables(page: Page, table: Table1, here: Callable[[str], str], picture: Path) -> None:
    links = {
        row["model"]: [
            Link(f"[{seed}]", here(f"{folder}/metrics/{table['data']}-test.json"))
            for seed, folder in zip(row["seed_numbers"], row["runs"], strict=True)
        ]
        for row in table["rows"]
    }
    page.heading("Table 1")
    page.text(
        "Mean ± standard deviation over seeds [95 % bootstrap interval over sources of that mean; those of all scores are in table1.csv]. "
        "The paper: one run each, pooled. [0] leads to the scores of seed 0."
    )
    for protocol in PROTOCOLS:
        page.subheading(PROTOCOL_NAMES[protocol].capitalize())
        page.table(COLUMNS, linked_rows(table, protocol, links))
    page.text(["Also as ", *_listed(["table1.csv", "table1.json", "table1.md", "table1.tex"])])
    page.subheading("Single networks and ensembles of their seeds")
    page.table(ANSWERS, _linked(answer_rows(table), "table1.json", names=2))
    page.text(ANSWERS_NOTE)
    page.subheading("Runs")
    cards = {
        row["model"]: [Link(f" [{s}]", here(f"{f}/card.json")) for s, f in zip(row["seed_numbers"], row["runs"], strict=True)]
        for row in table["rows"]
    }
    page.table(RUNS, [[[cells[0], *cards[cells[0]]], *cells[1:]] for cells in run_rows(table)])
    page.subheading("Paired comparisons on the same sources")
    if table["comparisons"]:
        page.table(COMPARED, _linked(comparison_rows(table), "table1.json"))
    page.text(COMPARED_NOTE)
    page.text([Link(smallest_text(table), "table1.json")])
    page.text(_size(table))
    if table["disputed"] is not None:
        _disputed(page, table["disputed"], table["sources"], picture)


def _disputed(page: Page, disputed: Disputed, sources: int, picture: Path) -> None:
    page.subheading("Labels in question")
    page.text([Link(disputed_text(disputed, sources), "table1.json")])
    if picture.is_file():
        page.picture(picture, "The sources in question, in the order of the table: label, and share of the networks that say otherwise.")
    for heads, rows in ((DISPUTED, disputed_rows(disputed)), (WITHOUT, accuracy_rows(disputed))):
        if rows:
            page.table(heads, _linked(rows, "table1.json"))


def _size(table: Table1) -> Cell:
    size = table["size_only"]
    if size is None:
        return "The size-only baseline was not computed: the catalogue is not here, and size_only.json is not among the results."
    text = (
        f"Baseline that looks at nothing but angular size: {100 * size['accuracy']:.1f} % of the test sources "
        f"with one cut at {size['cut_arcsec']:.0f} arcsec "
        f"(larger: {size['larger_is']}), chosen on {size['training_sources']} training sources "
        f"({100 * size['training_accuracy']:.1f} % there)."
    )
    return [Link(text, "table1.json")]


def _claims(page: Page, results: Results, table: Table1, findings: Findings, here: Callable[[str], str]) -> None:
    page.heading("What the data can and cannot say")
    for claim in claims(results, table, findings):
        page.subheading(f"{claim.claim}: {claim.verdict}")
        page.text(claim.evidence)
        files = [Link(file, file if file == "table1.json" else here(file)) for file in claim.files]
        page.text(["From ", *_joined([*files, Link("findings.json", "findings.json")])])
    page.text(
        "What no number here can show: whether another catalogue's labels would say the same, and whether a map "
        "that follows the source is also what the class was decided by "
        "('equiradio explain' asks that)."
    )


def _audit(page: Page, results: Results, here: Callable[[str], str]) -> None:
    path = results.folder / "audit.json"
    if not path.is_file():
        return
    audit = read_json(path, Audit, RunRefusal, "measured habits", "Take it away to go without, or measure them again with --audit.")
    page.heading("Habits of the published code, measured")
    page.text(audit["what"])
    page.table(AUDIT, _linked(audit_rows(audit), here("audit.json")))


def _linked(rows: Sequence[Sequence[str]], file: str, names: int = 1) -> list[list[Cell]]:
    """Rows of a table whose cells lead to the file that they came from, but for the first ones, which name the row."""
    return [[*cells[:names], *(Link(cell, file) for cell in cells[names:])] for cells in rows]


def _listed(names: list[str]) -> list[Piece]:
    return _joined([Link(name, name) for name in names])


def _joined(links: list[Link]) -> list[Piece]:
    pieces: list[Piece] = []
    for link in links:
        pieces += [", ", link] if pieces else [link]
    return pieces
