"""The linear layers behind a network's features, where an answer is decided."""

from torch import Tensor, nn


class HeadLinear(nn.Linear):
    """A linear layer whose sums are made in one order, however many rows there are, and in float32 under any autocast.

    A matrix product takes other kernels for other numbers of rows, so that an answer would depend on how many others are asked for with it.
    For few outputs: all products of a row's numbers by weights are in memory.
    """

    def forward(self, rows: Tensor) -> Tensor:
        answer: Tensor = (rows.unsqueeze(-2) * self.weight).sum(-1) + self.bias
        return answer
