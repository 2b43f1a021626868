"""Circular harmonics: how many, how long, and how they move; by any angle, on the grid and off it."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from equiradio.errors import ModelRefusal
from equiradio.symmetry import Cyclic, Dihedral, Group, HarmonicBasis, harmonic_basis, moved_filters
from equiradio.symmetry.harmonics import CENTRE, INNER, OUTERMOST, TOP_FREQUENCIES

SIZES = (3, 5, 7, 9)
sizes = st.sampled_from(SIZES)
groups = st.builds(Group, st.integers(1, 17), st.booleans())


@pytest.mark.parametrize(("size", "count"), [(3, 6), (5, 11), (7, 18), (9, 31)])
def test_the_number_of_filters_is_that_of_the_paper(size, count):
    basis = harmonic_basis(size)
    filters = basis.real(basis.planes)
    assert basis.count == count
    assert filters.shape == (count, size, size)
    assert np.linalg.matrix_rank(filters.reshape(count, -1), rtol=1e-6) == count


@pytest.mark.parametrize("size", SIZES)
def test_harmonics_have_unit_norm(size):
    np.testing.assert_allclose(np.linalg.norm(harmonic_basis(size).planes, axis=(1, 2)), 1, rtol=1e-12)


def sampled(size: int, group: Group, element: int) -> np.ndarray:
    """psi_b(g^-1 p), from its formula at every pixel: the position is moved, not the filter."""
    angle, half, filters = group.angle(element), size // 2, []
    for ring, top in enumerate(TOP_FREQUENCIES[size]):
        width = CENTRE if ring == 0 else OUTERMOST if ring == half else INNER
        for frequency in range(top + 1):
            plane, at_rest = np.zeros((size, size), complex), np.zeros((size, size), complex)
            for row in range(size):
                for column in range(size):
                    position = complex(column - half, half - row)
                    before = position * np.exp(-1j * angle)  # the rotation undone, then the mirror
                    before = complex(-before.real, before.imag) if group.is_mirror(element) else before
                    profile = np.exp(-((abs(position) - ring) ** 2) / (2 * width**2)) * (frequency == 0 or position != 0)
                    plane[row, column] = profile * np.exp(1j * frequency * np.angle(before))
                    at_rest[row, column] = profile
            plane /= np.linalg.norm(at_rest)
            filters += [plane.real, plane.imag] if frequency else [plane.real]
    return np.stack(filters)


@settings(deadline=None, max_examples=25)
@given(groups, sizes, st.data())
def test_moved_filters_are_the_formula_at_moved_positions(group, size, data):
    element = data.draw(st.integers(0, group.order - 1))
    np.testing.assert_allclose(harmonic_basis(size).moved(group, element), sampled(size, group, element), rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("group", [Cyclic(4), Cyclic(8), Cyclic(12), Dihedral(1), Dihedral(4), Dihedral(6), Dihedral(16)])
def test_on_the_grid_filters_move_as_pixels_do(group, size):
    filters = torch.from_numpy(moved_filters(group, size))
    for element in group.grid_elements:
        torch.testing.assert_close(filters[element], group.act(filters[0], element), rtol=0, atol=1e-12)


def on_the_span(group: Group, size: int) -> np.ndarray:
    """Every element as a matrix (|G|, B, B) on the filters' span: psi(g^-1 p) = D(g) psi(p)."""
    filters = moved_filters(group, size).reshape(group.order, harmonic_basis(size).count, -1)
    found = filters @ np.linalg.pinv(filters[0])
    np.testing.assert_allclose(found @ filters[0], filters, rtol=0, atol=1e-10)  # turning never leaves the span
    return found


@settings(deadline=None, max_examples=25)
@given(groups, sizes)
def test_moving_twice_is_moving_by_the_product_for_every_element(group, size):
    moves = on_the_span(group, size)
    twice = moves[None, :] @ moves[:, None]  # first b, then a: psi -> D(b) D(a) psi
    np.testing.assert_allclose(twice, moves[group.product], rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda basis, group, element: basis.real(basis.planes * np.exp(-1j * group.angle(element))),  # the same phase for all
        lambda basis, group, element: basis.real(basis.planes * np.exp(-1j * basis.frequencies * group.angle(element))[:, None, None]),
    ],
    ids=["one phase for all", "mirrors that only turn"],
)
def test_the_algebra_catches_filters_that_move_wrongly(monkeypatch, spoil):
    moved_filters.cache_clear()
    monkeypatch.setattr(HarmonicBasis, "moved", spoil)
    try:
        with pytest.raises(AssertionError):
            test_moving_twice_is_moving_by_the_product_for_every_element.hypothesis.inner_test(Dihedral(5), 5)
    finally:
        moved_filters.cache_clear()


def test_a_size_without_a_basis_is_refused():
    with pytest.raises(ModelRefusal) as refusal:
        harmonic_basis(4)
    assert str(refusal.value) == "kernel_size: 4 pixels; expected 3, 5, 7 or 9. Choose one of these; the paper uses 5."
