"""Exact mathematics of groups and filters; no weights."""

from equiradio.symmetry.groups import BUILT, Cyclic, Dihedral, Group, parse_group
from equiradio.symmetry.harmonics import HarmonicBasis, harmonic_basis, moved_filters

__all__ = ["BUILT", "Cyclic", "Dihedral", "Group", "HarmonicBasis", "harmonic_basis", "moved_filters", "parse_group"]
