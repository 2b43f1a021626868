"""escnn 1.0.11 as an oracle: its R2Conv, imported without the compiled packages that planar groups never touch."""

import importlib
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest
import torch

from equiradio.symmetry.groups import Group

STAND_INS = ("lie_learn", "lie_learn.representations", "lie_learn.representations.SO3", "lie_learn.representations.SO3.wigner_d", "py3nj")


@contextmanager
def quietly() -> Iterator[None]:
    """escnn's own warnings are not ours to mend, and ours stay fatal."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def import_escnn() -> ModuleType:
    """escnn, or a skip that says how to install it."""
    for name in STAND_INS:  # rotations of space need a Fortran compiler and numpy 1; rotations of the plane do not
        sys.modules.setdefault(name, ModuleType(name))
    vars(sys.modules["lie_learn.representations.SO3.wigner_d"]).setdefault("wigner_D_matrix", None)
    with quietly():
        escnn = pytest.importorskip("escnn", reason="the oracle is missing: pip install --no-deps escnn==1.0.11 joblib")
        vars(importlib.import_module("escnn.group._numerical"))["randomized_svd"] = None  # then it takes its exact path
        importlib.import_module("escnn.nn")
    return escnn


def steerable_convolution(group: Group, fields_in: int | None, fields_out: int) -> torch.nn.Module:
    """escnn's 5x5 R2Conv between regular fields with its defaults and no bias; `fields_in` None means one plain image.

    escnn's channel is field * |G| + element. Its elements stand in our order: the rotations, counter-clockwise as the array is shown, then
    the same after a mirror of the columns.
    """
    escnn = import_escnn()
    with quietly():
        space = escnn.gspaces.flipRot2dOnR2(group.rotations) if group.mirrored else escnn.gspaces.rot2dOnR2(group.rotations)
        before = escnn.nn.FieldType(space, [space.trivial_repr] if fields_in is None else fields_in * [space.regular_repr])
        after = escnn.nn.FieldType(space, fields_out * [space.regular_repr])
        return escnn.nn.R2Conv(before, after, 5, padding=2, bias=False)


def expand(convolution: Any) -> torch.Tensor:
    """The conv2d filter (channels out, channels in, 5, 5) of an escnn convolution's present weights."""
    with quietly(), torch.no_grad():
        return convolution.expand_parameters()[0].clone()


def convolve(convolution: Any, channels: torch.Tensor) -> torch.Tensor:
    """escnn's own forward on plain tensors: (batch, channels, height, width) in and out."""
    escnn = import_escnn()
    with quietly():
        return convolution(escnn.nn.GeometricTensor(channels, convolution.in_type)).tensor
