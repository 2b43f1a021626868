"""Layers whose weights respect a group. Fields are (batch, field, |G|, height, width)."""

from equiradio.layers.attention_gate import AttentionGate
from equiradio.layers.convolution import LiftingConvolution, PlainConvolution, SteerableConvolution
from equiradio.layers.normalisation import FieldBatchNorm
from equiradio.layers.pooling import AntialiasedPool, group_pool, max_pool
from equiradio.layers.testing import assert_equivariant

__all__ = [
    "AntialiasedPool",
    "AttentionGate",
    "FieldBatchNorm",
    "LiftingConvolution",
    "PlainConvolution",
    "SteerableConvolution",
    "assert_equivariant",
    "group_pool",
    "max_pool",
]
