"""Images with labels in an HDF5 file: one array of images, and arrays of as many labels, names, splits and positions beside it."""

from pathlib import Path
from typing import Any

import numpy as np

from equiradio.datasets.imports.choices import Choices
from equiradio.datasets.imports.gathering import Gathered, of_stack
from equiradio.datasets.imports.tables import Columns
from equiradio.errors import DataRefusal, refused_as

NAMES_OF_CLASSES = ("classes", "class_names", "label_names")  # attributes of the labels, or of the file


def gather_hdf5(source: Path, choices: Choices) -> Gathered:
    """The images of an HDF5 file, held in memory, with the columns of their length.

    Raises
    ------
    DataRefusal : no h5py, no or several arrays of images, or no labels.
    """
    try:
        import h5py
    except ImportError:
        do = "Install it with: pip install 'equiradio[hdf5]'."
        raise DataRefusal(source, "an HDF5 file, and h5py is not installed", "h5py", do) from None
    with refused_as(DataRefusal, source, "an HDF5 file of images and labels", "Check the file."), h5py.File(source, "r") as file:
        arrays: dict[str, Any] = {}
        file.visititems(lambda name, item: arrays.update({name: item}) if isinstance(item, h5py.Dataset) else None)
        stacks = [name for name, item in arrays.items() if item.ndim >= 3 and item.dtype.kind in "uif"]
        if len(stacks) != 1:
            shapes = ", ".join(f"{name} ({' x '.join(map(str, item.shape))})" for name, item in list(arrays.items())[:8]) or "nothing"
            found = f"{len(stacks)} arrays of images among {shapes}"
            raise DataRefusal(source, found, "one array, count x height x width", "Store the images as one array of a file.")
        images = arrays[stacks[0]][()]
        beside = {name: item for name, item in arrays.items() if item.ndim == 1 and len(item) == len(images)}
        table = Columns(str(source), {name.rpartition("/")[2]: _values(item) for name, item in beside.items()})
        if not table.values:
            raise DataRefusal(
                source, f"{len(images):,} images in {stacks[0]}, and no labels beside them", "an array of as many", "Add one."
            )
        label = table.column("label", choices.labels)
        if label is not None:
            item = next(item for name, item in beside.items() if name.rpartition("/")[2] == label)
            _name_classes(table, label, item, file)
    return of_stack(images, str(source), table, choices, "an HDF5 file")


def _values(item: Any) -> list[Any]:
    return [value.decode("utf-8", "replace") if isinstance(value, bytes) else value for value in np.asarray(item[()]).tolist()]


def _name_classes(table: Columns, label: str, item: Any, file: Any) -> None:
    """Put names in the place of whole numbers, where the file has such a list."""
    for attributes in (item.attrs, file.attrs):
        for key in NAMES_OF_CLASSES:
            if key not in attributes:
                continue
            names = [name.decode() if isinstance(name, bytes) else str(name) for name in np.asarray(attributes[key]).tolist()]
            numbers = table.values[label]
            if all(isinstance(number, int | float) and number in range(len(names)) for number in numbers):
                table.values[label] = [names[int(number)] for number in numbers]
            return
