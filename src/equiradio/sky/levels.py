"""What the uint8 pixels of an image in MiraBest form still hold: brightness in units of the noise that it was clipped by.

A level v of 1..255 stands for brightness between v/255 and (v + 1)/255 of the peak, and the faintest lit pixel is at 3 sigma of the noise.
What lies below 3 sigma, source or noise, is gone.
"""

import numpy as np

from equiradio.sky.recipe import MIRABEST

TOP = 255
ROUNDING = 1e-3  # of a threshold: the faintest pixels of an image that nothing changes stay lit
MOST_LOST = MIRABEST.clip_sigma * (1 - 2 * ROUNDING)  # sigma: noise above would have been lit
HELD = 0.9  # share of the brightness that a field must hold, so that it is one of that source


def faintest(images: np.ndarray) -> np.ndarray:
    """Faintest lit level of images uint8 (count, height, width), (count,); of a blank image 255."""
    return np.asarray(np.where(images > 0, images, TOP).reshape(len(images), -1).min(1))


def peak_in_sigma(images: np.ndarray) -> np.ndarray:
    """Peak over noise of images uint8 (count, height, width): float64 (count,), from their faintest lit level.

    The middle of that level is taken to be 3 sigma. Where the faintest level is 1, fainter pixels may have been cut down to 0, and the peak
    is at least 383 sigma. Of a blank image it is 3.
    """
    return MIRABEST.clip_sigma * TOP / np.minimum(faintest(images) + 0.5, TOP)


def brightness(images: np.ndarray) -> np.ndarray:
    """Pixels uint8 (count, height, width) in sigma of their noise, float32: the middle of their level, 0 where nothing is lit."""
    levels = np.where(images > 0, np.minimum(images + np.float32(0.5), TOP), 0).astype(np.float32)
    return levels * (peak_in_sigma(images) / TOP).astype(np.float32)[:, None, None]


def field_of_source(images: np.ndarray) -> np.ndarray:
    """Diameter in arcsec of the circle about the centre that holds 90 % of the lit brightness of images uint8 (count, side, side)."""
    offset = np.arange(images.shape[-1]) - (images.shape[-1] - 1) / 2
    radius = np.hypot(offset[:, None], offset).ravel()
    order = np.argsort(radius, kind="stable")
    sums = (np.cumsum(image.ravel()[order], dtype=np.int64) for image in images)
    last = [int(np.searchsorted(total, HELD * total[-1])) for total in sums]
    return 2 * MIRABEST.scale_arcsec * radius[order][last]
