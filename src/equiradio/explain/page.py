"""The page of an explanation: headlines, then each part's own sections."""

from typing import Any

from equiradio.artefacts.atomic import write_text
from equiradio.explain.case import Case
from equiradio.explain.folder import Folder
from equiradio.explain.part import parts
from equiradio.report.page import Page

HEADLINES = ("what", "measured", "what it means")


def headline_rows(answer: dict[str, Any]) -> list[list[str]]:
    """What a reader should know first: rows of `HEADLINES`, part by part."""
    return [row for part in parts().values() if hasattr(part, "headlines") for row in part.headlines(answer)]


def write_page(case: Case, folder: Folder, answer: dict[str, Any], other: Folder | None) -> None:
    """Draw everything and write ``OUT/index.html``."""
    page = Page(f"Explanation of {case.name}")
    about = answer["about"]
    seconds, passes = (sum(part[key] for part in answer.values() if key in part) for key in ("seconds", "passes"))
    page.text(
        f"{about['model']} (group {about['group']}) on {about['data']}, {about['split']}: {about['sources']} sources, evenly spaced "
        f"through each class so that nobody picked them. {passes:,} images were shown to networks in {seconds / 60:.1f} minutes."
    )
    page.table(HEADLINES, headline_rows(answer))
    for part in parts().values():
        part.sections(page, case, folder, answer, other)
    write_text(folder.path / "index.html", page.render())
