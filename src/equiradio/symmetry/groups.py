"""Finite groups of the plane: rotations C_N, rotations with a mirror D_N.

Elements are numbered ``mirror * N + rotation`` and mean: first the mirror (x -> -x, the columns of an image reversed),
then ``rotation`` turns by 2 pi / N in the sense of ``torch.rot90`` (counter-clockwise where row 0 is on top).
"""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from equiradio.errors import ModelRefusal

if TYPE_CHECKING:
    from torch import Tensor

BUILT = tuple(f"{kind}{order}" for kind in "CD" for order in (1, 2, 4, 8, 16))  # the orders that are tested and offered by name


@dataclass(frozen=True)
class Group:
    """A cyclic (``mirrored`` false) or dihedral group with ``rotations`` rotations. Make one with `Cyclic`, `Dihedral` or `parse_group`."""

    rotations: int
    mirrored: bool = False

    @property
    def name(self) -> str:
        return f"{'D' if self.mirrored else 'C'}{self.rotations}"

    @property
    def order(self) -> int:
        """Number of elements, |G|."""
        return self.rotations * (2 if self.mirrored else 1)

    @cached_property
    def _parts(self) -> tuple[np.ndarray, np.ndarray]:
        elements = np.arange(self.order)
        return elements % self.rotations, elements // self.rotations

    @cached_property
    def product(self) -> np.ndarray:
        """Multiplication table (|G|, |G|): ``product[a, b]`` is a b, that is: first b, then a."""
        rotation, mirror = self._parts
        turned = rotation[:, None] + np.where(mirror, -1, 1)[:, None] * rotation[None, :]
        return np.asarray((mirror[:, None] ^ mirror[None, :]) * self.rotations + turned % self.rotations)

    @cached_property
    def inverse(self) -> np.ndarray:
        """Inverse of every element (|G|,)."""
        return np.asarray(np.argmin(self.product, axis=1))  # the identity is element 0

    @cached_property
    def relative(self) -> np.ndarray:
        """``relative[g, h]`` is g^-1 h (|G|, |G|)."""
        return np.asarray(self.product[self.inverse])

    def angle(self, element: int) -> float:
        """Rotation of an element, radians."""
        return 2 * np.pi * (element % self.rotations) / self.rotations

    def is_mirror(self, element: int) -> bool:
        """Does the element reverse the handedness of the sky?"""
        return element >= self.rotations

    @cached_property
    def grid_elements(self) -> tuple[int, ...]:
        """The elements that map a square pixel grid onto itself (quarter turns and mirrors)."""
        return tuple(g for g in range(self.order) if 4 * (g % self.rotations) % self.rotations == 0)

    def act(self, image: "Tensor", element: int) -> "Tensor":
        """Move the pixels of ``image`` (..., height, width) by one of `grid_elements`, exactly."""
        import torch

        turns, rest = divmod(4 * (element % self.rotations), self.rotations)
        if rest:
            raise ValueError(f"element {element} of {self.name} does not map the pixel grid onto itself")
        return torch.rot90(image.flip(-1) if self.is_mirror(element) else image, turns, (-2, -1))

    def act_on_field(self, field: "Tensor", element: int) -> "Tensor":
        """Act on regular fields (batch, field, |G|, height, width): move the pixels and permute the group axis."""
        import torch

        return self.act(field[:, :, torch.as_tensor(self.product[self.inverse[element]])], element)


def Cyclic(rotations: int) -> Group:
    """The group C_N of N rotations."""
    return Group(rotations)


def Dihedral(rotations: int) -> Group:
    """The group D_N of N rotations and N mirrors."""
    return Group(rotations, mirrored=True)


def parse_group(name: str) -> Group:
    """The group called ``name``, such as ``c8`` or ``D4``.

    Raises
    ------
    ModelRefusal : the name is no group of `BUILT`.
    """
    wanted = name.upper()
    if wanted not in BUILT:
        parts = re.fullmatch(r"([CD])(\d+)", wanted)
        orders = sorted((1, 2, 4, 8, 16), key=lambda order: abs(order - int(parts[2])))[:2] if parts else []
        nearest = f"Nearest are {' and '.join(f'{parts[1]}{order}' for order in sorted(orders))}." if parts else "Choose one of these."
        raise ModelRefusal("group", f"{wanted} is not built here", f"one of {' '.join(BUILT)}", nearest)
    return Group(int(wanted[1:]), mirrored=wanted[0] == "D")
