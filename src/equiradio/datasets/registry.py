"""Data sets by name, or from a folder that `equiradio data` wrote."""

from pathlib import Path

import numpy as np

from equiradio.datasets.sources import Sources
from equiradio.errors import DataRefusal, nearest

DATASETS = {
    "mirabest": "MiraBest, FRI and FRII: 856 train, 213 validation, 153 test",
    "mirabest-confident": "the sources with a confident label: 584, 145, 104",
    "mirabest-uncertain": "the sources with an uncertain label: 272, 68, 49",
    "mirabest-hybrid": "the hybrid sources, neither FRI nor FRII: 30 train, 4 test",
    "simulated": "simulated FRI and FRII, made on the spot: 800, 200, 200",
}


def open_data(name: str, data_dir: Path | None = None) -> Sources:
    """The sources of a data set.

    Parameters
    ----------
    name : a key of `DATASETS`, or the path of a folder written by ``equiradio data simulate``.
    data_dir : where MiraBest lies; default ``EQUIRADIO_DATA``, else the user's cache.

    Raises
    ------
    DataRefusal : no such data set, or it cannot be read.
    """
    if name.startswith("mirabest") and name in DATASETS:
        from equiradio.datasets.mirabest import load_mirabest

        return load_mirabest(name, data_dir)
    from equiradio.datasets.simulated import load_simulated, read_folder

    if name == "simulated":
        return load_simulated()
    if Path(name).is_dir():
        return read_folder(Path(name))
    raise DataRefusal("data", f"'{name}' is not a data set nor a folder", ", ".join(DATASETS), nearest(name, list(DATASETS)))


def chosen_split(sources: Sources, split: str) -> Sources:
    """The sources of one split; refused where the data set has none."""
    if not (sources.split == split).any():
        present = ", ".join(f"{name} ({count:,})" for name, count in zip(*np.unique(sources.split, return_counts=True), strict=True))
        raise DataRefusal(sources.name, f"no source is of split '{split}'", present, "Choose one of these splits.")
    return sources.of_split(split)
