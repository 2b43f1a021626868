"""Write what results/ and the cards of the teams say into README.md and the notebook, between markers; and the figures into docs/images/.

Usage: equiradio report results --out results/report && python scripts/list_runs.py            (from the repository's root)
       python scripts/list_runs.py --texts            the texts alone, from results/table1.json and the cards as they are

results/report/ is not in git; table1.* of it are, in results/, and a test rebuilds them. Another test compares the texts with `filled`.
"""

import json
import re
import sys
import tomllib
from pathlib import Path
from shutil import copyfile
from textwrap import wrap
from typing import Any

from equiradio.artefacts.card import read_card
from equiradio.artefacts.manifest import FILE, read_manifest
from equiradio.artefacts.shelf import PACKAGED, default_name, list_models
from equiradio.artefacts.team import TeamCard
from equiradio.paper.comparison_text import COMPARED, COMPARED_NOTE, comparison_rows, smallest_text
from equiradio.paper.disputed import DISPUTED, WITHOUT, accuracy_rows, disputed_rows, disputed_text
from equiradio.paper.table1_text import (
    ANSWERS,
    ANSWERS_NOTE,
    answer_rows,
    markdown,
    score_text,
    seeds_text,
)

ROOT = Path(__file__).parents[1]
RESULTS, IMAGES = ROOT / "results", ROOT / "docs" / "images"
REPORT = RESULTS / "report"
TARGETS = ("README.md", "docs/notebook/reproduction.md", "docs/notebook/answering.md")
MARKERS = re.compile(r"(<!-- ([a-z-]+): begin -->\n?).*?(<!-- \2: end -->)", re.DOTALL)
SUMMARY = ("model", "seeds", "accuracy per source, %", "pooled, %", "Confident, %", "Uncertain, %", "AUC per source", "paper's accuracy, %")
DETAILS = ("run", "epoch kept", "validation loss", "accuracy per source, % [95 %]", "NLL", "ECE", "trained on", "minutes")
TEAMS = (
    "team",
    "members",
    "learned from",
    "validation NLL",
    "test NLL",
    "before temperature",
    "accuracy, % [95 %]",
    "answered, %",
    "unusual, %",
)
JUDGED = ("model", "networks", "accuracy of sources not learned from, %", "without those in question, %")
FIRST = 12  # labels in question that are listed
PROSE = 120  # characters a line
WORDS = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight")


def runs(table: dict[str, Any]) -> list[str]:
    """A line for each row of Table 1."""
    rows = []
    for row in table["rows"]:
        cells = [
            score_text(row[key], "accuracy", interval=key == "per_source") for key in ("per_source", "pooled", "confident", "uncertain")
        ]
        auc, paper = score_text(row["per_source"], "auc", interval=False), score_text(row["paper"], "accuracy")
        rows.append([f"`{row['model']}`", seeds_text(row), *cells, auc, paper])
    note = f"Preset {table['preset']}; ± is the standard deviation over seeds, brackets are 95 % over sources."
    return [*markdown(SUMMARY, rows), "", note]


def trained(table: dict[str, Any]) -> str:
    """How many rows of the paper's table have runs: "seven of the eight", or "all eight"."""
    rows = [row for row in table["rows"] if row["paper"]]
    done = sum(bool(row["seeds"]) for row in rows)
    return f"all {WORDS[done]}" if done == len(rows) else f"{WORDS[done]} of the {WORDS[len(rows)]}"


def compared(table: dict[str, Any]) -> list[str]:
    """Every model against LeNet and the plain attention network, on the same sources."""
    notes = [line for text in (COMPARED_NOTE, smallest_text(table)) for line in (*wrap(text, PROSE), "")]
    return ["Paired, on the same sources:", "", *markdown(COMPARED, comparison_rows(table)), "", *notes[:-1]]


def ensembles(table: dict[str, Any]) -> list[str]:
    """Single networks of each model beside the ensemble of its seeds."""
    return [*markdown(ANSWERS, answer_rows(table)), "", *wrap(ANSWERS_NOTE, PROSE)]


def in_question(table: dict[str, Any]) -> list[str]:
    """Test sources about which nearly all networks say otherwise than their label."""
    disputed = table["disputed"]
    text = wrap(disputed_text(disputed, table["sources"]), PROSE)
    return [*text, "", *markdown(DISPUTED, disputed_rows(disputed)), "", *markdown(WITHOUT, accuracy_rows(disputed))]


def trained_in_question(answer: dict[str, Any]) -> list[str]:
    """Training labels of which networks that did not learn from them are sure that they are wrong: counts and the first of them."""
    rows = answer["rows"]
    sure = sum(row["confidence"] == "confident" for row in rows)
    text = (
        f"{len(rows)} of {answer['judged']:,} labels are in question, {sure} of them Confident in the catalogue. "
        f"Accuracy without them is higher by construction: no other number here leaves them out. The {FIRST} least probable:"
    )
    accuracy = [
        [f"`{each['model']}`", str(each["networks"]), f"{100 * each['accuracy']:.1f}", f"{100 * each['without']:.1f}"]
        for each in answer["models"]
    ]
    first = [
        [row["source_id"], row["label"], row["confidence"], f"{100 * row['against']:.0f}", f"{row['p_frii']:.2f}"] for row in rows[:FIRST]
    ]
    return [*markdown(JUDGED, accuracy), "", *wrap(text, PROSE), "", *markdown(DISPUTED, first)]


def details() -> list[str]:
    """A line for each run that was evaluated."""
    rows = []
    for path in sorted((RESULTS / "runs").glob("*/metrics/mirabest-test.json")):
        metrics, card = json.loads(path.read_text()), read_card(path.parents[1] / "card.json")
        calibration, minutes = metrics["calibration"], f"{card.seconds / 60:.0f}"
        low, high = metrics["per_source"]["interval95"]["accuracy"]
        accuracy = f"{100 * metrics['per_source']['accuracy']:.1f} [{100 * low:.1f}, {100 * high:.1f}]"
        losses = [f"{card.best_epoch + 1} of {card.epochs}", f"{card.best_validation_loss:.4f}"]
        name = f"{card.model}, seed {card.seed}" + (f", preset {card.preset}" if card.preset != "fast" else "")
        scores = [accuracy, f"{calibration['nll']:.3f}", f"{calibration['ece']:.3f}"]
        rows.append([name, *losses, *scores, card.trained_on, minutes])
    return [*markdown(DETAILS, rows), "", "Minutes are wall-clock, on cores that were shared with other work."]


def percent(score: dict[str, Any]) -> str:
    low, high = score["interval95"]
    return f"{100 * score['value']:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def default_team(cards: dict[str, TeamCard]) -> list[str]:
    """The default team, and what it scored on the test split; the cards alone decide which it is."""
    name = default_name()
    card = cards[name]
    test, seeds = card.test, WORDS[len(card.members)]
    text = (
        f"Of the {test['all']['sources']} test sources of MiraBest the default team, {seeds} networks `{name}`, "
        f"has {percent(test['all']['accuracy'])} % right. It abstains from {100 * (1 - test['coverage']):.0f} %; "
        f"of the others {percent(test['answered']['accuracy'])} % are right (95 % intervals over sources)."
    )
    return wrap(text, PROSE)


def teams(cards: dict[str, TeamCard]) -> list[str]:
    """A line for each packaged team, the lowest validation loss first."""
    rows = []
    for name, card in sorted(cards.items(), key=lambda item: item[1].validation["nll_after"]):
        losses = [f"{card.validation['nll_after']:.3f}", f"{card.test['nll_after']:.3f}", f"{card.test['nll_before']:.3f}"]
        shares = [f"{100 * card.test[key]:.1f}" for key in ("coverage", "unusual")]
        rows.append([f"`{name}`", str(len(card.members)), card.members[0].data, *losses, percent(card.test["all"]["accuracy"]), *shares])
    return markdown(TEAMS, rows)


def sizes() -> str:
    """Which teams' weights come with the package, and how large they are."""
    manifest = read_manifest(PACKAGED / FILE)
    inside = [name for name, listing in manifest.items() if not listing.lacking(PACKAGED / name)]
    total = sum(file["size"] for name in inside for file in manifest[name].files.values())
    *first, last = (f"`{name}`" for name in inside)
    return f"{', '.join(first)} and {last} ({total / 1e6:.1f} MB)"


def pythons() -> str:
    """The versions of Python that it runs on, from pyproject.toml."""
    low, high = re.findall(r"3\.(\d+)", tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"])
    return f"Python 3.{low} to 3.{int(high) - 1}"


def parts() -> dict[str, list[str] | str]:
    """What stands between the markers of each name: lines, or words within a sentence."""
    table, cards = json.loads((RESULTS / "table1.json").read_text()), list_models()
    return {
        "runs": runs(table),
        "trained": trained(table),
        "compared": compared(table),
        "ensembles": ensembles(table),
        "disputed": in_question(table),
        "training-labels": trained_in_question(json.loads((RESULTS / "labels.json").read_text())),
        "details": details(),
        "default-team": default_team(cards),
        "teams": teams(cards),
        "sizes": sizes(),
        "pythons": pythons(),
    }


def filled(text: str) -> str:
    """A document with everything between its markers as it is now; refuses markers that nothing fills."""
    now = parts()

    def replaced(match: re.Match[str]) -> str:
        part = now[match[2]]
        content = part if isinstance(part, str) else "\n".join(["", *part, "", ""])
        return f"{match[1]}{content}{match[3]}"

    return MARKERS.sub(replaced, text)


def take_report() -> None:
    """Copy tables and figures of a fresh report to where they are kept."""
    lacking = json.loads((REPORT / "findings.json").read_text())["lacking"]
    if lacking:
        sys.exit(f"{REPORT}: {lacking} Set EQUIRADIO_DATA and make the page again; nothing was written.")
    for suffix in ("csv", "json", "md", "tex"):
        copyfile(REPORT / f"table1.{suffix}", RESULTS / f"table1.{suffix}")
    copyfile(REPORT / "findings.json", RESULTS / "findings.json")
    copyfile(REPORT / "disputed.png", IMAGES / "disputed.png")
    for number in (1, 2, 3):
        copyfile(REPORT / f"figure{number}.png", IMAGES / f"figure{number}.png")


if __name__ == "__main__":
    if "--texts" not in sys.argv:
        take_report()
    for target in TARGETS:
        path = ROOT / target
        path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")
