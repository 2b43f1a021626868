"""Shape of a source as it is measured in its cutout: brightness, size, axis ratio, islands, and beams across.

Islands are those of radio astronomy: connected pixels above 3 sigma of which one is above 5, as large as a third of a beam or larger
(Mohan & Rafferty 2015, PyBDSF). Those with a twentieth of the light or more are the source's; fainter ones are its neighbours.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from equiradio.sky.beams import Beam
from equiradio.sky.brightness import beam_area, scale_of
from equiradio.sky.edges import BEAM_PIXELS, SHARE
from equiradio.sky.recipe import MIRABEST
from equiradio.sky.segments import segments

PEAK_SIGMA = 5.0
OF_BEAM = 1 / 3  # an island's least area
WIDTH = 1 / 12  # variance of a pixel
ROUNDED = 1 + 1e-6  # by which a distance may pass the reach: beams and pixels come rounded, and whole numbers of pixels are common
DIRECTIONS = np.deg2rad(np.arange(0, 180, 5))  # among whose extremes the two pixels farthest apart are looked for


@dataclass(frozen=True)
class Shape:
    """What is measured of a source; None where it cannot be had.

    Attributes
    ----------
    peak_jy_per_beam : of the brightest pixel of its islands.
    total_jy : flux density within its islands grown by one beam, so that what lies below 3 sigma counts too.
    rms_jy_per_beam : noise by which islands are told from the sky.
    size_arcsec : largest angular size, the widest extent of its islands.
    axis_ratio : minor to major axis of its islands together by second moments, 0..1; the beam is in it.
    islands : their number, 0 where none stands out of the noise.
    beams_across : largest angular size over the beam's full width at half maximum in that direction, or over its major axis where its
        angle or minor axis are not stated: the fewest that it allows.
    offset_arcsec : distance of the picture's middle, the target, from its islands and what lies between them (their convex hull).
    """

    peak_jy_per_beam: float | None = None
    total_jy: float | None = None
    rms_jy_per_beam: float | None = None
    size_arcsec: float | None = None
    axis_ratio: float | None = None
    islands: int | None = None
    beams_across: float | None = None
    offset_arcsec: float | None = None


class Picture(NamedTuple):
    """An image and what its numbers mean.

    light : (height, width), nan where there is none.
    sigma, unit : its noise; of both, as BUNIT has it, or empty.
    pixel_arcsec : side of a pixel; None where unknown.
    beam : in the frame of the pixels, rows from south to north and columns from east to west; None where unknown.
    """

    light: np.ndarray
    sigma: float
    unit: str = ""
    pixel_arcsec: float | None = MIRABEST.scale_arcsec
    beam: Beam | None = None


def measured(picture: Picture) -> Shape:
    """The shape of the source in a picture; nothing but the noise where no island stands out."""
    light, sigma, unit, pixel, beam = picture
    light = np.where(np.isfinite(light), light, np.nan)
    area = None if beam is None or pixel is None or math.isnan(beam.minor) else beam_area(beam.major, beam.minor, pixel)
    scale = scale_of(unit, area, pixel)
    in_beam = lambda value: None if scale.to_beam is None or not math.isfinite(value) else float(value) * scale.to_beam
    there = islands(light, sigma, BEAM_PIXELS if area is None else area)
    if not there.number:
        return Shape(rms_jy_per_beam=in_beam(sigma), islands=0 if math.isfinite(sigma) else None)
    width, angle, offset = extent(there.source)
    size = None if pixel is None else width * pixel
    reach = BEAM_PIXELS / 3 if beam is None or pixel is None else beam.major / pixel
    return Shape(
        in_beam(light[there.source].max()),
        None if scale.to_pixel is None else there.light_around(light, reach) * scale.to_pixel,
        in_beam(sigma),
        size,
        axis_ratio(light, there.source),
        there.number,
        None if size is None or beam is None else size / beam.width(angle),
        None if pixel is None else offset * pixel,
    )


def noise_of_form(image: np.ndarray) -> float:
    """Noise of an image in MiraBest form, uint8, in its own numbers: its faintest lit pixel is at 3 sigma."""
    lit = image[image > 0]
    return (float(lit.min()) - 0.5) / MIRABEST.clip_sigma if lit.size else math.nan


class Islands(NamedTuple):
    """Pixels of the source and of its neighbours, bool (height, width), and how many islands the source has."""

    source: np.ndarray
    others: np.ndarray
    number: int

    def light_around(self, light: np.ndarray, reach: float) -> float:
        """Sum over the source and all that lies within ``reach`` pixels of it, neighbours left out."""
        from scipy.ndimage import distance_transform_edt

        spans = [np.flatnonzero(self.source.any(axis)) for axis in (1, 0)]
        part = tuple(slice(max(0, span[0] - math.ceil(reach)), span[-1] + math.ceil(reach) + 1) for span in spans)
        near = distance_transform_edt(~self.source[part]) <= reach * ROUNDED
        return float(np.nansum(light[part][near & ~self.others[part]], dtype=np.float64))


def islands(light: np.ndarray, sigma: float, beam_pixels: float) -> Islands:
    """Islands above 3 sigma with a pixel above 5, of a third of a beam or more; the source's have a share of all their light."""
    groups = segments(light, MIRABEST.clip_sigma * sigma, max(1, round(OF_BEAM * beam_pixels)))
    lit = np.flatnonzero(groups)
    of_pixel, values = groups.ravel()[lit], light.ravel()[lit]
    sums, high = np.bincount(of_pixel, values, 1), np.bincount(of_pixel, values > PEAK_SIGMA * sigma, 1) > 0
    own = high & (sums >= SHARE * sums[high].sum())
    return Islands(own[groups], (high & ~own)[groups], int(own.sum()))


def axis_ratio(light: np.ndarray, source: np.ndarray) -> float | None:
    """Minor over major axis of the Gaussian that has the second moments of the source's pixels.

    The numbers of photutils' `SourceCatalog`, whose making alone takes longer than everything here.
    """
    weights = light[source].astype(np.float64)
    places = np.stack(np.nonzero(source)).astype(np.float64)
    places -= (places @ weights / weights.sum())[:, None]
    spread = (places * weights) @ places.T / weights.sum()
    while np.linalg.det(spread) < WIDTH**2:  # a row of pixels has the width of a pixel, as in SExtractor
        spread += WIDTH * np.eye(2)
    minor, major = np.linalg.eigvalsh(spread)
    return float(math.sqrt(minor / major))


class Extent(NamedTuple):
    """How far pixels reach.

    width : their widest extent, from edge to edge in pixels.
    angle : its position angle in degrees from north (up) through east (left).
    offset : distance in pixels from the middle of the image to their convex hull; 0 inside.
    """

    width: float
    angle: float
    offset: float


def extent(source: np.ndarray) -> Extent:
    """Extent of the pixels that are True, bool (height, width)."""
    places, middle = np.argwhere(source).astype(float), (np.array(source.shape) - 1) / 2
    directions = np.stack([np.sin(DIRECTIONS), np.cos(DIRECTIONS)])
    along, of_middle = places @ directions, middle @ directions
    ends = places[np.unique([along.argmin(0), along.argmax(0)])]
    steps = ends[:, None] - ends
    apart = np.hypot(*np.moveaxis(steps, -1, 0))
    row, column = steps[np.unravel_index(int(apart.argmax()), apart.shape)]
    beyond = max((of_middle - along.max(0)).max(), (along.min(0) - of_middle).max(), 0.0)
    return Extent(float(apart.max()) + 1, math.degrees(math.atan2(-column, row)), float(beyond))
