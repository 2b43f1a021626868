"""Classify radio galaxies with group-equivariant self-attention, and see why."""

__version__ = "0.1.0"
