"""What of an image is sky: areas filled with exact zeros, and maps that hold no source at all."""

import numpy as np

from equiradio.errors import ImageRefusal

ZEROS = 0.025  # share of exact zeros above which they are blank areas. FIRST's own cutouts hold up to 1.85 % (of 32), real noise none
RARER = 10  # zeros must be so many times as frequent as any other value: in images stored as few integers every value is frequent
AREA = 3  # pixels, side of a square of zeros that noise does not make: of its zeros 0.3 % at steps of a sigma lie in one, none at finer
RAISED, STANDS_OUT = 1.0, 5.0  # sigma: a median above the first is no empty sky, and then a source must stand out by the second
NEGATIVE = 0.05  # share of the pixels below zero where there is noise; of images that were clipped at a threshold none is
SOLID = 0.99  # share of the pixels that lie in squares of five by five without a zero, of an image that was seen as a whole
RIM = 0.2  # share of the pixels beside blank areas that are fainter than the median, and that are brighter, at least
FAR_RAISED, SMOOTH = 3.0, 0.2  # sigma; difference of neighbours in sigma, 0.3 to 1.4 in images, 0.1 in maps of noise or background


class NoSky(ImageRefusal):
    """An image that shows no sky: a map of noise, of background or of weights, a mask, or all its pixels alike."""


def blanked(pixels: np.ndarray) -> tuple[np.ndarray, bool]:
    """The image with nan in the place of zeros that noise cannot explain, and whether there were such.

    Mosaics (linmos, SkyView, reproject_and_coadd) fill with zeros what they did not see.
    """
    zeros = blank_zeros(pixels)
    height, width = pixels.shape
    middle = zeros[height // 4 : -(height // 4) or None, width // 4 : -(width // 4) or None]
    if max(zeros.mean(), middle.mean()) <= ZEROS or not (np.isfinite(pixels) & (pixels != 0)).any():
        return pixels, False
    return np.where(zeros, np.float32(np.nan), pixels), True


def blank_zeros(pixels: np.ndarray) -> np.ndarray:
    """The exact zeros of an image, or of a part of one, that lie in areas and are no values; bool (height, width)."""
    zeros = pixels == 0
    if not zeros.any() or zeros_are_values(pixels):
        return np.zeros_like(zeros)
    return in_areas(zeros)


def zeros_are_values(pixels: np.ndarray) -> bool:
    """Are exact zeros hardly more frequent than another value, as in noise that is stored as few integers?"""
    zeros = pixels == 0
    others = pixels[np.isfinite(pixels) & ~zeros] if zeros.any() else pixels[:0]
    most = int(np.unique(others, return_counts=True)[1].max()) if others.size else 0
    return most > 1 and bool(zeros.sum() < RARER * most)


def in_areas(zeros: np.ndarray) -> np.ndarray:
    """Those of the zeros (height, width) that lie in a square of `AREA` by `AREA` zeros; what lies on an edge goes on beyond it.

    Noise that was compressed row by row without dither has levels of its own in each, and zero in all: such zeros lie scattered.
    """
    from scipy.ndimage import binary_opening

    around = AREA - 1
    opened = binary_opening(np.pad(zeros, around, mode="edge"), np.ones((AREA, AREA), bool))
    return np.asarray(opened[around:-around, around:-around])


def was_clipped(pixels: np.ndarray) -> bool:
    """Was an image (height, width) clipped, its faint pixels set to zero? Then other pixels are hardly ever below zero.

    Nor are they of a sky that was raised: such an image `ends_in_zeros`.
    """
    others = pixels[np.isfinite(pixels) & (pixels != 0)]
    return others.size == 0 or (bool((others < 0).mean() < NEGATIVE) and not ends_in_zeros(pixels))


def ends_in_zeros(pixels: np.ndarray) -> bool:
    """Are zeros areas at the edge of an image that is `SOLID` elsewhere, and at their rim as bright as there?

    What a threshold leaves is full of holes (`SOLID` is 0.6 at most in FIRST's cutouts), or faint where it ends, as a source is.
    """
    from scipy.ndimage import binary_dilation, binary_opening, label

    areas, lit = in_areas(pixels == 0), np.isfinite(pixels) & (pixels != 0)
    if not 0 < areas.mean() <= 0.5 or not lit.any():
        return False
    numbers, _ = label(areas)
    at_edge = np.unique(np.concatenate([numbers[0], numbers[-1], numbers[:, 0], numbers[:, -1]]))
    solid = binary_opening(np.pad(lit, 4, mode="edge"), np.ones((5, 5), bool))[4:-4, 4:-4]
    if not np.isin(numbers, at_edge)[areas].all() or solid[lit].mean() < SOLID:
        return False
    rim, middle = pixels[lit & binary_dilation(areas, np.ones((3, 3), bool))], np.median(pixels[lit])
    return rim.size > 0 and min((rim < middle).mean(), (rim > middle).mean()) >= RIM


def check_sky(pixels: np.ndarray, crop: np.ndarray, median: float, sigma: float, name: str) -> set[str]:
    """Flags of an image whose sky is not at zero.

    Parameters
    ----------
    pixels : of the file itself, about the target.
    crop : what a network would see.
    median, sigma : of the field, clipped.

    Raises
    ------
    NoSky : no source stands out, as in a map of noise, of background, or a mask.
    """
    if sigma == 0:
        if not np.nanmin(crop) < np.nanmax(crop):
            return set()  # all alike
        words = f"nearly all pixels are {median:g}, with no noise around a source, as in a mask or a model"
        raise NoSky("blank", name, words, "an image of the sky with its noise", "Give the image itself.")
    if not median > RAISED * sigma:
        return {"lowered_sky"} if median < -RAISED * sigma else set()
    high = f"the median of the field is {median / sigma:.1f} sigma above 0"
    expected, do = "a source above 5 sigma, on a sky about 0", "Give the image itself, not its noise or background map."
    if not np.nanmax(crop) > median + STANDS_OUT * sigma:
        raise NoSky("blank", name, f"no source stands out and {high}, as in a noise or background map", expected, do)
    if median <= FAR_RAISED * sigma:
        return set()
    steps = np.abs(np.diff(pixels, axis=1))
    if 1.4826 * np.median(steps[np.isfinite(steps)]) < SMOOTH * sigma:
        raise NoSky("blank", name, f"no noise from pixel to pixel and {high}, as in a noise or background map", expected, do)
    return {"raised_sky"}
