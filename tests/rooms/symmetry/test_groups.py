"""Groups: tables that are groups, elements that are matrices, actions that compose; of any order."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from equiradio.errors import ModelRefusal
from equiradio.symmetry import BUILT, Cyclic, Dihedral, Group, parse_group

groups = st.builds(Group, st.integers(1, 24), st.booleans())
sides = st.integers(1, 6)
BUILT_TEXT = "C1 C2 C4 C8 C16 D1 D2 D4 D8 D16"


def matrices(group: Group) -> np.ndarray:
    """Every element as an orthogonal matrix (|G|, 2, 2) on (x to the right, y upward): the mirror x -> -x first, then the rotation."""
    angles = 2 * np.pi * (np.arange(group.order) % group.rotations) / group.rotations
    turns = np.array([[np.cos(angles), -np.sin(angles)], [np.sin(angles), np.cos(angles)]]).transpose(2, 0, 1)
    hands = np.where(np.arange(group.order) >= group.rotations, -1.0, 1.0)
    return turns * np.stack([hands, np.ones_like(hands)], -1)[:, None, :]


def check_group_axioms(product: np.ndarray, inverse: np.ndarray) -> None:
    elements = np.arange(len(product))
    assert set(product.flat) == set(elements)
    np.testing.assert_array_equal(product[0], elements)
    np.testing.assert_array_equal(product[:, 0], elements)
    np.testing.assert_array_equal(product[product], product[:, product])  # (a b) c = a (b c)
    np.testing.assert_array_equal(product[elements, inverse], 0)
    np.testing.assert_array_equal(product[inverse, elements], 0)


@settings(deadline=None)
@given(groups)
def test_every_table_is_a_group(group):
    assert len(group.product) == group.order == group.rotations * (2 if group.mirrored else 1)
    check_group_axioms(group.product, group.inverse)


def test_the_axioms_catch_a_table_that_subtracts():
    elements = np.arange(5)
    with pytest.raises(AssertionError):
        check_group_axioms((elements[:, None] - elements) % 5, elements)


def check_products_are_those_of_matrices(group: Group, product: np.ndarray) -> None:
    every = matrices(group)
    np.testing.assert_allclose(every[:, None] @ every[None], every[product], rtol=0, atol=1e-12)


@settings(deadline=None)
@given(groups)
def test_products_are_those_of_orthogonal_matrices(group):
    check_products_are_those_of_matrices(group, group.product)
    for element, matrix in enumerate(matrices(group)):
        assert group.is_mirror(element) == (np.linalg.det(matrix) < 0)
        if not group.is_mirror(element):
            assert np.isclose(np.exp(1j * group.angle(element)), complex(matrix[0, 0], matrix[1, 0]))


def test_the_matrices_catch_mirrors_that_commute():
    rotation, mirror = np.arange(10) % 5, np.arange(10) // 5
    commuting = (mirror[:, None] ^ mirror) * 5 + (rotation[:, None] + rotation) % 5  # a group too, but not D5
    check_group_axioms(commuting, np.argmin(commuting, axis=1))
    with pytest.raises(AssertionError):
        check_products_are_those_of_matrices(Dihedral(5), commuting)


@settings(deadline=None)
@given(groups)
def test_relative_leads_from_one_element_to_the_other(group):
    elements = np.arange(group.order)
    np.testing.assert_array_equal(group.product[elements[:, None], group.relative], np.broadcast_to(elements, group.relative.shape))


@settings(deadline=None)
@given(groups, sides)
def test_acting_on_pixels_is_what_the_matrices_say(group, side):
    half = (side - 1) / 2
    y, x = torch.meshgrid(half - torch.arange(side), torch.arange(side) - half, indexing="ij")
    position = torch.stack([x, y]).double()
    for element in group.grid_elements:
        came_from = torch.einsum("ij,jyx->iyx", torch.from_numpy(matrices(group)[group.inverse[element]]), position)
        torch.testing.assert_close(group.act(position, element), came_from, rtol=0, atol=1e-12)


@settings(deadline=None)
@given(groups)
def test_the_grid_elements_are_those_whose_matrices_are_whole(group):
    whole = [element for element, matrix in enumerate(matrices(group)) if np.allclose(matrix, matrix.round(), atol=1e-9)]
    assert list(group.grid_elements) == whole


@settings(deadline=None)
@given(groups, sides, st.integers(0, 2**31))
def test_acting_twice_is_acting_by_the_product(group, side, seed):
    generator = torch.Generator().manual_seed(seed)
    image = torch.randn(2, side, side, generator=generator)
    field = torch.randn(1, 2, group.order, side, side, generator=generator)
    for a in group.grid_elements:
        for b in group.grid_elements:
            together = int(group.product[a, b])
            assert torch.equal(group.act(group.act(image, b), a), group.act(image, together))
            assert torch.equal(group.act_on_field(group.act_on_field(field, b), a), group.act_on_field(field, together))


def test_the_product_law_catches_a_permutation_of_the_wrong_side(monkeypatch):
    wrong = lambda self, field, element: self.act(field[:, :, torch.as_tensor(self.product[element])], element)
    monkeypatch.setattr(Group, "act_on_field", wrong)
    with pytest.raises(AssertionError):
        test_acting_twice_is_acting_by_the_product.hypothesis.inner_test(Dihedral(4), side=3, seed=0)


@pytest.mark.parametrize(("group", "element"), [(Cyclic(8), 1), (Cyclic(3), 1), (Dihedral(6), 7)])
def test_pixels_are_not_moved_by_what_is_no_quarter_turn(group, element):
    with pytest.raises(ValueError, match=f"element {element} of {group.name} does not map the pixel grid onto itself"):
        group.act(torch.zeros(3, 3), element)


@pytest.mark.parametrize("name", BUILT)
def test_built_groups_are_found_by_name_in_either_case(name):
    assert parse_group(name) == parse_group(name.lower())
    assert parse_group(name).name == name


def test_the_built_groups_are_those_of_the_design():
    assert " ".join(BUILT) == BUILT_TEXT


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("D6", f"group: D6 is not built here; expected one of {BUILT_TEXT}. Nearest are D4 and D8."),
        ("c12", f"group: C12 is not built here; expected one of {BUILT_TEXT}. Nearest are C8 and C16."),
        ("c100", f"group: C100 is not built here; expected one of {BUILT_TEXT}. Nearest are C8 and C16."),
        ("C0", f"group: C0 is not built here; expected one of {BUILT_TEXT}. Nearest are C1 and C2."),
        ("so2", f"group: SO2 is not built here; expected one of {BUILT_TEXT}. Choose one of these."),
        ("", f"group: is not built here; expected one of {BUILT_TEXT}. Choose one of these."),
    ],
)
def test_other_groups_are_refused_with_the_nearest(name, message):
    with pytest.raises(ModelRefusal) as refusal:
        parse_group(name)
    assert str(refusal.value) == message
