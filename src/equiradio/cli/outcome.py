"""What became of the images of `equiradio classify`: counts of the answers, and why images were refused."""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from equiradio.errors import DataRefusal
from equiradio.labels import Labels

SHOWN = 10  # refused images that are named


class Outcome:
    """Labels, abstentions and flags of all images, from the columns of a catalogue.

    Parameters
    ----------
    labels : the class of each image, nothing where there is no answer.
    uncertain : whether the team abstains.
    flag_names : separated by spaces.
    """

    def __init__(self, labels: Sequence[Any], uncertain: Sequence[Any], flag_names: Sequence[Any]) -> None:
        self.refused = [place for place, label in enumerate(labels) if not label]
        self.classes = Counter(label for label in labels if label)
        self.abstained = sum(bool(label) and str(unsure).lower() == "true" for label, unsure in zip(labels, uncertain, strict=True))
        self.flags = Counter(name for names in flag_names for name in (names or "").split())
        self.count = len(labels)

    def line(self, classes: Labels) -> str:
        """Such as ``16 FRI, 16 FRII, 9 abstain, 0 without an answer (flags: 3 nonfinite)``."""
        parts = [f"{self.classes[name]:,} {name}" for name in classes]
        parts += [f"{self.abstained:,} abstain", f"{len(self.refused):,} without an answer"]
        flags = ", ".join(f"{count:,} {name}" for name, count in self.flags.most_common())
        return ", ".join(parts) + (f" (flags: {flags})" if flags else "")

    def refuse_emptiness(self) -> None:
        """Raises a DataRefusal where no image has an answer."""
        if len(self.refused) == self.count:
            found = f"none of {self.count:,} could be answered"
            raise DataRefusal("images", found, "at least one that can be used", "The lines above say why.")


def outcome_of(out: Path) -> Outcome:
    """That of a catalogue on disk."""
    from equiradio.artefacts.catalogue import read_texts

    columns = ("label", "uncertain", "flag_names")
    return Outcome(*read_texts(out, columns).values())


def print_refused(files: Sequence[Path], options: dict[str, Any]) -> None:
    """On stderr a line for each of the first refused files, which are read once more for that, and how many more there are."""
    from equiradio.errors import ImageRefusal
    from equiradio.inference.reading import read_any

    for number, file in enumerate(files[:SHOWN]):
        refusal = read_any(number, file, **options)
        print(refusal if isinstance(refusal, ImageRefusal) else f"{file}: was refused, and can be read now", file=sys.stderr)
    if len(files) > SHOWN:
        print(f"and {len(files) - SHOWN:,} more without an answer: see the column flag_names", file=sys.stderr)
