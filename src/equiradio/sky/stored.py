"""Pixels that stay in their file until they are asked for, so that a mosaic of any size is cut without being read."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from equiradio.sky.axes import Axes, image_of
from equiradio.sky.contents import FileBytes

FLOATS: dict[int, np.dtype[Any]] = {-32: np.dtype(">f4"), -64: np.dtype(">f8")}  # BITPIX -> numbers as they lie in a file
SCALING = ("BSCALE", "BZERO", "BLANK")


class Pixels(Protocol):
    """float32 (height, width) that can be cut into: an array, or a `FilePlane`."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    def __getitem__(self, part: tuple[slice, slice], /) -> np.ndarray: ...


Ends = tuple[int, int]  # the first, and the one behind the last


class FilePlane(ABC):
    """A plane of a FITS image that stays in its file.

    Parameters
    ----------
    chosen : plane of each other axis.

    Attributes
    ----------
    shape : (height, width).
    """

    def __init__(self, axes: Axes, chosen: Mapping[int, int]) -> None:
        self.shape = (axes.rows.length, axes.columns.length)
        self._axes, self._chosen = axes, chosen

    def __getitem__(self, part: tuple[slice, slice]) -> np.ndarray:
        """float32 pixels of these rows and columns."""
        rows, columns = (one.indices(length)[:2] for one, length in zip(part, self.shape, strict=True))
        shape = max(rows[1] - rows[0], 0), max(columns[1] - columns[0], 0)
        if 0 in shape:
            return np.empty(shape, np.float32)
        with np.errstate(over="ignore"):
            return self._read(rows, columns).astype(np.float32)

    @abstractmethod
    def _read(self, rows: Ends, columns: Ends) -> np.ndarray:
        """Pixels of some rows and columns, at least one of each."""

    def _ends(self, rows: Ends, columns: Ends) -> tuple[Ends, ...]:
        """The same along all axes, as numpy counts them."""
        where = {number: (index, index + 1) for number, index in self._chosen.items()}
        where |= {self._axes.rows.number: rows, self._axes.columns.number: columns}
        return tuple(where[number] for number in sorted(where, reverse=True))

    def _turned(self, section: np.ndarray) -> np.ndarray:
        """A part as `_ends` has it, as rows and columns."""
        return image_of(section, self._axes, dict.fromkeys(self._chosen, 0))


class StoredPlane(FilePlane):
    """A plane of an uncompressed FITS image, of which the part that is asked for is read.

    Parameters
    ----------
    file, hdu : the file's bytes, and astropy's HDU, whose file stays open.
    """

    def __init__(self, file: FileBytes, hdu: Any, axes: Axes, chosen: Mapping[int, int]) -> None:
        super().__init__(axes, chosen)
        self._file, self._hdu = file, hdu
        lengths = tuple(hdu.shape)[::-1]  # as FITS counts its axes, the fastest first
        steps = [math.prod(lengths[:number]) for number in range(len(lengths))]  # pixels from one to the next along each axis
        kind = FLOATS.get(hdu.header["BITPIX"])
        self._floats = kind if axes.columns.number == 1 and not any(key in hdu.header for key in SCALING) else None
        if self._floats is not None:
            first = sum(steps[number - 1] * index for number, index in chosen.items())
            self._start = hdu.fileinfo()["datLoc"] + first * self._floats.itemsize
            self._line = steps[axes.rows.number - 1] * self._floats.itemsize

    def _read(self, rows: Ends, columns: Ends) -> np.ndarray:
        if self._floats is not None:
            return self._lines(self._floats, *rows, columns[0], columns[1] - columns[0])
        section = self._hdu.section[tuple(slice(*ends) for ends in self._ends(rows, columns))]  # scaled by astropy
        return self._turned(np.asarray(section))

    def _lines(self, kind: np.dtype, top: int, bottom: int, left: int, columns: int) -> np.ndarray:
        """Floating-point numbers as they lie in the file, line by line: a tenth of the time that astropy's sections take."""
        start, count = self._start + left * kind.itemsize, columns * kind.itemsize
        return np.frombuffer(self._file.read_lines(start + top * self._line, count, self._line, bottom - top), kind).reshape(-1, columns)
