"""An image as another telescope would have it: a larger beam, more noise, a smaller field. Numbers only, no file and no torch.

Images are in Jy per beam, rows to the north and columns to the west, as FITS has them; a beam's position angle runs from north through east.
"""

import math

import numpy as np
from scipy import fft

from equiradio.errors import SettingRefusal
from equiradio.sky.beams import Beam

SIGMA = 1 / math.sqrt(8 * math.log(2))  # standard deviation of a Gaussian whose full width at half maximum is 1
REACH = 4.5  # standard deviations after which a Gaussian is taken to have ended (4e-5 of its peak)
ROUNDING = 1e-9  # of a beam's area: smaller differences are none


def through_beam(image: np.ndarray, pixel_arcsec: float, own_beam: Beam, beam: Beam) -> np.ndarray:
    """An image with ``own_beam``, as it would be with the larger ``beam``, both in Jy per beam.

    The image is convolved with the Gaussian whose covariance is the difference of the beams', and the unit goes from one beam to the
    other: a point source keeps its peak, extended brightness grows with the beam's area, and so does noise with the root of it.

    Parameters
    ----------
    image : (height, width), Jy per beam; nan where there is nothing, which counts as empty and stays nan. So does what lies beyond it.
    pixel_arcsec : side of a pixel.

    Returns the shape and precision of ``image``.

    Raises
    ------
    SettingRefusal : ``beam`` is smaller than the image's own along some direction: no convolution sharpens.

    Source: the convolution of Gaussians, as in radio_beam's `Beam.deconvolve` and CASA's `imsmooth`.
    """
    extra = covariance(beam) - covariance(own_beam)
    if np.linalg.eigvalsh(extra)[0] < -ROUNDING * beam.major**2:
        expected = f"a beam that holds the image's own, {in_words(own_beam)}, in every direction"
        raise SettingRefusal("beam", in_words(beam), expected, "Choose a larger one.")
    grow = math.sqrt(np.linalg.det(covariance(beam)) / np.linalg.det(covariance(own_beam)))
    blank = np.isnan(image)
    pad = math.ceil(REACH * math.sqrt(max(np.linalg.eigvalsh(extra)[1], 0)) / pixel_arcsec)
    smoothed = filtered(np.where(blank, 0, image), pad, extra / pixel_arcsec**2) * grow
    return np.where(blank, np.nan, smoothed).astype(_precision(image))


def with_noise(image: np.ndarray, pixel_arcsec: float, beam: Beam, rms: float, seed: int) -> np.ndarray:
    """An image with Gaussian noise added that is correlated over the beam: white noise smoothed by it.

    Parameters
    ----------
    image : (height, width); nan stays nan.
    rms : expected standard deviation of what is added, in the unit of the image. Independent noises add in squares: to have an image of
        noise s with n times as much, add s sqrt(n^2 - 1).
    seed : the same seed, shape and beam give the same noise.

    Returns the shape and precision of ``image``.
    """
    if not (math.isfinite(rms) and rms >= 0):
        raise SettingRefusal("rms", f"{rms}", "a finite number, at least 0", "Correct the value.")
    pad = math.ceil(REACH * SIGMA * beam.major / pixel_arcsec)  # else the noise of opposite edges would be the same
    height, width = (side + pad for side in image.shape)
    white = np.random.default_rng(seed).standard_normal((height, width))
    spread = covariance(beam) / pixel_arcsec**2
    power = np.square(transfer((height, width), spread, half=False)).mean()
    noise = filtered(white, 0, spread)[: image.shape[0], : image.shape[1]]
    return (image + noise * (rms / math.sqrt(power))).astype(_precision(image))


def in_field(image: np.ndarray, pixel_arcsec: float, field_arcsec: float) -> np.ndarray:
    """The central square of an image (height, width), ``field_arcsec`` wide, and nan around it, in the shape of ``image``."""
    if not field_arcsec >= pixel_arcsec:
        raise SettingRefusal("field", f"{field_arcsec:g} arcsec", f"at least a pixel of {pixel_arcsec:g} arcsec", "Choose a wider one.")
    reach = field_arcsec / pixel_arcsec / 2
    inside = [np.abs(np.arange(side) - (side - 1) / 2) <= reach - 0.5 + ROUNDING for side in image.shape]
    return np.where(inside[0][:, None] & inside[1], image, np.nan).astype(_precision(image))


def covariance(beam: Beam) -> np.ndarray:
    """Of a beam's Gaussian, (2, 2) in arcsec^2, along (row, column). A minor axis that is not stated is the major one, an angle 0."""
    minor = beam.major if math.isnan(beam.minor) else beam.minor
    angle = math.radians(0.0 if math.isnan(beam.angle) else beam.angle)
    major = np.array([math.cos(angle), -math.sin(angle)])  # east is where columns count down
    across = np.array([math.sin(angle), math.cos(angle)])
    return SIGMA**2 * (beam.major**2 * np.outer(major, major) + minor**2 * np.outer(across, across))


def transfer(shape: tuple[int, int], spread: np.ndarray, *, half: bool = True) -> np.ndarray:
    """Fourier transform of a Gaussian of unit sum and covariance ``spread`` (2, 2) in pixels^2, as `rfft2` (or `fft2`) lays it out."""
    down = np.fft.fftfreq(shape[0])[:, None]
    across = (np.fft.rfftfreq if half else np.fft.fftfreq)(shape[1])
    exponent = spread[0, 0] * down**2 + 2 * spread[0, 1] * down * across + spread[1, 1] * across**2
    return np.exp(-2 * np.pi**2 * exponent)


def filtered(image: np.ndarray, pad: int, spread: np.ndarray) -> np.ndarray:
    """An image convolved with that Gaussian, empty for ``pad`` pixels beyond its edges; without a pad opposite edges touch."""
    shape = [fft.next_fast_len(side + pad, real=True) if pad else side for side in image.shape]
    spectrum = fft.rfft2(np.asarray(image, np.float64), shape) * transfer((shape[0], shape[1]), spread)
    return fft.irfft2(spectrum, shape)[: image.shape[0], : image.shape[1]]


def in_words(beam: Beam) -> str:
    """Its widths and angle."""
    minor = beam.major if math.isnan(beam.minor) else beam.minor
    return f"{beam.major:g} x {minor:g} arcsec" + ("" if minor == beam.major or math.isnan(beam.angle) else f" at {beam.angle:g} deg")


def _precision(image: np.ndarray) -> np.dtype:
    return image.dtype if np.issubdtype(image.dtype, np.floating) else np.dtype(np.float32)
