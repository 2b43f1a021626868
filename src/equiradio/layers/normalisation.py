"""Batch normalisation of regular fields: one mean, variance, scale and shift per field, shared by all group elements."""

from typing import Any

import torch
from torch import Tensor, nn


class _BatchNorm(torch.autograd.Function):
    """torch's batch norm in training on the CPU, with a backward pass that is quick for few channels.

    x is (batch, field, height, wide), channels last. torch's own backward walks the fields of each pixel one by one; here whole rows of
    ``wide`` x fields are added and scaled at once, which halves a training step of c4-attention. In bf16 the shift is computed from the
    rounded factors, so that the gradient keeps its mean of zero.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, variance: Tensor, momentum: float, eps: float) -> Tensor:
        normal, batch_mean, inverse_std = torch.native_batch_norm(x, weight, bias, mean, variance, True, momentum, eps)
        ctx.save_for_backward(x, weight, batch_mean, inverse_std)
        return normal

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, inverse_std = ctx.saved_tensors
        fields, wide = x.shape[1], x.shape[3]
        rows, grads = (tensor.permute(0, 2, 3, 1).reshape(-1, wide * fields) for tensor in (x, grad))

        def per_field(sums: Tensor) -> Tensor:
            return sums.to(weight.dtype).view(wide, fields).sum(0)

        product = grads * rows
        count = x.numel() // fields
        d_bias = per_field(grads.sum(0))
        d_weight = (per_field(product.sum(0)) - mean * d_bias) * inverse_std
        scale = (weight * inverse_std).to(x.dtype)
        slope = (-weight * inverse_std.square() * d_weight / count).to(x.dtype)
        shift = -(scale.to(weight.dtype) * d_bias / count + slope.to(weight.dtype) * mean).to(x.dtype)
        torch.addcmul(shift.repeat(wide), rows, slope.repeat(wide), out=product)
        product.addcmul_(grads, scale.repeat(wide))
        return product.view(x.shape[0], x.shape[2], wide, fields).permute(0, 3, 1, 2), d_weight, d_bias, None, None, None, None


class FieldBatchNorm(nn.BatchNorm2d):
    """Batch norm with one statistic per field, over batch, group and pixels, so that turning the sky changes nothing.

    forward(fields (batch, field, |G|, height, width)) -> same shape. Source: Weiler & Cesa 2019 (inner batch norm).
    """

    def forward(self, fields: Tensor) -> Tensor:
        batch, count, order, height, width = fields.shape
        columns = fields.permute(0, 3, 4, 2, 1).reshape(batch, height, width * order, count)  # a view where channels are last
        normal = self._normalise(columns.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return normal.reshape(batch, height, width, order, count).permute(0, 4, 3, 1, 2)

    def _normalise(self, x: Tensor) -> Tensor:
        if not (self.remembers and self.training and torch.is_grad_enabled() and x.device.type == "cpu"):
            return super().forward(x)
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked.add_(1)
        statistics = self.running_mean, self.running_var, self.momentum, self.eps
        normal: Tensor = _BatchNorm.apply(x, self.weight, self.bias, *statistics)  # type: ignore[no-untyped-call]
        return normal

    @property
    def remembers(self) -> bool:
        """Does it have a scale and a shift, and running statistics of batches, as is usual?"""
        return self.affine and self.track_running_stats and self.momentum is not None

    @torch.no_grad()
    def remember(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Go on with the running statistics by mean and variance (fields,) of a batch with ``count`` numbers for each field."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
        self.running_var.lerp_((variance * (count / (count - 1))).to(self.running_var.dtype), self.momentum)

    @torch.no_grad()
    def finish(self) -> Tensor | None:
        """Scale and shift of each field in evaluation, (2, fields); None where they depend on the batch."""
        if self.running_mean is None or self.running_var is None or self.training:
            return None
        scale = torch.rsqrt(self.running_var + self.eps)
        if not self.affine:
            return torch.stack([scale, -self.running_mean * scale])
        scale = scale * self.weight
        return torch.stack([scale, self.bias - self.running_mean * scale])

    def export(self, order: int) -> nn.BatchNorm2d:
        """An ordinary batch norm with the same numbers, on channels as `to_channels` orders them.

        Raises ValueError without running statistics: those of a batch are of fields here, and of channels there.
        """
        if not self.track_running_stats:
            raise ValueError("a batch norm of fields without running statistics has no ordinary equivalent")
        state = {name: value.repeat(order) if value.dim() else value.clone() for name, value in self.state_dict().items()}
        plain = nn.BatchNorm2d(self.num_features * order, self.eps, self.momentum, self.affine)
        plain.load_state_dict(state, assign=True)  # on their device, in their type
        return plain.train(self.training)

    def _check_input_dim(self, input: Tensor) -> None:
        """Shapes are this layer's own affair: `forward` hands over four axes."""
