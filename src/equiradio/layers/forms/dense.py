"""The dense form: one ordinary convolution with the filter that the group has shaped.

At 5x5 it takes 25 |G|^2 multiply-adds per pixel and pair of fields.
"""

import torch.nn.functional as F
from torch import Tensor

from equiradio.layers.fields import to_channels, to_fields
from equiradio.layers.forms.form import Form, Layer, Shape


class Dense(Form):
    """Possible everywhere, and what a layer computes in until it is given another."""

    name = "dense"

    def likely(self, shape: Shape, device: str, precision: str) -> int:
        return 1  # where no other form is sure to win

    def multiply_adds(self, shape: Shape, pixels: int) -> int:
        return pixels * shape.size**2 * shape.group.order**2 * shape.fields_in * shape.fields_out

    def prepare(self, layer: Layer) -> Tensor:
        return layer.filters()

    def apply(self, layer: Layer, fields: Tensor, prepared: Tensor) -> Tensor:
        shape = layer.shape
        return to_fields(F.conv2d(to_channels(fields), prepared, padding=shape.size // 2), shape.group.order)


FORM = Dense()
