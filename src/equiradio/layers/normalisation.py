"""Batch normalisation of regular fields: one mean, variance, scale and shift per field, shared by all group elements."""

from torch import Tensor, nn


class FieldBatchNorm(nn.BatchNorm2d):
    """Batch norm with one statistic per field, over batch, group and pixels, so that turning the sky changes nothing.

    forward(fields (batch, field, |G|, height, width)) -> same shape. Source: Weiler & Cesa 2019 (inner batch norm).
    """

    def forward(self, fields: Tensor) -> Tensor:
        batch, count, order, height, width = fields.shape
        columns = fields.permute(0, 3, 4, 2, 1).reshape(batch, height, width * order, count)  # a view where channels are last
        normal = super().forward(columns.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return normal.reshape(batch, height, width, order, count).permute(0, 4, 3, 1, 2)

    def export(self, order: int) -> nn.BatchNorm2d:
        """An ordinary batch norm with the same numbers, on channels as `to_channels` orders them."""
        plain = nn.BatchNorm2d(self.num_features * order, eps=self.eps, momentum=self.momentum).to(self.weight.dtype)
        plain.load_state_dict({name: value.repeat(order) if value.dim() else value for name, value in self.state_dict().items()})
        return plain.train(self.training)

    def _check_input_dim(self, input: Tensor) -> None:
        """Shapes are this layer's own affair: `forward` hands over four axes."""
