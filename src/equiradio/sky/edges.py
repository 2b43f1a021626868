"""Where a field ends: what of a cutout lies beyond it, and whether the source reaches it."""

import numpy as np

BEAM_PIXELS = 10  # area of FIRST's 5.4 arcsec beam at 1.8 arcsec per pixel, 1.133 * 3^2: an island must be as large, or it may be noise
SHARE = 0.05  # of all light above 3 sigma: fainter islands at the edge are neighbours. By MiraBest: 3 % of its sources reach the edge


def reaches_edge(image: np.ndarray, beyond: np.ndarray | None = None) -> bool:
    """Whether a source may go on where the field ends: an island of lit pixels there, not small and not faint.

    Parameters
    ----------
    image : uint8 (150, 150), 0 up to 3 sigma.
    beyond : bool (150, 150), pixels beyond the field; None where it fills the image.
    """
    from scipy.ndimage import binary_dilation, label

    edge = np.ones(image.shape, bool)
    edge[1:-1, 1:-1] = False
    if beyond is not None and beyond.any():
        edge |= binary_dilation(beyond, np.ones((3, 3)))
    islands, _ = label(image > 0, np.ones((3, 3)))
    light, pixels = np.bincount(islands.ravel(), image.ravel().astype(float)), np.bincount(islands.ravel())
    at_edge = np.unique(islands[edge & (islands > 0)])
    return bool(((pixels[at_edge] >= BEAM_PIXELS) & (light[at_edge] >= SHARE * light.sum())).any())
