"""All that a viewer offers, settled when it starts: requests name parts of it and can reach nothing else."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from equiradio.artefacts.shelf import default_name, names_here
from equiradio.errors import DataRefusal, Refusal, SettingRefusal
from equiradio.printable import apart
from equiradio.serve.asking_order import AskingOrder
from equiradio.serve.gallery import Runs
from equiradio.serve.labelling import Labelling
from equiradio.serve.networks import Networks, offered
from equiradio.serve.sets import ImageFolder, Sets, data_sets
from equiradio.serve.tables import Table
from equiradio.sky.listing import suffixes

if TYPE_CHECKING:
    from equiradio.serve.frames import Turner

REMEMBERED = 512  # answers


class Desk(NamedTuple):
    """A labelling, and the order in which its sources are shown."""

    labelling: Labelling
    order: AskingOrder


@dataclass
class Offers:
    """Networks, sets of sources, runs and tables, each by name.

    Attributes
    ----------
    problems : what is not offered: runs with what is wrong with them, and images beyond the most of a folder, or of another kind.
    desk : where images of the folder are labelled; None where they are not.
    reading : held while an upload is decoded.
    answered : classes already asked for, by source, digest of its pixels, and model.
    """

    networks: Networks
    sets: Sets
    runs: Runs
    tables: dict[str, Table]
    problems: list[Refusal] = field(default_factory=list)
    desk: Desk | None = None
    reading: threading.Lock = field(default_factory=threading.Lock)
    answered: dict[tuple[str, str, str], dict[str, Any]] = field(default_factory=dict)
    _turner: "Turner | None" = None

    def remember(self, key: tuple[str, str, str], answer: dict[str, Any]) -> None:
        """Keep the class of a source by a model, the latest `REMEMBERED` of them."""
        self.answered[key] = answer
        for old in list(self.answered)[:-REMEMBERED]:
            self.answered.pop(old, None)

    def turner(self) -> "Turner":
        """The keeper of frames; made when first needed, because torch takes seconds to import."""
        with self.reading:
            if self._turner is None:
                from equiradio.serve.frames import Turner

                self._turner = Turner(self.networks)
            return self._turner

    def key_of(self, file: str) -> str | None:
        """The source of a file that a table names; None where no image offered is it, or two may be."""
        folder = next((each for each in self.sets.by_name.values() if isinstance(each, ImageFolder)), None)
        return folder.key_of(file) if folder else None


def gather(
    models: list[str], runs: list[Path], data: list[str], images: Path | None, tables: list[Path], data_dir: Path | None = None
) -> Offers:
    """What the command line asks to offer; without models, those by name whose weights are here, and then the runs.

    Raises
    ------
    Refusal : something named is not there.
    """
    galleries = Runs(runs)
    packaged = sorted(names_here(), key=lambda name: name != default_name())  # that which classify takes comes first
    networks = [offered(name) for name in models or packaged]
    problems: list[Refusal] = []
    for run in [] if models else galleries.by_name.values():
        try:
            networks += [offered(str(run.folder))] if run.weights_file.is_file() else []
        except Refusal as refusal:  # one damaged run keeps nobody from the others
            problems.append(refusal)
    sets: list[Any] = [*data_sets(data, data_dir)]
    all_networks = Networks(networks)
    if images is not None:
        folder = ImageFolder(images, all_networks.recipe)
        sets.append(folder)
        if folder.beyond:
            most = len(folder.keys)
            found = f"the last {folder.beyond:,} of {most + folder.beyond:,} images, by name"
            problems.append(DataRefusal(images, found, f"at most {most:,}", "Show them from a folder of their own."))
        if folder.passed_over:
            taken = ", ".join(suffixes(all_networks.recipe))
            problems.append(
                DataRefusal(images, folder.passed_over, f"files ending in {taken}", "Offer a model of another recipe for them.")
            )
    return Offers(all_networks, Sets(sets), galleries, _tables(tables, galleries), problems)


def with_desk(offers: Offers, file: Path, classes: Sequence[str], who: str, check: Callable[[], object] = lambda: None) -> Offers:
    """The same with a table of labels of the folder of images; by default with the classes of the first model.

    Raises
    ------
    SettingRefusal : no folder of images, or classes of no use. DataRefusal : a file that is no table of labels.
    """
    folder = next((each for each in offers.sets.by_name.values() if isinstance(each, ImageFolder)), None)
    if folder is None:
        raise SettingRefusal("--label", "no images to label", "--images FOLDER", "Name their folder.")
    network = next(iter(offers.networks.by_name.values()), None)
    own = list(classes) or ([] if network is None else list(network.card.labels))
    labelling = Labelling(file, folder, own, who, check)
    offers.desk = Desk(labelling, AskingOrder(offers.networks, network, folder))
    return offers


def _tables(paths: list[Path], galleries: Runs) -> dict[str, Table]:
    """Tables by file name; those of one name are told apart by their folders. Predictions of runs are offered too."""
    tables: dict[str, Table] = {}
    for path in paths:
        if not path.is_file():
            found = "a folder" if path.is_dir() else "no such file"
            raise DataRefusal(path, found, "a table that a verb wrote", "Correct --table.")
        name = path.name if path.name not in tables else f"{path.resolve().parent.name}/{path.name}"
        name = apart(name, tables)
        tables[name] = Table(name, path)
    for run in galleries.by_name:
        for evaluation in galleries.evaluations(run):
            name = f"{run}/{evaluation}"
            tables[name] = Table(name, galleries.by_name[run].folder / "predictions" / f"{evaluation}.parquet")
    return tables
