"""Attention gate: weigh every pixel of a feature map by a learned score."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equiradio.layers.forms.native import passes

FLAT = 1e-3  # a score whose spread is below this share of its size carries rounding, not structure
ROUNDING = 1e-4  # the same of a difference of two scores, in float32
PIXELS, COMPANY = (-2, -1), (-4, -3, -2, -1)
PIECE = 5000  # pixels at a time on a CPU


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


def normalise_anchored(score: Tensor) -> Tensor:
    """What a score (batch, 1, height, width) differs from an empty sky's by, 0..1 in each image; all zeros where it differs nowhere.

    ``score`` is the difference already. Not in the paper: there the map's zero is an image's lowest score and its sign is free; here zero
    means what an empty pixel would be given in the same context, so that only what differs from empty sky is attended to.
    """
    size = score.abs()
    highest = size.amax(PIXELS, keepdim=True)
    return size / highest.masked_fill(highest == 0, 1.0)


def beyond_rounding(difference: Tensor, score: Tensor) -> Tensor:
    """What a score (..., height, width) differs from an empty sky's by; 0 in an image where it is but rounding of scores that differ."""
    size = score.abs().masked_fill(difference == 0, 0.0)
    flat = difference.abs().amax(PIXELS, keepdim=True) <= ROUNDING * size.amax(PIXELS, keepdim=True)
    return difference.masked_fill(flat, 0.0)


ANCHORED = "anchored"
NORMALISATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "range": normalise_range,
    "sigmoid": torch.sigmoid,
    "softmax": normalise_softmax,
    "std-mean": normalise_std_mean,
    "tanh": torch.tanh,
    ANCHORED: normalise_anchored,
    "batch-range": normalise_batch_range,
}


@lru_cache
def interpolation(side: int, wanted: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Matrix (wanted, side) of bilinear interpolation along one axis, pixel centres as in torch's ``align_corners=False``."""
    with torch.inference_mode(False):
        unit = torch.eye(side, dtype=torch.float64)[:, None]
        return F.interpolate(unit, size=wanted, mode="linear", align_corners=False)[:, 0].T.contiguous().to(device, dtype)


class _Score(torch.autograd.Function):
    """W relu(W_x x + up(c)) with nothing of the size (pixels, hidden) kept: it is made again, piece by piece, going backward.

    features (batch, height, width, c), context (batch, h, w, hidden), weights (hidden, c) and (hidden,), interpolation (height, h) and
    (width, w) -> score (batch, height, width). On a CPU a piece is a strip of one image, which stays in the cache; on a GPU the batch.
    """

    @staticmethod
    def forward(
        ctx: Any, features: Tensor, context: Tensor, from_features: Tensor, to_score: Tensor, rows: Tensor, columns: Tensor
    ) -> Tensor:
        ctx.save_for_backward(features, context, from_features, to_score, rows, columns)
        score = features.new_empty(features.shape[:3])
        for images, strip in _pieces(features):
            hidden = _hidden(features[images, :, strip], context[images], from_features, rows, columns[strip])
            score[images, :, strip] = torch.matmul(hidden, to_score)
        return score

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """In the types of forward, also where it is called inside an autocast."""
        with torch.autocast(grad.device.type, enabled=False):
            return _Score._backward(grad, *ctx.saved_tensors)

    @staticmethod
    def _backward(
        grad: Tensor, features: Tensor, context: Tensor, from_features: Tensor, to_score: Tensor, rows: Tensor, columns: Tensor
    ) -> tuple[Tensor | None, ...]:
        """Products with few columns are written so that the long matrix stands transposed or last: several times faster on a CPU."""
        d_features, d_context = torch.empty_like(features), torch.zeros_like(context)
        d_from, d_to = torch.zeros_like(from_features), torch.zeros_like(to_score)
        back = (to_score[:, None] * from_features).T.contiguous()
        for images, strip in _pieces(features):
            some, slope = features[images, :, strip], grad[images, :, strip].unsqueeze(3)
            hidden = _hidden(some, context[images], from_features, rows, columns[strip])
            d_to += torch.mv(hidden.flatten(0, 2).T, slope.flatten())
            lit = hidden.gt_(0).mul_(slope)  # the gradient of the hidden units, but for the factor W of each
            d_from += torch.mm(some.flatten(0, 2).T, lit.flatten(0, 2)).T
            d_features[images, :, strip] = torch.matmul(lit, back.T)
            wide = torch.matmul(rows.T, lit.flatten(2)).view(len(lit), rows.shape[1], -1, len(to_score))
            d_context[images] += torch.matmul(columns[strip].T, wide)
        return d_features, d_context * to_score, d_from * to_score[:, None], d_to, None, None


def _score(features: Tensor, context: Tensor, from_features: Tensor, to_score: Tensor, *matrices: Tensor) -> Tensor:
    """`_Score`, compiled where it can be."""
    given = features, context, from_features, to_score, *matrices
    if not passes.fits(*given):
        return _Score.apply(*given)  # type: ignore[no-untyped-call, no-any-return]
    return passes.learning_score(*given) if passes.learns(*given) else passes.score(*given)


def _apart(features: Tensor, empty: Tensor, *others: Tensor) -> Tensor:
    """What `_score` differs from that of an empty sky (1, height, width, c) by; compiled, pixels that are as there are passed over."""
    given = features, empty, *others
    if passes.fits(*given):
        score, difference = passes.learning_apart(*given) if passes.learns(*given) else passes.apart(*given)
    else:
        score = _score(features, *others)
        difference = score - _score(empty.expand_as(features), *others)
    return beyond_rounding(difference, score)


def _pieces(features: Tensor) -> list[tuple[slice, slice]]:
    """Images and columns at a time."""
    batch, height, width, _ = features.shape
    if features.device.type != "cpu":
        return [(slice(0, batch), slice(0, width))]
    step = max(1, PIECE // height)
    return [(slice(image, image + 1), slice(left, left + step)) for image in range(batch) for left in range(0, width, step)]


def _hidden(features: Tensor, context: Tensor, from_features: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """relu(W_x x + up(c)), (images, height, width, hidden)."""
    wide = torch.matmul(columns, context).flatten(2)
    tall = torch.matmul(rows, wide).view(*features.shape[:3], -1)
    tall.flatten(0, 2).addmm_(features.flatten(0, 2), from_features.T)
    return tall.relu_()


class AttentionGate(nn.Module):
    """Additive gate: alpha = normalise(W relu(W_x x + up(W_g g))). Source: Bowles et al. 2021, eq. 1.

    forward(features (batch, c, h, w), context (batch, k, h', w')) -> attention (batch, 1, h, w), in float32 or better under any autocast.
    ``anchored`` needs the features of an empty sky, ``empty`` (1, c, h, w): their score in the same context is taken away.
    Both inputs must be group-pooled, so that their channels stay put when the sky turns. Equation 2, y = alpha x, is `attend`.
    ``up`` is bilinear, as matrix products: torch's interpolation is slow backward, or adds up in random order, on a GPU.
    """

    def __init__(self, features: int, context: int, hidden: int = 64, normalisation: str = "range") -> None:
        super().__init__()
        self.from_features = nn.Conv2d(features, hidden, kernel_size=1, bias=False)
        self.from_context = nn.Conv2d(context, hidden, kernel_size=1, bias=False)
        self.to_score = nn.Conv2d(hidden, 1, kernel_size=1, bias=False)  # the normalisation cancels any bias
        self.normalisation = normalisation

    def forward(self, features: Tensor, context: Tensor, empty: Tensor | None = None) -> Tensor:
        height, width = features.shape[-2:]
        exact = self.to_score.weight.dtype
        context = self.from_context(context).permute(0, 2, 3, 1).to(exact).contiguous()
        with torch.autocast(features.device.type, enabled=False):
            weights = self.from_features.weight.flatten(1), self.to_score.weight.flatten()
            matrices = [interpolation(*sides, exact, context.device) for sides in zip(context.shape[1:3], (height, width), strict=True)]
            columns = features.permute(0, 2, 3, 1).to(exact)
            if empty is None:
                score = _score(columns, context, *weights, *matrices)
            else:
                score = _apart(columns, empty.permute(0, 2, 3, 1).to(exact), context, *weights, *matrices)
            return NORMALISATIONS[self.normalisation](score[:, None])


def attend(features: Tensor, attention: Tensor) -> Tensor:
    """Sum over pixels of alpha x: (batch, c, h, w), (batch, 1, h, w) -> (batch, c).

    Source: Bowles et al. 2021, eq. 2; the sum is the published code's.
    """
    with torch.autocast(features.device.type, enabled=False):
        features = features.to(attention.dtype)
        columns = features.permute(0, 2, 3, 1)
        if columns.is_contiguous() and passes.possible(columns, attention):
            return passes.attend(columns, attention[:, 0])
        return torch.einsum("bcyx,byx->bc", features, attention[:, 0])
