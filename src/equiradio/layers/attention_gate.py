"""Attention gate: weigh every pixel of a feature map by a learned score."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FLAT = 1e-3  # a score whose spread is below this share of its size carries rounding, not structure
PIXELS, COMPANY = (-2, -1), (-4, -3, -2, -1)


def _stretch(score: Tensor, over: tuple[int, ...]) -> Tensor:
    low, high = score.amin(over, keepdim=True), score.amax(over, keepdim=True)
    flat = high - low <= FLAT * score.abs().amax(over, keepdim=True)
    return torch.where(flat, 1.0, (score - low) / (high - low).masked_fill(flat, 1.0))


def normalise_range(score: Tensor) -> Tensor:
    """Stretch each image's score (batch, 1, height, width) to span exactly 0..1; a flat score becomes all ones.

    The extremes are taken per image, never across the batch, so that an answer does not depend on its neighbours
    (the published code takes them across the batch). Unitless. Source: Bowles et al. 2021, text under eq. 2.
    """
    return _stretch(score, PIXELS)


def normalise_batch_range(score: Tensor) -> Tensor:
    """Range over the whole batch, the published code's habit (``batch-range``): an image's map depends on its neighbours."""
    return _stretch(score, COMPANY)


def normalise_std_mean(score: Tensor) -> Tensor:
    """Mean 0 and standard deviation 1 over each image's pixels; a flat score becomes all zeros. Source: Bowles et al. 2021a, section 3."""
    spread = score.std(PIXELS, keepdim=True, correction=0)
    flat = spread <= FLAT * score.abs().amax(PIXELS, keepdim=True)
    return torch.where(flat, 0.0, (score - score.mean(PIXELS, keepdim=True)) / spread.masked_fill(flat, 1.0))


def normalise_softmax(score: Tensor) -> Tensor:
    """Positive weights that add up to 1 over each image's pixels."""
    return score.flatten(1).softmax(1).view_as(score)


NORMALISATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "range": normalise_range,
    "sigmoid": torch.sigmoid,
    "softmax": normalise_softmax,
    "std-mean": normalise_std_mean,
    "tanh": torch.tanh,
    "batch-range": normalise_batch_range,
}


@lru_cache
def interpolation(side: int, wanted: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Matrix (wanted, side) of bilinear interpolation along one axis, pixel centres as in torch's ``align_corners=False``."""
    with torch.inference_mode(False):
        unit = torch.eye(side, dtype=torch.float64)[:, None]
        return F.interpolate(unit, size=wanted, mode="linear", align_corners=False)[:, 0].T.contiguous().to(device, dtype)


class _Score(torch.autograd.Function):
    """W relu(W_x x + up(c)) with nothing of the size (pixels, hidden) kept: it is made again, piece by piece of the batch, going backward.

    features (batch, pixels, c), context (batch, h, w, hidden), weights (hidden, c) and (hidden,), interpolation (height, h) and (width, w)
    -> score (batch, pixels). On a CPU a piece is one image, which stays in the cache; on a GPU it is the batch.
    """

    @staticmethod
    def forward(
        ctx: Any, features: Tensor, context: Tensor, from_features: Tensor, to_score: Tensor, rows: Tensor, columns: Tensor
    ) -> Tensor:
        ctx.save_for_backward(features, context, from_features, to_score, rows, columns)
        scores = [_hidden(features[piece], context[piece], from_features, rows, columns) @ to_score for piece in _pieces(features)]
        return torch.cat(scores).view(features.shape[:2])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        features, context, from_features, to_score, rows, columns = ctx.saved_tensors
        d_features, d_context = torch.empty_like(features), torch.empty_like(context)
        d_from, d_to = torch.zeros_like(from_features), torch.zeros_like(to_score)
        for piece in _pieces(features):
            hidden = _hidden(features[piece], context[piece], from_features, rows, columns)
            flat = grad[piece].flatten()
            d_to += hidden.T @ flat
            d_hidden = torch.ops.aten.threshold_backward(torch.outer(flat, to_score), hidden, 0)
            d_from += d_hidden.T @ features[piece].flatten(0, 1)
            d_features[piece] = (d_hidden @ from_features).view_as(features[piece])
            tall = torch.matmul(columns.T, d_hidden.view(-1, len(rows), len(columns), len(to_score))).flatten(2)
            d_context[piece] = torch.matmul(rows.T, tall).view_as(context[piece])
        return d_features, d_context, d_from, d_to, None, None


def _pieces(batch: Tensor) -> list[slice]:
    size = 1 if batch.device.type == "cpu" else len(batch)
    return [slice(start, start + size) for start in range(0, len(batch), size)]


def _hidden(features: Tensor, context: Tensor, from_features: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """relu(W_x x + up(c)), (images * pixels, hidden)."""
    tall = torch.matmul(rows, context.flatten(2)).view(len(context), len(rows), *context.shape[2:])
    wide = torch.matmul(columns, tall).view(-1, context.shape[-1])
    return wide.addmm_(features.flatten(0, 1), from_features.T).relu_()


class AttentionGate(nn.Module):
    """Additive gate: alpha = normalise(W relu(W_x x + up(W_g g))). Source: Bowles et al. 2021, eq. 1.

    forward(features (batch, c, h, w), context (batch, k, h', w')) -> attention (batch, 1, h, w), in float32 or better under any autocast.
    Both inputs must be group-pooled, so that their channels stay put when the sky turns. Equation 2, y = alpha x, is `attend`.
    ``up`` is bilinear, as matrix products: torch's interpolation is slow backward, or adds up in random order, on a GPU.
    """

    def __init__(self, features: int, context: int, hidden: int = 64, normalisation: str = "range") -> None:
        super().__init__()
        self.from_features = nn.Conv2d(features, hidden, kernel_size=1, bias=False)
        self.from_context = nn.Conv2d(context, hidden, kernel_size=1, bias=False)
        self.to_score = nn.Conv2d(hidden, 1, kernel_size=1, bias=False)  # the normalisation cancels any bias
        self.normalisation = normalisation

    def forward(self, features: Tensor, context: Tensor) -> Tensor:
        height, width = features.shape[-2:]
        exact = self.to_score.weight.dtype
        context = self.from_context(context).permute(0, 2, 3, 1).to(exact).contiguous()
        with torch.autocast(features.device.type, enabled=False):
            columns = features.permute(0, 2, 3, 1).flatten(1, 2).to(exact)
            weights = self.from_features.weight.flatten(1), self.to_score.weight.flatten()
            matrices = [interpolation(*sides, exact, context.device) for sides in zip(context.shape[1:3], (height, width), strict=True)]
            score = _Score.apply(columns, context, *weights, *matrices).view(-1, 1, height, width)
            return NORMALISATIONS[self.normalisation](score)


def attend(features: Tensor, attention: Tensor) -> Tensor:
    """Sum over pixels of alpha x: (batch, c, h, w), (batch, 1, h, w) -> (batch, c).

    Source: Bowles et al. 2021, eq. 2; the sum is the published code's.
    """
    with torch.autocast(features.device.type, enabled=False):
        return torch.einsum("bcyx,byx->bc", features.to(attention.dtype), attention[:, 0])
