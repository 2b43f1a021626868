"""ReLU and batch norm behind a convolution: computed by the layer itself where it can, without a pass over memory."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equiradio.layers.convolution import SteerableConvolution, SteeredConvolution
from equiradio.layers.normalisation import FieldBatchNorm


def activated(convolution: nn.Module, norm: nn.Module, fields: Tensor, lit: Tensor | None = None) -> Tensor:
    """norm(relu(convolution(fields))), the same to rounding; ``lit`` in training: pixels that see more than empty sky.

    The layer finishes by itself in evaluation and without a gradient, unless somebody listens behind it or to the norm.
    """
    quiet = not (convolution._forward_hooks or norm._forward_hooks or norm._forward_pre_hooks)
    if quiet and not torch.is_grad_enabled() and isinstance(convolution, SteeredConvolution) and convolution.finishes:
        finish = norm.finish() if isinstance(norm, FieldBatchNorm) else None
        if finish is not None:
            return convolution(fields, finish)  # type: ignore[no-any-return]
    if lit is not None and isinstance(convolution, SteerableConvolution):
        return norm(F.relu(convolution(fields, lit=lit)))  # type: ignore[no-any-return]
    return norm(F.relu(convolution(fields)))  # type: ignore[no-any-return]
