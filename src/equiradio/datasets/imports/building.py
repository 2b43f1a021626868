"""From a source of any form to a data set."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from equiradio import plugins
from equiradio.datasets.folder import NAME, checksum
from equiradio.datasets.imports.choices import Choices
from equiradio.datasets.imports.copies import near_copies
from equiradio.datasets.imports.cutting import Cut, cut_all
from equiradio.datasets.imports.gathering import Gathered, gather
from equiradio.datasets.imports.labelling import labelled
from equiradio.datasets.imports.report import SHOWN, Report
from equiradio.datasets.imports.splitting import LEAST, made_split, stated_split
from equiradio.datasets.sources import Sources, pixel_hash, turned_hash
from equiradio.datasets.splits import linked, neighbours, pairs_within
from equiradio.errors import DataRefusal, SettingRefusal
from equiradio.labels import UNKNOWN, Labels
from equiradio.printable import some_of

Step = Callable[[str, int, int], object]
SAME_ARCSEC = 5.0  # pairs that are as near are counted as one source, twice
FEW_LIT = 4  # pixels of an image, besides which all are empty: less than any beam covers
UNKNOWN_REACH = 270.0  # arcsec, of an image whose scale is unknown: as MiraBest's


def read_source(source: Path, choices: Choices | None = None, step: Step = lambda what, done, total: None) -> tuple[Sources, Report]:
    """The data set in a source of any form (`equiradio.datasets.imports.gathering.FORMS`), and the report of its reading.

    Raises
    ------
    DataRefusal, SettingRefusal : it cannot be used: one line, with numbers.
    """
    choices = choices or Choices()
    name, rows = _name(source, choices), gather(source, choices)
    report = Report(rows.where, rows.form, len(rows), notes=list(rows.notes))
    labels, classes = labelled(rows, choices.classes, report)
    cut = cut_all(rows, np.flatnonzero(labels != UNKNOWN), choices, report, step)
    cut = _without_doubles(rows, cut, labels, report)
    labels = labels[cut.rows]
    _refuse_emptied(rows, labels, classes, report)
    _note_few_lit(rows, cut, report)
    split = _split(rows, cut, labels, classes, choices, report)
    sources = Sources(
        name=name,
        images=cut.images,
        labels=labels,
        source_ids=np.array([rows.names[row] for row in cut.rows]),
        confidence=np.full(len(labels), "confident"),
        split=split,
        size_arcsec=np.full(len(labels), np.nan),
        md5=checksum(cut.images),
        classes=classes,
        ra_deg=cut.ra_deg if np.isfinite(cut.ra_deg).any() else None,
        dec_deg=cut.dec_deg if np.isfinite(cut.ra_deg).any() else None,
        soft=_soft(rows, cut, classes),
        folder=str(source),
        left_out=tuple(f"{name}: {line}" for line in report.lines),
        recipe=cut.recipe,
    )
    return sources, report


def with_notes(sources: Sources, report: Report) -> Sources:
    """Sources that say beside what was left out what else was noted of them, as cards of trainings hold it."""
    return replace(sources, left_out=(*sources.left_out, *(f"{sources.name}: {note}" for note in report.notes)))


def _name(source: Path, choices: Choices) -> str:
    """The data set's name, which becomes part of file names: the one that is chosen, or the source's."""
    name = choices.name or re.sub(r"[^A-Za-z0-9._-]+", "-", source.resolve().name.partition(".")[0]).strip("-._")[:80] or "imported"
    published = hasattr(plugins.module("equiradio.datasets", name.partition("-")[0]), "fetch")
    if choices.name is None:
        return f"my-{name}" if published else name
    if published or not NAME.fullmatch(name):
        found = f"'{name}'" + (", which is a published data set's" if published else "")
        raise SettingRefusal("--name", found, "up to 100 letters, digits, '.', '_' and '-'", "Choose another.")
    return name


def _soft(rows: Gathered, cut: Cut, classes: Labels) -> np.ndarray | None:
    """Soft labels of what was cut, by the classes wanted; None where labels are certain."""
    if not rows.soft:
        return None
    shares = np.stack([rows.soft[name][cut.rows] for name in classes], 1)
    return shares / shares.sum(1, keepdims=True)


def _without_doubles(rows: Gathered, cut: Cut, labels: np.ndarray, report: Report) -> Cut:
    """Images with the same pixels once, turned and mirrored ones too, under the first of their names; not at all where they have several
    classes. A network that turns with the sky would find a source of its test among those that it learned.
    """
    alike: dict[str, list[int]] = {}
    for place, image in enumerate(cut.images):
        alike.setdefault(turned_hash(image), []).append(place)
    stay = np.ones(len(cut.rows), bool)
    for places in (places for places in alike.values() if len(places) > 1):
        agree = len(set(labels[cut.rows[places]].tolist())) == 1
        drop = sorted(places, key=lambda place: rows.names[cut.rows[place]])[1:] if agree else places
        stay[drop] = False
        for place in drop:
            same = any((cut.images[place] == cut.images[other]).all() for other in places if other != place)
            how = "the same pixels as another" + ("" if same else ", turned or mirrored" + ("" if agree else ","))
            report.leave_out(how if agree else f"{how} of another class", [rows.names[cut.rows[place]]])
    return Cut(cut.rows[stay], cut.images[stay], cut.ra_deg[stay], cut.dec_deg[stay], cut.recipe)


def _refuse_emptied(rows: Gathered, labels: np.ndarray, classes: Labels, report: Report) -> None:
    """Refuse a class of which too few sources are left, with what was left out."""
    counts = np.bincount(labels, minlength=len(classes))
    few = ", ".join(f"{name} {count}" for name, count in zip(classes, counts, strict=True) if count < LEAST)
    if few and rows.splits is None:
        found = f"too few sources of {few} are of use ({'; '.join(report.lines)})"
        raise DataRefusal(rows.where, found, f"{LEAST} of each class, one for each split", "Add some, or choose --classes.")


def _note_few_lit(rows: Gathered, cut: Cut, report: Report) -> None:
    """Note images of which hardly a pixel is left: nothing of a source stands beside one that outshines it by 255."""
    dark = np.flatnonzero((cut.images > 0).sum((1, 2)) <= FEW_LIT)
    if len(dark):
        what = f"{len(dark):,} of {len(cut.rows):,} images have {FEW_LIT} lit pixels or less"
        report.notes.append(f"{what} ({some_of([rows.names[row] for row in cut.rows[dark]], SHOWN)}): a pixel that outshines the source?")


def _note_twins(rows: Gathered, cut: Cut, labels: np.ndarray, pairs: np.ndarray, what: str, then: str, report: Report) -> None:
    """Note pairs (places) that may be one source, ``what`` they are and ``then`` what was done; and those that have two classes."""
    words = lambda some: some_of([f"{rows.names[cut.rows[one]]} and {rows.names[cut.rows[other]]}" for one, other in some], SHOWN)
    torn = pairs[labels[pairs[:, 0]] != labels[pairs[:, 1]]]
    line = f"{len(pairs):,} pairs of {what} ({words(pairs)}): the same source twice?{then}"
    report.notes.append(line + (f" {len(torn):,} of the pairs have two classes ({words(torn)}): decide on one" if len(torn) else ""))


def _split(rows: Gathered, cut: Cut, labels: np.ndarray, classes: Labels, choices: Choices, report: Report) -> np.ndarray:
    """The split of every source, stated or made; notes what there is to say of it."""
    reach = cut.recipe.size_arcsec or UNKNOWN_REACH
    linking = reach if choices.neighbours_arcsec is None else choices.neighbours_arcsec
    placed = np.flatnonzero(np.isfinite(cut.ra_deg) & np.isfinite(cut.dec_deg))
    if len(pairs := pairs_within(cut.ra_deg[placed], cut.dec_deg[placed], SAME_ARCSEC)):
        what = f"sources lie within {SAME_ARCSEC:g} arcsec"
        _note_twins(rows, cut, labels, placed[pairs[np.lexsort(pairs.T[::-1])]], what, "", report)
    if len(copies := near_copies(cut.images)):
        then = "" if rows.splits else " They are on one side"
        _note_twins(rows, cut, labels, copies, "images are nearly the same", then, report)
    groups = linked(neighbours(cut.ra_deg, cut.dec_deg, linking), copies)
    if len(placed) < len(labels):
        report.notes.append(f"{len(labels) - len(placed):,} of {len(labels):,} sources have no position: neighbours are not looked for")
    names = [rows.names[row] for row in cut.rows]
    if rows.splits is None:
        keys = [pixel_hash(image) for image in cut.images] if rows.unnamed else names
        split = made_split(labels, groups, keys, classes, choices.seed, rows.where)
        by = "pixels, as sources have no names" if rows.unnamed else "names of sources"
        report.notes.append(f"splits made with seed {choices.seed} by {by}; sources within {linking:.0f} arcsec are on one side")
        return split
    split = stated_split([rows.splits[row] for row in cut.rows], names, labels, classes, rows.where)
    torn = sum(len(set(split[groups == group])) > 1 for group in np.flatnonzero(np.bincount(groups) > 1))
    if torn:
        what = f"{torn:,} groups of neighbours ({linking:.0f} arcsec) or of images that are nearly the same"
        report.notes.append(f"{what} lie on several sides of the stated split")
    if not (split == "test").any():
        report.notes.append("no test source: a team will have no test scores")
    return split
