"""The page about a merged catalogue: one HTML file that stands alone."""

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np

from equiradio.artefacts.atomic import write_text
from equiradio.artefacts.flags import FLAGS
from equiradio.errors import ImageRefusal
from equiradio.report.figures import save
from equiradio.report.montage import save_montage
from equiradio.report.page import Page
from equiradio.report.survey_figures import AXES, Sample, classes_by, sky_map
from equiradio.sky.mosaic import Mosaic
from equiradio.sky.recipe import recipe_of
from equiradio.survey.summary import Summary


def page_file(out: Path) -> Path:
    """Beside a merged catalogue."""
    return out.with_name(f"{out.name}.html")


def write_page(out: Path, summary: Summary) -> Path:
    """Write the page of a catalogue that was just counted."""
    page = Page(f"Survey: {summary.sources:,} sources")
    page.text(_first_words(out, summary))
    sample, classes = _sample(summary), list(summary.columns)
    with tempfile.TemporaryDirectory() as scratch:
        draw = lambda name, figure, caption: page.picture(save(figure, Path(scratch) / name), caption)
        part = f" Every {summary.stride:,}th source." if summary.stride > 1 else ""
        page.heading("Where they lie")
        draw("sky.png", sky_map(sample, classes), f"Positions asked for, by class; in brackets how many points.{part}")
        page.heading("Classes")
        page.table(("class", "sources", "share of those answered, %"), _class_rows(summary))
        draw(
            "classes.png",
            classes_by(sample, classes),
            f"Share of classes, and of abstentions, against what was measured of the source.{part}",
        )
        page.heading("Flags")
        _flags(page, summary)
        page.heading("The surest and the strangest")
        _thumbnails(page, summary, Path(scratch))
    page.heading("Speed")
    _speed(page, summary)
    page.heading("Made with")
    page.table(("", ""), [[name, f"{value}"] for name, value in {**summary.about, "plan": summary.plan.fingerprint}.items()])
    write_text(page_file(out), page.render())
    return page_file(out)


def _first_words(out: Path, summary: Summary) -> str:
    unanswered = summary.sources - summary.answered
    return (
        f"{out.name}: {summary.answered:,} answered, of which the network abstains from {summary.uncertain:,}; "
        f"{unanswered:,} without an answer. {summary.plan.rows:,} rows of the input, images: {len(summary.plan.images):,}."
    )


def _sample(summary: Summary) -> Sample:
    of = summary.sample
    return Sample(of["target_ra_deg"], of["target_dec_deg"], of["label"], of["uncertain"].astype(bool), {name: of[name] for name in AXES})


def _class_rows(summary: Summary) -> list[list[str]]:
    share = lambda count: f"{100 * count / max(summary.answered, 1):.1f}"
    rows = [[name, f"{summary.classes[name]:,}", share(summary.classes[name])] for name in summary.columns]
    return [*rows, ["of these abstains", f"{summary.uncertain:,}", share(summary.uncertain)]]


def _flags(page: Page, summary: Summary) -> None:
    if not summary.flags:
        page.text("No source is flagged.")
        return
    about = {flag.name: flag for flag in FLAGS}
    rows = [
        [name, f"{count:,}", "no" if name in about and about[name].fatal else "yes", about[name].meaning if name in about else ""]
        for name, count in summary.flags.most_common()
    ]
    page.table(("flag", "sources", "answered", "meaning"), rows)


def _thumbnails(page: Page, summary: Summary, scratch: Path) -> None:
    """Cutouts, where the images are still there."""
    listed = {"surest.png": [row for name in summary.columns for row in summary.surest.get(name, [])], "strangest.png": summary.strangest}
    words = {
        "surest.png": "The surest of each class: highest probability, no doubt.",
        "strangest.png": "The strangest: flagged unusual, or else those with the lowest probability of any class.",
    }
    for name, rows in listed.items():
        shown = [(image, row) for image, row in zip(images_of(summary, rows), rows, strict=True) if image is not None]
        if not shown:
            page.text(f"{words[name]} None of which there is an image here.")
            continue
        lines = [f"{str(row['source_id'])[:24]}\n{row['label']} {100 * row['probability']:.1f} %" for _, row in shown]
        save_montage([image for image, _ in shown], lines, scratch / name, first=False)
        page.picture(scratch / name, words[name])


def images_of(summary: Summary, rows: Sequence[Mapping[str, Any]]) -> list[np.ndarray | None]:
    """Sources as the networks saw them: uint8, None where the image is gone."""
    options = {name: summary.plan.job.get(name) for name in ("hdu", "plane", "beam")}
    made = {"max_nonfinite": summary.plan.job["max_nonfinite"], "recipe": recipe_of(summary.plan.recipe)}
    images: list[np.ndarray | None] = [None] * len(rows)
    for file in dict.fromkeys(row["file"] for row in rows if row["file"]):
        with suppress(ImageRefusal), ExitStack() as stack:
            mosaic = stack.enter_context(Mosaic(Path(file), **options))
            for place, row in enumerate(rows):
                if row["file"] == file and row["target_ra_deg"] is not None:
                    with suppress(ImageRefusal):
                        images[place] = mosaic.cutout(row["target_ra_deg"], row["target_dec_deg"], **made).image
    return images


def _speed(page: Page, summary: Summary) -> None:
    """Seconds of all shards together, and memory of the first and the last."""
    seconds = summary.seconds
    total = seconds.get("total", 0.0)
    rows = [
        [name, f"{value:,.1f}", f"{100 * value / total:.0f}" if total else "", f"{1000 * value / max(summary.sources, 1):.2f}"]
        for name, value in sorted(seconds.items(), key=lambda each: -each[1])
    ]
    page.table(("step", "seconds of all shards", "share, %", "ms per source"), rows)
    memory = [note["rss_mb"] for note in summary.notes if note.get("rss_mb")]
    if memory:
        first, last, most = (f"{value:,.0f} MB" for value in (memory[0], memory[-1], max(memory)))
        page.text(f"Memory at the end of a shard: {first} in the first, {last} in the last, at most {most}.")
