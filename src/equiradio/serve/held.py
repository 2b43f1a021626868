"""A source as the viewer holds it, and the shelf of those that were uploaded."""

import hashlib
import math
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from equiradio.serve.refusals import NotOffered
from equiradio.sky.beams import Beam
from equiradio.sky.images import Cutout
from equiradio.sky.positions import position
from equiradio.sky.recipe import MIRABEST, Recipe

GRID = 11  # places per axis at which sky positions are computed; between them the page interpolates unit vectors
KEPT = 64  # uploads held at a time; the oldest goes first


@dataclass(frozen=True)
class Held:
    """A source ready to be looked at.

    Attributes
    ----------
    key : its address in requests, ``<set>/<name>``.
    name : what its user calls it.
    pixels : uint8 (side, side), as networks take them.
    values : float32 (side, side) in ``unit`` where the file has them, not a number where it has none.
    wcs : astropy WCS of the pixels in the frame of the file, or None.
    position : (ra_deg, dec_deg) of the centre for sources known from a catalogue alone.
    arcsec_per_pixel : by the WCS, or the catalogue's recipe; None where unknown.
    beam : in the frame of the pixels, None where the file states none.
    label : name of the class in the catalogue, None where there is none.
    flags : name -> meaning of the quality flags that reading it set.
    hdu, resampled, about, padded, noise, pixel_arcsec, measurable, file_pixel_arcsec : as in `equiradio.sky.images.Cutout`.
    recipe : by which the pixels were made of a file; None for those that a data set holds.
    """

    key: str
    name: str
    pixels: np.ndarray
    values: np.ndarray | None = None
    unit: str = ""
    wcs: Any = None
    position: tuple[float, float] | None = None
    arcsec_per_pixel: float | None = MIRABEST.scale_arcsec
    beam: Beam | None = None
    label: str | None = None
    confidence: str = ""
    flags: dict[str, str] = field(default_factory=dict)
    hdu: int = 0
    resampled: str = ""
    about: Mapping[str, Any] = field(default_factory=dict)
    padded: float = 0.0
    noise: float = math.nan
    pixel_arcsec: float | None = MIRABEST.scale_arcsec
    measurable: bool = True
    file_pixel_arcsec: float | None = None
    recipe: Recipe | None = None

    @property
    def middle(self) -> float:
        """Row and column of the centre."""
        return (len(self.pixels) - 1) / 2

    @cached_property
    def digest(self) -> str:
        """Of the pixels: what a network said of a file holds as long as these are the same."""
        return hashlib.sha256(self.pixels.tobytes()).hexdigest()

    def sky_grid(self) -> list[list[list[float]]] | None:
        """ICRS unit vectors towards the pixels at evenly spaced rows and columns, (`GRID`, `GRID`, 3); None where positions are unknown."""
        places = np.linspace(0, len(self.pixels) - 1, GRID)
        rows, columns = np.meshgrid(places, places, indexing="ij")
        if self.wcs is not None:
            vectors = np.moveaxis(self.wcs.pixel_to_world(columns, rows).icrs.cartesian.xyz.value, 0, -1)
        elif self.position is not None and self.arcsec_per_pixel:
            step = math.radians(self.arcsec_per_pixel / 3600)
            vectors = tangent_vectors(self.position, step * (rows - self.middle), step * (columns - self.middle))
        else:
            return None
        return vectors.round(12).tolist() if np.isfinite(vectors).all() else None

    def cutout(self) -> Cutout:
        """As ``equiradio classify`` has it, for answers, maps and files that are the same."""
        ra, dec = self.position or (math.nan, math.nan)
        if self.wcs is not None:
            ra, dec = position(self.wcs, self.middle, self.middle)
        flags = frozenset(self.flags)
        return Cutout(
            self.name,
            self.hdu,
            self.pixels,
            self.values,
            self.any_wcs(),
            ra,
            dec,
            self.unit,
            flags,
            self.beam,
            self.resampled,
            self.about,
            self.padded,
            self.noise,
            self.pixel_arcsec if self.values is None else self.arcsec_per_pixel,
            self.measurable,
            self.file_pixel_arcsec,
        )

    def any_wcs(self) -> Any:
        """The WCS, made from the catalogue's position where the source came without one."""
        if self.wcs is not None or self.position is None or not self.arcsec_per_pixel:
            return self.wcs
        from astropy.wcs import WCS

        wcs = WCS(naxis=2)
        wcs.wcs.ctype, wcs.wcs.crval = ["RA---TAN", "DEC--TAN"], self.position
        step = self.arcsec_per_pixel / 3600
        wcs.wcs.crpix, wcs.wcs.cdelt = [self.middle + 1] * 2, [-step, step]
        return wcs


def tangent_vectors(position: tuple[float, float], up: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Unit vectors towards places of a gnomonic image, north up and east left, so far (radians) from its middle at ``position``."""
    ra, dec = np.deg2rad(position)
    east, north = -right, up
    centre = np.array([math.cos(dec) * math.cos(ra), math.cos(dec) * math.sin(ra), math.sin(dec)])
    to_east = np.array([-math.sin(ra), math.cos(ra), 0.0])
    to_north = np.array([-math.sin(dec) * math.cos(ra), -math.sin(dec) * math.sin(ra), math.cos(dec)])
    vectors = centre + east[..., None] * to_east + north[..., None] * to_north
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


class Shelf:
    """Uploaded sources, the latest `KEPT` of them. Names are hashes of content and choices, so that the same cutout is held once."""

    def __init__(self) -> None:
        self._sources: OrderedDict[str, Held] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, content: bytes, make: Any, choices: Mapping[str, Any] | None = None) -> Held:
        """Hold what ``make(key)`` reads from the content as chosen."""
        digest = hashlib.sha256(content)
        if choices:
            digest.update(repr(sorted(choices.items())).encode())
        key = f"upload/{digest.hexdigest()[:20]}"
        source = make(key)
        with self._lock:
            self._sources[key] = source
            self._sources.move_to_end(key)
            while len(self._sources) > KEPT:
                self._sources.popitem(last=False)
        return source

    def get(self, key: str) -> Held:
        with self._lock:
            if key not in self._sources:
                do = "Upload the file again; uploads are held in memory until the viewer stops."
                raise NotOffered("source", key, f"one of the last {KEPT} uploads", do)
            return self._sources[key]

    def all(self) -> list[Held]:
        """The latest first."""
        with self._lock:
            return list(reversed(self._sources.values()))
