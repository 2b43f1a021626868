"""The classes of a problem: their names, their order, and what a source is called that is none of them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from equiradio.errors import SettingRefusal
from equiradio.printable import printable

__all__ = ["FANAROFF_RILEY", "UNKNOWN", "Labels"]

UNKNOWN = -1  # the label of a source that is none of the classes
OUT = ", or leave it out by --classes."
BESIDE = ("_low", "_high", "_unturned")  # ends of columns that tables hold beside a class's own


@dataclass(frozen=True)
class Labels:
    """Names of classes; a label is a place in them, or `UNKNOWN`.

    Attributes
    ----------
    names : at least two, in the order of the network's logits.
    unknown : word for sources that are none of them (label -1); empty where there are none.

    Raises
    ------
    SettingRefusal : fewer than two names, an empty one, one that cannot be printed, or two that would share a column, be it of a spread.
    """

    names: tuple[str, ...]
    unknown: str = ""

    def __post_init__(self) -> None:
        if len(self.names) < 2:
            raise SettingRefusal("classes", f"{len(self.names)} of them ({', '.join(self.names)})", "at least 2", "Add another class.")
        for name in (*self.names, self.unknown):
            if printable(name) != name:
                raise SettingRefusal("classes", f"{name!r} has characters that cannot be printed", "names such as FRI", "Rename the class.")
        columns = self.columns()
        for name, column in zip(self.names, columns, strict=True):
            if column == "p_":
                raise SettingRefusal("classes", f"{name!r} has no letter or digit", "names such as FRI", f"Rename the class{OUT}")
            if columns.count(column) > 1:
                alike = [other for other, its in zip(self.names, columns, strict=True) if its == column]
                found = f"{' and '.join(map(repr, alike))} share the column {column}"
                raise SettingRefusal("classes", found, "names that differ in letters or digits", f"Rename one of them{OUT}")
        beside = {column + end: repr(name) for column, name in zip(columns, self.names, strict=True) for end in BESIDE}
        beside["p_unturned"] = "every explanation"
        for column, name in zip(columns, self.names, strict=True):
            if column in beside:
                found = f"{name!r} has the column {column}, which is one of {beside[column]} too"
                raise SettingRefusal("classes", found, "names whose columns are theirs alone", f"Rename one of them{OUT}")

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __str__(self) -> str:
        return ", ".join(self.names)

    @property
    def binary(self) -> bool:
        """Two classes: one probability, that of the second, says everything."""
        return len(self.names) == 2

    def name_of(self, label: int) -> str:
        """The word for a label."""
        return self.unknown or "unknown" if label == UNKNOWN else self.names[label]

    def columns(self, prefix: str = "p") -> tuple[str, ...]:
        """One column of a table for each class: ``p_fri``, ``p_frii``."""
        return tuple(f"{prefix}_{re.sub(r'[^0-9a-z]+', '_', name.lower()).strip('_')}" for name in self.names)


FANAROFF_RILEY = Labels(("FRI", "FRII"), unknown="hybrid")


def labels_of(names: Sequence[str], unknown: str = "") -> Labels:
    """Labels from what a card or a table holds; the Fanaroff-Riley classes keep their word for hybrids."""
    return FANAROFF_RILEY if tuple(names) == FANAROFF_RILEY.names else Labels(tuple(names), unknown)
