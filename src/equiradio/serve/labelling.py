"""Labels that a person gives: a table with a row for each labelled file, written anew after every label, and a way back."""

import csv
import io
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from equiradio.artefacts.atomic import write_text
from equiradio.errors import DataRefusal, SettingRefusal, refused_as
from equiradio.printable import in_one_line
from equiradio.serve.refusals import NotOffered, RequestRefusal
from equiradio.serve.sets import ImageFolder

KEYS = "123456789abdefgh"  # one for each class; c, m, s and u mean something else
COMMENT, WHO = 500, 80  # characters


class Given(NamedTuple):
    """A label that somebody gave: the columns of the table, which `equiradio data import` reads.

    ``file`` is a path from the table's folder, ``when`` in UTC.
    """

    file: str
    label: str
    comment: str
    who: str
    when: str


class Labelling:
    """Labels of the images of a folder, in a table that is there after every one of them.

    Parameters
    ----------
    file : the table, .csv; gone on with where it is there.
    folder : of the images.
    classes : to choose from, in this order, which is that of their keys; then those that only the table has, by name.
    who : whose labels they are.
    check : called before anything is written; raises where the claim on the table was lost.

    Raises
    ------
    SettingRefusal : another suffix, fewer than two classes or more than there are keys. DataRefusal : a file that is no such table.
    """

    def __init__(
        self, file: Path, folder: ImageFolder, classes: Sequence[str], who: str, check: Callable[[], object] = lambda: None
    ) -> None:
        if file.suffix.lower() != ".csv":
            raise SettingRefusal("--label", f"'{file.name}'", "a name that ends in .csv", "Change the suffix.")
        self.file, self.folder, self.who = file, folder, in_one_line(who)[:WHO] or "unknown"
        self._given, self._check = read_given(file), check
        start = file.resolve().parent
        paths = {key: folder.path_of(key) for key in folder.keys}
        self._names = {key: Path(os.path.relpath(path, start)).as_posix() for key, path in paths.items() if path is not None}
        only_there = sorted({row.label for row in self._given.values()}.difference(classes))  # rows move where a label is given anew
        self.classes = [*dict.fromkeys(classes), *only_there]
        if not 2 <= len(self.classes) <= len(KEYS):
            found = f"{len(self.classes)} classes ({', '.join(self.classes[:20]) or 'none'})"
            do = "Name them by --classes A,B, or offer a model that has some."
            raise SettingRefusal("--label", found, f"2 to {len(KEYS)}, a key for each", do)
        self._before: list[tuple[str, Given | None]] = []
        self._lock = threading.Lock()

    def give(self, key: str, label: str, comment: str = "") -> None:
        """Give a source a label, in place of one that it had, and write the table.

        Raises
        ------
        RequestRefusal : no such class. NotOffered : no such source.
        """
        if label not in self.classes:
            raise RequestRefusal("label", f"{label[:60]!r}", ", ".join(self.classes), "Choose one of these.")
        row = Given(self._name(key), label, in_one_line(comment)[:COMMENT], self.who, time.strftime("%FT%TZ", time.gmtime()))
        with self._lock:
            before = self._given.get(row.file)
            self._write({**{name: given for name, given in self._given.items() if name != row.file}, row.file: row})
            self._before.append((key, before))

    def undo(self) -> str:
        """Take the last label of this viewer back, so that the source has what it had before; the source's key.

        Raises
        ------
        RequestRefusal : there is none.
        """
        with self._lock:
            if not self._before:
                raise RequestRefusal("undo", "no label of this viewer", "one to take back", "Give one first.")
            key, before = self._before[-1]
            rest = {name: given for name, given in self._given.items() if name != self._name(key)}
            self._write(rest if before is None else {**rest, before.file: before})
            self._before.pop()
        return key

    def given(self, key: str) -> Given | None:
        """The label that a source has."""
        return self._given.get(self._name(key))

    def labelled(self) -> set[str]:
        """Keys of the sources that have a label."""
        with self._lock:
            there = set(self._given)
        return {key for key, name in self._names.items() if name in there}

    def counts(self) -> dict[str, int]:
        """How many files have each class, those of the table that are not among the images too."""
        with self._lock:
            labels = [row.label for row in self._given.values()]
        return {name: labels.count(name) for name in self.classes}

    def _name(self, key: str) -> str:
        """A source's file as the table names it."""
        if key not in self._names:
            raise NotOffered("source", key, f"an image of {self.folder.name}", "Choose one of the list.")
        return self._names[key]

    def _write(self, given: dict[str, Given]) -> None:
        """Write the table, whole or not at all, and hold what it says."""
        self._check()
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(Given._fields)
        table.writerows(given.values())
        write_text(self.file, text.getvalue())
        self._given = given


def read_given(file: Path) -> dict[str, Given]:
    """The labels of a table by file; none where it is not there yet.

    Raises
    ------
    DataRefusal : it is no table of labels, or names a file twice.
    """
    if not file.exists():
        return {}
    do = "Choose another --label."
    with (
        refused_as(DataRefusal, file, "a table of labels, as this viewer writes it", do),
        file.open(encoding="utf-8", newline="") as content,
    ):
        table = csv.DictReader(content)
        if not {"file", "label"} <= set(table.fieldnames or ()):
            raise ValueError(f"columns {', '.join(table.fieldnames or ()) or 'none'}")
        rows: list[dict[str, Any]] = list(table)
        odd = sorted(set(table.fieldnames or ()) - set(Given._fields))
        if odd:
            raise ValueError(f"further columns {', '.join(odd)}, which would be lost")
        given = {row["file"]: Given(**{name: row.get(name) or "" for name in Given._fields}) for row in rows}
        if len(given) < len(rows):
            raise ValueError(f"{len(rows) - len(given)} files twice")
    return given
