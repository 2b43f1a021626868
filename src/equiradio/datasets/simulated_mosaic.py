"""One mosaic of a simulated sky: noise that varies over the field, frayed blank edges, sources; written in bands.

Noise is that of a cleaned image, white noise behind the beam, drawn row by row from seeds of their own: memory stays flat at any side.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from equiradio.datasets.simulated_cutouts import cards
from equiradio.datasets.simulated_shapes import BEAM_SIGMA
from equiradio.sky.recipe import MIRABEST

BAND = 1 << 19  # pixels that are made at once, in whole rows
REACH = 6  # rows beyond a band that the beam brings noise from
EDGE, FRAY, FRAY_LENGTH = 14.0, 8.0, 137.0  # pixels that are blank at an edge, how much that varies, and over which length
CORNER = 150.0  # pixels: radius of the blank, rounded corners
WAVES, WAVE_LENGTH = 0.15, 0.8  # the noise varies by this share of itself over this share of a side
RISE = 120.0  # pixels over which the noise doubles toward an edge, as where fewer pointings overlap
PIXEL_DEG = MIRABEST.scale_arcsec / 3600
OF_NOISE, OF_FIELD = 1, 4  # last numbers of seeds, so that no two things are drawn from one


class Field(NamedTuple):
    """Where a mosaic lies: its file's name, the ICRS position of its middle and its side in pixels of 1.8 arcsec."""

    number: int
    name: str
    ra_deg: float
    dec_deg: float
    side: int

    def header(self) -> Any:
        """Its FITS header, without the comment of who made it."""
        from astropy.io import fits

        shape: list[Any] = [("SIMPLE", True), ("BITPIX", -32), ("NAXIS", 2), ("NAXIS1", self.side), ("NAXIS2", self.side)]
        return fits.Header([*shape, *cards(Path(self.name).stem, self.ra_deg, self.dec_deg, self.side)])

    def places(self, ra_deg: np.ndarray, dec_deg: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Columns and rows of positions, from 0 at the middle of the first pixel; nan for those of the other half of the sky."""
        columns, rows = _wcs(self).wcs_world2pix(ra_deg, dec_deg, 0)
        return np.asarray(columns), np.asarray(rows)

    def inside(self, columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Pixels to the nearest edge, below 0 outside."""
        return np.minimum(np.minimum(columns, self.side - 1 - columns), np.minimum(rows, self.side - 1 - rows))


@lru_cache(maxsize=4)
def _wcs(field: Field) -> Any:
    from astropy.wcs import WCS

    return WCS(field.header())


@dataclass(frozen=True)
class Depth:
    """Noise of a mosaic and its blank edges.

    Attributes
    ----------
    level : Jy per beam, in the middle of the field where no wave raises or lowers it.
    """

    field: Field
    level: float
    phases: np.ndarray

    @classmethod
    def of(cls, field: Field, seed: int) -> "Depth":
        """That of a mosaic of a sky with this seed; the level spreads as between the MiraBest sources."""
        rng = np.random.default_rng([seed, field.number, 0, OF_FIELD])
        return cls(field, float(1.5e-4 * np.exp(rng.normal(0, 0.09))), rng.uniform(0, 2 * np.pi, 4))

    def rms(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Jy per beam at pixels (arrays that broadcast), blank or not."""
        length = WAVE_LENGTH * self.field.side / (2 * np.pi)
        waves = np.sin(rows / length + self.phases[0]) * np.sin(columns / length + self.phases[1])
        return np.asarray(self.level * (1 + WAVES * waves) * (1 + np.exp(-np.maximum(self.field.inside(columns, rows), 0) / RISE)))

    def seen(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Which pixels are not blank."""
        last = self.field.side - 1
        down, across = np.minimum(rows, last - rows), np.minimum(columns, last - columns)
        edges = [EDGE + FRAY * np.sin(2 * np.pi * along / FRAY_LENGTH + phase) for along, phase in ((columns, 1.0), (rows, 2.0))]
        corner = np.hypot(np.maximum(CORNER - down, 0), np.maximum(CORNER - across, 0)) > CORNER
        return np.asarray((down > edges[0]) & (across > edges[1]) & ~corner)


class Stamp(NamedTuple):
    """A source as it is added to a mosaic: brightness (height, width) in Jy per beam, and the row and column it begins at."""

    top: int
    left: int
    picture: np.ndarray


def write_mosaic(path: Path, depth: Depth, stamps: Iterator[Stamp], seed: int) -> None:
    """Write a mosaic with these sources, which come in the order of their first rows."""
    field = depth.field
    header, columns = field.header(), np.arange(field.side)
    header.add_comment(f"Simulated by equiradio: mosaic {field.number} of a sky of seed {seed}.")
    pending, waiting = list[Stamp](), next(stamps, None)
    with path.open("wb") as file:
        file.write(header.tostring(padding=True).encode("ascii"))
        height = max(1, BAND // field.side)
        for start in range(0, field.side, height):
            rows = np.arange(start, min(start + height, field.side))
            band = _noise(field, seed, start, len(rows))
            band *= depth.rms(rows[:, None], columns)
            while waiting is not None and waiting.top < rows[-1] + 1:
                pending.append(waiting)
                waiting = next(stamps, None)
            for stamp in pending:
                _add(band, start, stamp)
            pending = [stamp for stamp in pending if stamp.top + len(stamp.picture) > rows[-1] + 1]
            band[~depth.seen(rows[:, None], columns)] = np.nan
            file.write(band.astype(">f4").tobytes())
        file.write(bytes(-file.tell() % 2880))


def _noise(field: Field, seed: int, start: int, count: int) -> np.ndarray:
    """Noise of unit rms of some rows, float32 (count, side)."""
    from scipy.ndimage import gaussian_filter

    white = [_white(field, seed, row) for row in range(start - REACH, start + count + REACH)]
    smooth = gaussian_filter(np.stack(white), BEAM_SIGMA, mode="wrap", radius=REACH)[REACH:-REACH]
    return np.asarray(smooth * np.float32(2 * np.sqrt(np.pi) * BEAM_SIGMA))


def _white(field: Field, seed: int, row: int) -> np.ndarray:
    return np.random.default_rng([seed, field.number, row + REACH, OF_NOISE]).standard_normal(field.side, np.float32)


def _add(band: np.ndarray, start: int, stamp: Stamp) -> None:
    """Add what of a source lies within a band of rows."""
    height, width = stamp.picture.shape
    low, high = max(stamp.top, start), min(stamp.top + height, start + len(band))
    left, right = max(stamp.left, 0), min(stamp.left + width, band.shape[1])
    if low < high and left < right:
        part = stamp.picture[low - stamp.top : high - stamp.top, left - stamp.left : right - stamp.left]
        band[low - start : high - start, left:right] += part.astype(np.float32)
