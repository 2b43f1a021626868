"""Circular harmonics on a small pixel grid: the planar filters that a steerable layer combines.

A harmonic is psi(rho, phi) = exp(-(rho - ring)^2 / 2 width^2) exp(i f phi), rho in pixels from the centre, phi counter-clockwise from the
columns' direction. Rings and the highest frequency of each are those of the band-limited basis of Weiler & Cesa 2019 (e2cnn's R2Conv);
every complex harmonic is scaled to unit norm, so that turning it is an exact change of phase.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from equiradio.errors import ModelRefusal
from equiradio.symmetry.groups import Group

INNER, OUTERMOST, CENTRE = 0.6, 0.4, 0.005  # Gaussian widths of the rings, pixels
TOP_FREQUENCIES = {3: (0, 2), 5: (0, 2, 2), 7: (0, 2, 3, 2), 9: (0, 2, 3, 6, 2)}  # filter side -> highest frequency of ring 0, 1, ...


@dataclass(frozen=True)
class HarmonicBasis:
    """Complex circular harmonics on a ``size`` x ``size`` grid.

    Attributes
    ----------
    size : side of the filters, pixels.
    frequencies : int (harmonics,), angular frequency f of each harmonic.
    planes : complex128 (harmonics, size, size), unit norm.
    """

    size: int
    frequencies: np.ndarray
    planes: np.ndarray

    @property
    def count(self) -> int:
        """Number B of real filters: one for f = 0, a cosine and a sine for every other."""
        return int(np.where(self.frequencies == 0, 1, 2).sum())

    def real(self, planes: np.ndarray) -> np.ndarray:
        """The real filters (count, size, size) of complex ``planes``: per harmonic the real part and, for f > 0, the imaginary part."""
        return np.stack(
            [part for f, plane in zip(self.frequencies, planes, strict=True) for part in ((plane.real, plane.imag) if f else (plane.real,))]
        )

    def moved(self, group: Group, element: int) -> np.ndarray:
        """The real filters (count, size, size) moved by a group element: psi_b(g^-1 p), exact for any angle."""
        phase = np.exp(-1j * self.frequencies * group.angle(element))[:, None, None]
        if group.is_mirror(element):  # x -> -x is phi -> pi - phi
            sign = np.where(self.frequencies % 2, -1, 1)[:, None, None]
            return self.real(sign * (self.planes * phase).conj())
        return self.real(self.planes * phase)


@lru_cache
def harmonic_basis(size: int) -> HarmonicBasis:
    """The band-limited basis for filters of side 3, 5, 7 or 9 (6, 11, 18 or 31 real filters).

    Raises
    ------
    ModelRefusal : no basis of that side is tabulated.
    """
    if size not in TOP_FREQUENCIES:
        raise ModelRefusal("kernel_size", f"{size} pixels", "3, 5, 7 or 9", "Choose one of these; the paper uses 5.")
    half = size // 2
    rows, columns = np.mgrid[-half : half + 1, -half : half + 1]
    rho, phi = np.hypot(rows, columns), np.arctan2(-rows, columns)  # rows grow downward, angles counter-clockwise
    frequencies, planes = [], []
    for ring, top in enumerate(TOP_FREQUENCIES[size]):
        width = CENTRE if ring == 0 else OUTERMOST if ring == half else INNER
        profile = np.exp(-((rho - ring) ** 2) / (2 * width**2))
        for frequency in range(top + 1):
            plane = profile * np.exp(1j * frequency * phi)
            if frequency:
                plane[half, half] = 0  # the angle has no value at the centre
            frequencies.append(frequency)
            planes.append(plane / np.linalg.norm(plane))
    return HarmonicBasis(size, np.array(frequencies), np.stack(planes))


@lru_cache
def moved_filters(group: Group, size: int) -> np.ndarray:
    """psi_b(g^-1 p) for every element: float64 (|G|, count, size, size)."""
    basis = harmonic_basis(size)
    return np.stack([basis.moved(group, element) for element in range(group.order)])
