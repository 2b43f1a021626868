"""The grid that images are sampled on is torch's."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from equiradio.compute.poses import _grid, draw_poses


@pytest.mark.parametrize("sides", [(150, 150), (5, 8), (1, 1)])
def test_the_grid_is_that_of_affine_grid(sides):
    matrices = draw_poses(0, 0, np.arange(7), np.zeros(7)).matrices().double()
    matrices[:, :, 2] = torch.linspace(-1, 1, 14, dtype=torch.float64).view(7, 2)
    expected = F.affine_grid(matrices, [7, 1, *sides], align_corners=False)
    torch.testing.assert_close(_grid(matrices, *sides), expected, rtol=0, atol=1e-14)
