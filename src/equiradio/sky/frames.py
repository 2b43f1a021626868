"""Between an image's own coordinates and ICRS, as astropy's frames have it.

Those take a millisecond a call, however many positions there are. Where a frame is turned against ICRS and no more, astropy is asked for
the rotation, once, and positions are turned by it.
"""

from functools import lru_cache
from typing import Any

import numpy as np

Degrees = tuple[np.ndarray, np.ndarray]  # longitude 0..360, and latitude


def unit_vectors(lon_deg: np.ndarray, lat_deg: np.ndarray) -> np.ndarray:
    """Directions (..., 3) of positions."""
    lon, lat = np.radians(lon_deg), np.radians(lat_deg)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], -1)


def to_icrs(wcs: Any, lon_deg: Any, lat_deg: Any) -> Degrees:
    """Right ascension and declination of positions in the frame of a WCS; nan stays nan."""
    return _moved(wcs, lon_deg, lat_deg, back=False)


def from_icrs(wcs: Any, ra_deg: Any, dec_deg: Any) -> Degrees:
    """The way back; nan where a declination is none."""
    dec = np.asarray(dec_deg, float)
    return _moved(wcs, ra_deg, np.where(np.abs(dec) <= 90, dec, np.nan), back=True)


def _moved(wcs: Any, lon_deg: Any, lat_deg: Any, *, back: bool) -> Degrees:
    from astropy.coordinates import ICRS, SkyCoord
    from astropy.wcs.utils import wcs_to_celestial_frame

    frame, lon, lat = wcs_to_celestial_frame(wcs), np.asarray(lon_deg, float), np.asarray(lat_deg, float)
    if isinstance(frame, ICRS):
        return _around(lon), lat
    rotation = _rotation(frame.name, float(frame.equinox.jyear) if hasattr(frame, "equinox") else None)
    if rotation is None:
        start, goal = (ICRS(), frame) if back else (frame, ICRS())
        sky = SkyCoord(lon, lat, unit="deg", frame=start).transform_to(goal).spherical
        return np.asarray(sky.lon.deg), np.asarray(sky.lat.deg)
    axes = np.moveaxis(unit_vectors(lon, lat), -1, 0)
    x, y, z = (a * axes[0] + b * axes[1] + c * axes[2] for a, b, c in (rotation.T if back else rotation))  # no BLAS: alone as in company
    return _around(np.degrees(np.arctan2(y, x))), np.degrees(np.arctan2(z, np.hypot(x, y)))


def _around(lon_deg: np.ndarray) -> np.ndarray:
    """Longitudes as those of one turn; what rounding makes a whole turn is none."""
    turned = np.remainder(lon_deg, 360.0)
    return np.where(turned == 360.0, 0.0, turned)


@lru_cache(maxsize=16)
def _rotation(name: str, equinox: float | None) -> np.ndarray | None:
    """The matrix that takes directions of a frame to those of ICRS; None where there is more to it, as aberration is in FK4."""
    from astropy.coordinates import FK5, ICRS, CartesianRepresentation, Galactic
    from astropy.time import Time

    if name not in ("fk5", "galactic"):
        return None
    frame = Galactic() if equinox is None else FK5(equinox=Time(equinox, format="jyear"))
    axes = frame.realize_frame(CartesianRepresentation(np.eye(3)))
    return np.asarray(axes.transform_to(ICRS()).cartesian.xyz.value)
