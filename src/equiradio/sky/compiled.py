"""What `equiradio.sky.resample` has in compiled form, where a compiler was there when the package was installed."""

import ctypes
from functools import cache
from pathlib import Path

import numpy as np

from equiradio import libraries

FILE = Path(__file__).with_name("resampling.so")


@cache
def library() -> ctypes.CDLL | None:
    """None where it was not compiled, is not for this system, or was made of other sources than lie beside it."""
    try:
        opened = libraries.opened(FILE)
    except OSError:
        return None
    pointer, number = ctypes.c_void_p, ctypes.c_int64
    opened.integrals.argtypes = [pointer, number, number, number, pointer, pointer, number, number, pointer]
    opened.bilinear.argtypes, opened.bilinear.restype = [pointer, number, number, pointer, pointer, number, pointer], None
    return opened


def integrals(images: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray | None:
    """As `equiradio.sky.resample.integrals`, bit for bit; None where that has to be asked."""
    kernels = library()
    if kernels is None:
        return None
    images, u, v = (np.ascontiguousarray(each, np.float64) for each in (images, u, v))
    made = np.empty((len(images), u.shape[0] - 1, u.shape[1] - 1))
    failed = kernels.integrals(images.ctypes.data, *images.shape, u.ctypes.data, v.ctypes.data, *u.shape, made.ctypes.data)
    return None if failed else made


def bilinear(pixels: np.ndarray, columns: np.ndarray, rows: np.ndarray) -> np.ndarray | None:
    """As `equiradio.sky.resample.bilinear`, bit for bit; None where that has to be asked."""
    kernels = library()
    if kernels is None or columns.shape != rows.shape or not pixels.size:
        return None
    pixels, columns, rows = (np.ascontiguousarray(each, np.float64) for each in (pixels, columns, rows))
    made = np.empty(columns.shape)
    places = columns.ctypes.data, rows.ctypes.data, columns.size
    kernels.bilinear(pixels.ctypes.data, *pixels.shape, *places, made.ctypes.data)
    return made
