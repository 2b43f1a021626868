"""The threshold of images that were set to it where they are fainter, and then stretched, so that nothing in them says it any more.

Two things still hold it: how bright the peaks of noise are that reach above it, and how bright the outermost pixels of a source are, which
lie above it by no more than the beam lets brightness grow within a pixel. Fitted by `benchmarks/first_threshold.py` on the sources that
MiraBest shows too, with their threshold; what was measured is in docs/notebook/wide-sky.md.
"""

import numpy as np

from equiradio.sky.levels import TOP

SOURCE = 9  # pixels of an island that are a source, and not a peak of noise
FAINT = 0.1  # levels: less is not told from nothing
WEIGHTS = (-7.45, 0.63, 0.35, 0.23)  # of one, and of `traces`; their sum is ln(threshold / peak)
HIGHEST = 0.5  # of the peak; nothing fainter than twice its threshold is a source of the data set


def traces(excess: np.ndarray, centre: tuple[slice, slice]) -> np.ndarray:
    """What speaks for the threshold, float64 (3,), each a logarithm.

    Parameters
    ----------
    excess : (height, width), brightness above the threshold in levels: 0 to 255 in the centre, whatever it is around it.
    centre : rows and columns of what is looked at in the end.

    Returns
    -------
    The mean level of the outermost pixels of islands of a source; one and the sum of levels of smaller islands; one and the pixels of a
    source in the centre.
    """
    from scipy import ndimage

    lit = excess > 0
    islands, count = ndimage.label(lit, np.ones((3, 3)))
    sizes = np.bincount(islands.ravel(), minlength=count + 1)
    source = lit & (sizes[islands] >= SOURCE)
    outermost = source & ~ndimage.binary_erosion(lit)
    edge = excess[outermost if outermost.any() else lit].mean()
    return np.log([max(edge, FAINT), 1 + excess[lit & ~source].sum(), 1 + source[centre].sum()])


def threshold_over_peak(excess: np.ndarray, centre: tuple[slice, slice]) -> float:
    """Threshold over the peak in the centre; see `traces` for the parameters."""
    return float(min(np.exp(WEIGHTS[0] + np.dot(WEIGHTS[1:], traces(excess, centre))), HIGHEST))


def restored(excess: np.ndarray, centre: tuple[slice, slice]) -> np.ndarray:
    """The centre, uint8, in MiraBest form, by the estimated threshold."""
    return with_threshold(excess, centre, threshold_over_peak(excess, centre))


def with_threshold(excess: np.ndarray, centre: tuple[slice, slice], share: float) -> np.ndarray:
    """The centre, uint8, brightness from nothing to the peak, of which ``share`` is the threshold: 0 where it is below."""
    above = excess[centre]
    return np.where(above > 0, above + share * (TOP - above), 0).astype(np.uint8)
