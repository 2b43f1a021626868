"""Words of classes to labels."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from equiradio.datasets.imports.gathering import Gathered
from equiradio.datasets.imports.report import Report
from equiradio.datasets.imports.splitting import LEAST
from equiradio.errors import DataRefusal, nearest
from equiradio.labels import UNKNOWN, Labels, labels_of
from equiradio.printable import some_of

UNLABELLED = ("unlabelled", "unlabeled", "unclassified", "unknown", "none", "n/a", "?")  # in small letters: what people write for no label
NONE = f"{UNKNOWN}"  # of labels that are whole numbers that of no class, as in a data set's own table


def labelled(rows: Gathered, wanted: Sequence[str], report: Report) -> tuple[np.ndarray, Labels]:
    """Place of every row's class, int64 (count,), `UNKNOWN` for rows of a class that is not wanted; and the classes.

    Parameters
    ----------
    wanted : classes in this order, all by name where none is given. Of labels that are whole numbers these are their names.

    Raises
    ------
    DataRefusal : an empty word, a class that is not there, or one with too few sources. SettingRefusal : names that cannot be classes.
    """
    words = rows.labels
    empty = [name for name, word in zip(rows.names, words, strict=True) if not word]
    if empty:
        found = f"{len(empty):,} of {len(words):,} rows have no class (first: {empty[0]})"
        raise DataRefusal(rows.where, found, "a class in every row", "Fill it in, or take them out.")
    words, counts = _named_numbers(rows, words, _counted(rows, words, wanted), wanted)
    for name in wanted:
        if name not in counts:
            there = some_of([f"{word} ({count:,})" for word, count in counts.most_common()], 12)
            raise DataRefusal(rows.where, f"no source of class '{name}'", there, nearest(name, list(counts)))
    names = tuple(wanted) or tuple(sorted(counts, key=lambda word: (not word.isdecimal(), int(word) if word.isdecimal() else 0, word)))
    classes, least = labels_of(names), LEAST if rows.splits is None else 2
    few = [f"{name} {counts[name]}" for name in names if counts[name] < least]
    if few:
        found = f"too few sources of {', '.join(few[:5])} (of {len(names)} classes{', each source by its likeliest' if rows.soft else ''})"
        raise DataRefusal(rows.where, found, f"{least} or more of each class", "Add some, or choose others by --classes.")
    place = {name: number for number, name in enumerate(names)}
    labels = np.array([place.get(word, UNKNOWN) for word in words], np.int64)
    for row in np.flatnonzero(labels == UNKNOWN):
        report.leave_out(_why(words[row], counts), [rows.names[row]])
    if not wanted:
        report.notes.extend(_alike(names))
    _note_lost_shares(rows, names, labels != UNKNOWN, report)
    return labels, classes


def _counted(rows: Gathered, words: Sequence[str], wanted: Sequence[str]) -> Counter[str]:
    """How many rows have each word that is a class, 0 for soft labels' that are nobody's likeliest; without words for no label."""
    counts = Counter(words)
    counts.update(dict.fromkeys(rows.soft, 0))
    for word in () if rows.soft else {word for word in counts if word.lower() in UNLABELLED}.difference(wanted):
        del counts[word]
    if NONE not in wanted and all(word.isdecimal() for word in counts if word != NONE):
        counts.pop(NONE, None)
    return counts


def _why(word: str, counts: Counter[str]) -> str:
    """Why a row of no label is left out."""
    if word in counts:
        return "of a class that is not wanted"
    return f"of label {NONE}, which is no class" if word == NONE else f"without a label ('{word}'; --classes names it if it is a class)"


def _alike(names: Sequence[str]) -> Iterator[str]:
    """A note on classes whose names differ in spaces, signs and capitals alone."""
    by_letters: dict[str, list[str]] = {}
    for name in names:
        by_letters.setdefault("".join(filter(str.isalnum, name)).lower(), []).append(name)
    for same in (each for each in by_letters.values() if len(each) > 1):
        yield f"classes {' and '.join(same)} differ in spaces or signs alone: one class?"


def _note_lost_shares(rows: Gathered, names: Sequence[str], wanted: np.ndarray, report: Report) -> None:
    """Note what soft labels give to classes that are not wanted, of the sources that are."""
    others = [name for name in rows.soft if name not in names]
    if not others:
        return
    lost = np.sum([rows.soft[name][wanted] for name in others], 0)
    some = lost > 0
    numbers = f", {lost[some].mean():.2f} on average and up to {lost.max():.2f}: the others are made to add up to 1" if some.any() else ""
    what = f"shares of {', '.join(others)}, which --classes leaves out"
    report.notes.append(f"{int(some.sum()):,} of {len(lost):,} sources lose {what}{numbers}")


def _named_numbers(rows: Gathered, words: list[str], counts: Counter[str], wanted: Sequence[str]) -> tuple[list[str], Counter[str]]:
    """Whole numbers as the names of their classes, where such are given."""
    if not wanted or set(wanted) & set(counts) or not all(word.isdecimal() for word in counts):
        return words, counts
    beyond = sorted((word for word in counts if int(word) >= len(wanted)), key=int)
    if beyond:
        found = f"labels up to {beyond[-1]} ({sum(counts[word] for word in beyond):,} rows), and {len(wanted)} names of classes"
        raise DataRefusal(rows.where, found, f"labels from 0 to {len(wanted) - 1}", "Give a name for each.")
    named = [wanted[int(word)] if word in counts else word for word in words]
    return named, Counter(name for name, word in zip(named, words, strict=True) if word in counts)
