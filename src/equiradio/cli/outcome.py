"""What became of the images of `equiradio classify`: counts of the answers, and why images were refused."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from equiradio.artefacts.flags import BITS
from equiradio.cli.lines import say
from equiradio.errors import DataRefusal
from equiradio.labels import Labels
from equiradio.printable import as_ascii

SHOWN = 10  # refused images that are named


class Outcome:
    """Labels, abstentions and flags of all images, from the columns of a catalogue.

    Parameters
    ----------
    classes : that can be answered.
    labels : the class of each image; where there is no answer whatever the form of the catalogue has for nothing.
    uncertain : whether the team abstains.
    flag_names : separated by spaces.
    """

    def __init__(self, classes: Labels, labels: Sequence[Any], uncertain: Sequence[Any], flag_names: Sequence[Any]) -> None:
        names = {as_ascii(name): name for name in classes}  # FITS has no other letters
        given = [names.get(as_ascii(label or "")) for label in labels]
        self.refused = [place for place, name in enumerate(given) if name is None]
        self.classes = {name: given.count(name) for name in classes}
        answered = zip(given, uncertain, strict=True)
        self.abstained = sum(name is not None and str(unsure).lower() == "true" for name, unsure in answered)
        self.flags = Counter(name for names in flag_names for name in str(names).split() if name in BITS)
        self.count = len(labels)

    def __str__(self) -> str:
        """Such as ``16 FRI, 16 FRII, 9 abstain, 0 without an answer (flags: 3 nonfinite)``."""
        parts = [f"{count:,} {name}" for name, count in self.classes.items()]
        parts += [f"{self.abstained:,} abstain", f"{len(self.refused):,} without an answer"]
        flags = ", ".join(f"{count:,} {name}" for name, count in self.flags.most_common())
        return ", ".join(parts) + (f" (flags: {flags})" if flags else "")

    def refuse_emptiness(self) -> None:
        """Raises a DataRefusal where no image has an answer."""
        if len(self.refused) == self.count:
            found = f"none of {self.count:,} could be answered"
            raise DataRefusal("images", found, "at least one that can be used", "The lines above say why.")


def outcome_of(out: Path, classes: Labels) -> Outcome:
    """That of a catalogue on disk."""
    from equiradio.artefacts.catalogue import read_texts

    columns = ("label", "uncertain", "flag_names")
    return Outcome(classes, *read_texts(out, columns).values())


def print_refused(refusals: Sequence[object], count: int) -> None:
    """On stderr a line for each of the first files that were refused, and how many more of the ``count`` there are."""
    for refusal in refusals[:SHOWN]:
        say(refusal, err=True)
    if more := count - len(refusals[:SHOWN]):
        say(f"{'and ' if refusals else ''}{more:,} {'more ' if refusals else ''}without an answer: see the column flag_names", err=True)
