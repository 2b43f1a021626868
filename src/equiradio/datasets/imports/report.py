"""What an import read, what it left out and why, and what it made of it."""

from dataclasses import dataclass, field
from typing import Any

from equiradio.printable import some_of

SHOWN = 3  # examples of what was left out, in a line


@dataclass
class Report:
    """Filled while a source is read.

    Attributes
    ----------
    source, form, rows : as the user names it, what it is, and how many rows it lists.
    lost : why sources were left out -> their names.
    notes : what else is worth a line.
    """

    source: str
    form: str
    rows: int
    lost: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def leave_out(self, why: str, names: list[str]) -> None:
        """Note sources that are left out."""
        if names:
            self.lost.setdefault(why, []).extend(names)

    @property
    def lines(self) -> list[str]:
        """What was left out, in a line for each reason, with a few examples."""
        return [f"{len(names):,} of {self.rows:,} left out, {why}: {some_of(names, SHOWN)}" for why, names in self.lost.items()]

    def as_json(self) -> dict[str, Any]:
        """For ``report.json``, with every name of what was left out."""
        return {"source": self.source, "form": self.form, "rows": self.rows, "left_out": self.lost, "notes": self.notes}
