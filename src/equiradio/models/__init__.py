"""Whole networks, by name."""

from equiradio.models.gated import GatedNet, Output
from equiradio.models.registry import MODELS, TABLE1, build, group_of

__all__ = ["MODELS", "TABLE1", "GatedNet", "Output", "build", "group_of"]
