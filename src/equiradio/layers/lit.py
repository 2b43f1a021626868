"""Which pixels of fields see more than empty sky, (batch, height, width): a layer that is told so computes the empty ones once for all.

98 % of the pixels of a MiraBest image are exactly empty. Where images show the same empty sky, whatever a network makes of it is the same
function of its weights in each of them: one of them can stand for the others, and the sum of their gradients is its gradient. That holds
for the derivative by weights, and not for one by the fields of an image.
"""

import torch.nn.functional as F
from torch import Tensor

MOST_LIT = 0.9  # of all pixels: where more are lit, there is too little empty sky to leave out


def lit_pixels(images: Tensor) -> Tensor:
    """Where images (batch, 1, height, width) differ from the value that is the median of all pixels, which is that of empty sky."""
    return images[:, 0] != images.median()


def seen(lit: Tensor, size: int) -> Tensor:
    """Pixels whose window of ``size`` x ``size`` pixels holds a lit one."""
    for axis in (1, 2):
        wide = lit.clone()
        for shift in range(1, min(size // 2, lit.shape[axis] - 1) + 1):
            count = lit.shape[axis] - shift
            wide.narrow(axis, shift, count).logical_or_(lit.narrow(axis, 0, count))
            wide.narrow(axis, 0, count).logical_or_(lit.narrow(axis, shift, count))
        lit = wide
    return lit


def halved(lit: Tensor, height: int, width: int) -> Tensor:
    """Each 2x2 pixels as one, lit where one of them is; ``height`` and ``width`` are half of those before, rounded down or up."""
    whole = F.pad(lit, (0, 2 * width - lit.shape[2], 0, 2 * height - lit.shape[1]))  # a negative pad cuts
    return whole.view(-1, height, 2, width, 2).any(4).any(2)
