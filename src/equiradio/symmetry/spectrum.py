"""Regular fields by frequency: the Fourier transform over a group, and which frequencies a harmonic couples.

Over the rotations r of a field x[r, m] (m: mirrored or not) X_m[k] = N^-1/2 sum_r exp(-2 pi i k r / N) x[r, m], for the "bins" k = 0 .. N/2
(the other frequencies are their conjugates). A dihedral group's two halves are joined as S = (X_0 + X_1) / sqrt 2 and
T = i (X_0 - X_1) / sqrt 2, on which a turn acts as a phase and a mirror as the conjugate: two copies of each irreducible representation,
so that the weights between them are real, which halves the arithmetic.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from equiradio.symmetry.groups import Group


@dataclass(frozen=True)
class Coupling:
    """Where output bin k takes its input at signed frequency s: from bin ``source``, conjugated if ``conjugate``."""

    source: int
    conjugate: bool


@dataclass(frozen=True)
class Spectrum:
    """Bins, parts (real, imaginary) and copies (1, or S and T) into which regular fields of ``group`` are taken apart."""

    group: Group

    @property
    def bins(self) -> int:
        """Frequencies 0 .. N/2."""
        return self.group.rotations // 2 + 1

    @property
    def copies(self) -> int:
        """1 for rotations, 2 (S and T) where there are mirrors."""
        return 2 if self.group.mirrored else 1

    @property
    def components(self) -> int:
        """Real numbers kept per field: bins x parts x copies, two or four more than |G|."""
        return self.bins * 2 * self.copies

    @cached_property
    def _waves(self) -> np.ndarray:
        """Complex (bins, copies, |G|): coefficients of X, or of S and T, in x."""
        turns = self.group.rotations
        wave = np.exp(-2j * np.pi * np.outer(np.arange(self.bins), np.arange(turns)) / turns) / np.sqrt(turns)
        if not self.group.mirrored:
            return np.asarray(wave[:, None])
        sums, differences = np.concatenate([wave, wave], 1), 1j * np.concatenate([wave, -wave], 1)
        return np.asarray(np.stack([sums, differences], 1) / np.sqrt(2))

    @cached_property
    def analysis(self) -> np.ndarray:
        """float64 (bins * 2 * copies, |G|): from a field to its components, ordered (bin, part, copy)."""
        return np.stack([self._waves.real, self._waves.imag], 1).reshape(self.components, -1)

    @cached_property
    def synthesis(self) -> np.ndarray:
        """float64 (|G|, bins * 2 * copies): back from components to the field; inverse of `analysis`."""
        twice = np.full(self.bins, 2.0)
        twice[0] = 1
        if self.group.rotations % 2 == 0:
            twice[-1] = 1
        return np.asarray((self.analysis.reshape(self.bins, -1) * twice[:, None]).reshape(self.components, -1).T)

    def coupling(self, k: int, s: int) -> Coupling:
        """The bin that holds frequency k + s."""
        turns = self.group.rotations
        frequency = (k + s) % turns
        mirrored = frequency > turns // 2
        return Coupling(turns - frequency if mirrored else frequency, mirrored)
