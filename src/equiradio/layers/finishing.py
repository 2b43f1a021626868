"""ReLU and batch norm behind a convolution: computed by the layer itself where it can, without a pass over memory."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equiradio.layers.convolution import Prepared
from equiradio.layers.normalisation import FieldBatchNorm


def activated(convolution: nn.Module, norm: nn.Module, fields: Tensor, lit: Tensor | None = None) -> Tensor:
    """norm(relu(convolution(fields))), the same to rounding; ``lit`` in training: pixels that see more than empty sky.

    The layer does it all by itself where it can, in evaluation without a gradient and in training, unless somebody listens.
    """
    quiet = not (convolution._forward_hooks or norm._forward_hooks or norm._forward_pre_hooks or _hear_gradients(convolution, norm))
    if quiet and isinstance(convolution, Prepared) and isinstance(norm, FieldBatchNorm):
        finish = norm.finish() if convolution.finishes and not torch.is_grad_enabled() else None
        if finish is not None:
            return convolution(fields, finish)  # type: ignore[no-any-return]
        if lit is not None and norm.remembers and not convolution._forward_pre_hooks:
            return convolution.learn(fields, norm, lit)
    return norm(F.relu(convolution(fields)))  # type: ignore[no-any-return]


def _hear_gradients(*modules: nn.Module) -> bool:
    return any(module._backward_hooks or module._backward_pre_hooks for module in modules)
