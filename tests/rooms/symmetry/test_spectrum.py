"""Fields by frequency: the transform and its inverse, and what turns and mirrors do to the coefficients."""

import numpy as np
import pytest

from equiradio.symmetry import Cyclic, Dihedral
from equiradio.symmetry.spectrum import Spectrum

GROUPS = [Cyclic(1), Cyclic(2), Cyclic(5), Cyclic(8), Dihedral(1), Dihedral(3), Dihedral(4), Dihedral(16)]
by_group = pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)


def coefficients(spectrum: Spectrum, fields: np.ndarray) -> np.ndarray:
    """Complex (bins, copies, ...) of fields (|G|, ...)."""
    parts = np.tensordot(spectrum.analysis, fields, 1).reshape(spectrum.bins, 2, spectrum.copies, *fields.shape[1:])
    return parts[:, 0] + 1j * parts[:, 1]


@by_group
def test_synthesis_undoes_analysis(group):
    spectrum = Spectrum(group)
    assert spectrum.analysis.shape == (spectrum.components, group.order)
    np.testing.assert_allclose(spectrum.synthesis @ spectrum.analysis, np.eye(group.order), atol=1e-14)


@by_group
def test_a_turn_is_a_phase_and_a_mirror_the_conjugate(group):
    spectrum = Spectrum(group)
    field = np.random.default_rng(0).normal(size=group.order)
    before = coefficients(spectrum, field)
    turn = np.exp(-2j * np.pi * np.arange(spectrum.bins) / group.rotations)[:, None]
    for element in range(group.order):
        moved = np.empty_like(field)
        moved[group.product[element]] = field  # (L_g f)(g h) = f(h)
        after = coefficients(spectrum, moved)
        rotation, mirrored = element % group.rotations, element >= group.rotations
        expected = turn**rotation * (before.conj() if mirrored else before)
        np.testing.assert_allclose(after, expected, atol=1e-13)


@by_group
def test_coupling_finds_the_bin_of_a_frequency(group):
    spectrum = Spectrum(group)
    field = np.random.default_rng(1).normal(size=group.rotations)
    every = np.fft.fft(field)
    for k in range(spectrum.bins):
        for s in range(-6, 7):
            coupling = spectrum.coupling(k, s)
            found = every[coupling.source].conj() if coupling.conjugate else every[coupling.source]
            assert coupling.source < spectrum.bins
            assert abs(found - every[(k + s) % group.rotations]) < 1e-12
