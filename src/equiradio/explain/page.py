"""The page of an explanation: headlines, then each part's own sections."""

from typing import Any

from equiradio.artefacts.atomic import write_text
from equiradio.explain.case import Case
from equiradio.explain.folder import Folder
from equiradio.explain.part import parts
from equiradio.printable import duration
from equiradio.report.page import Page
from equiradio.sky.recipe import MIRABEST, Recipe, apart

HEADLINES = ("what", "measured", "what it means")


def headline_rows(answer: dict[str, Any]) -> list[list[str]]:
    """What a reader should know first: rows of `HEADLINES`, part by part."""
    return [row for part in parts().values() if hasattr(part, "headlines") for row in part.headlines(answer)]


def recipe_in_words(recipe: Recipe, learned: Recipe) -> str:
    """How images were made, whether the network learned from others, and what of the page has no meaning for them."""
    odd = apart(learned, recipe)
    scale = f"of {recipe.scale_arcsec:g} arcsec" if recipe.scale_arcsec else "of unknown scale"
    words = f"Images of {recipe.side} x {recipe.side} pixels {scale}, stretch {recipe.stretch}."
    words += f" The network learned from images made otherwise; its own and these: {odd}." if odd else ""
    if recipe.stretch != "linear":
        return f"{words} Pixels up to {recipe.clip_sigma:g} sigma are zero; all above them count as source."
    return (
        f"{words} They are not clipped, so that every pixel above zero counts as source: pointing, energy and deletion have no meaning "
        "for them."
    )


def write_page(case: Case, folder: Folder, answer: dict[str, Any], other: Folder | None) -> None:
    """Draw everything and write ``OUT/index.html``."""
    page = Page(f"Explanation of {case.name}")
    about = answer["about"]
    seconds, passes = (sum(part[key] for part in answer.values() if key in part) for key in ("seconds", "passes"))
    page.text(
        f"{about['model']} (group {about['group']}) on {about['data']}, {about['split']}: {about['sources']} sources, evenly spaced "
        f"through each class so that nobody picked them. {passes:,} images were shown to networks in {duration(seconds)}."
    )
    recipe, learned = case.sources.recipe, case.member.card.images
    if recipe != MIRABEST or apart(learned, recipe):
        page.text(recipe_in_words(recipe, learned))
    page.table(HEADLINES, headline_rows(answer))
    for part in parts().values():
        part.sections(page, case, folder, answer, other)
    write_text(folder.path / "index.html", page.render())
