"""What can be chosen of an import, and refused before anything is read."""

from dataclasses import dataclass
from pathlib import Path

from equiradio.errors import SettingRefusal
from equiradio.sky.recipe import STRETCHES

SIDES = (16, 1024)  # pixels


@dataclass(frozen=True)
class Choices:
    """How a source is read.

    Attributes
    ----------
    labels, split : columns of classes and of splits; by default looked for under usual names, and splits are made where there are none.
    classes : those wanted, in this order; all, by name, where none is given. Of labels that are whole numbers, their names.
    images : where a table's images lie: a folder, mosaics, or an array.
    side : pixels of a cutout; by default that of the images, of mosaics 150.
    stretch, clip : see `equiradio.sky.recipe.Recipe`; by default pictures are taken as they are, and others clipped as MiraBest.
    neighbours_arcsec : sources within it stay on one side; by default as far as an image reaches.
    seed : of splits that are made.
    name : of the data set; by default that of the source.
    """

    labels: str | None = None
    split: str | None = None
    classes: tuple[str, ...] = ()
    images: tuple[Path, ...] = ()
    side: int | None = None
    stretch: str | None = None
    clip: float | None = None
    neighbours_arcsec: float | None = None
    seed: int = 0
    name: str | None = None

    def __post_init__(self) -> None:
        if self.side is not None and (self.side % 2 or not SIDES[0] <= self.side <= SIDES[1]):
            found, do = f"{self.side}", "An even side keeps the source in the middle as the sky turns."
            raise SettingRefusal("--side", found, f"an even number from {SIDES[0]} to {SIDES[1]}", do)
        if self.stretch is not None and self.stretch not in STRETCHES:
            raise SettingRefusal("--stretch", f"'{self.stretch}'", ", ".join(STRETCHES), "Choose one of these.")
        for option, value in (("--clip", self.clip), ("--neighbours", self.neighbours_arcsec)):
            if value is not None and not 0 <= value < 1e6:
                raise SettingRefusal(option, f"{value:g}", "0 or more", "Correct the number.")
        if self.seed < 0:
            raise SettingRefusal("--seed", f"{self.seed}", "0 or more", "Choose another seed.")
        if len(set(self.classes)) < len(self.classes):
            raise SettingRefusal("--classes", f"{', '.join(self.classes)}", "each class once", "Name it once.")
