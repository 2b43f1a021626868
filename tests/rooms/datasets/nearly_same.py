"""Images of point-like sources, and copies of images that are nearly the same."""

import io

import numpy as np
from PIL import Image
from scipy import ndimage

SIDE = 150


def compressed(image, quality=85):
    content = io.BytesIO()
    Image.fromarray(image).save(content, "JPEG", quality=quality)
    return np.asarray(Image.open(content))


def point_like(number, side=SIDE):
    """A source that the beam does not resolve, as any other, in noise of its own that is clipped at three sigma."""
    rng = np.random.default_rng([9, number])
    rows, columns = np.indices((side, side)) - side / 2 + 0.5
    noise = ndimage.gaussian_filter(rng.normal(0, 1, (side, side)), 1.3)
    values = 30 * np.exp(-(rows**2 + columns**2) / 8) + noise / noise.std()
    values = np.where(values > 3, values, 0)
    return (255 * values / values.max()).astype(np.uint8)
