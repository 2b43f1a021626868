"""What of the sky the images of a survey cover, as a MOC: cells (HEALPix) that other programs join with those of other surveys."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from equiradio.artefacts.atomic import write_atomically
from equiradio.errors import ImageRefusal, SettingRefusal
from equiradio.sky.blanks import AREA, in_areas, zeros_are_values
from equiradio.sky.mosaic import Mosaic
from equiradio.sky.stored import Pixels
from equiradio.survey.cutting import UNREADABLE
from equiradio.survey.folder import Plan
from equiradio.survey.images import disc_of
from equiradio.survey.worker import refuse_replaced

OPTION = "--coverage"
ORDER = 13  # of the cells, 25.8 arcsec wide
AT_ONCE = 16_000_000  # pixels that are read together
BLOCK = 5  # of those whose cells are looked at together, 1.8 deg wide
INSTALL = "Install it: pip install 'equiradio[moc]'."
Progress = Callable[[str, int, int], object]


def check_coverage(file: Path) -> None:
    """Refuse a name without .fits, and a place where nothing could make a MOC."""
    if file.suffix.lower() != ".fits":
        raise SettingRefusal(OPTION, f"'{file.name}'", "a name that ends in .fits", f"For example {OPTION} coverage.fits.")
    if importlib.util.find_spec("mocpy") is None:
        raise SettingRefusal(OPTION, f"'{file.name}' without the package mocpy", "it installed", INSTALL)


def write_coverage(plan: Plan, file: Path, progress: Progress = lambda what, done, total: None) -> float:
    """Write the MOC of all images of a plan that can be opened, and give its area in square degrees.

    A cell is covered where the pixel at its middle is finite, and no zero of a blank area, in one of them.

    Raises
    ------
    SettingRefusal : mocpy is not installed, or the name is no FITS file's.
    ReplacedImage, ImageRefusal : an image is not the one of the plan, or the disk does not give it now.
    """
    check_coverage(file)
    from mocpy import MOC

    unusable = {each["file"] for each in plan.unusable}
    files = [each["file"] for each in plan.images if each["file"] not in unusable]
    refuse_replaced(plan, set(files))
    options = {name: plan.job[name] for name in ("hdu", "plane", "beam")}
    moc = MOC.new_empty(max_depth=ORDER)
    for number, name in enumerate(files, 1):
        with Mosaic(name, **options) as mosaic:
            moc = moc | _of_image(mosaic)
        progress("images", number, len(files))
    write_atomically(file, lambda part: moc.save(part, format="fits", overwrite=True))
    return float(moc.sky_fraction * 360**2 / np.pi)


def _of_image(mosaic: Mosaic) -> Any:
    """The MOC of one image; one that is cut short covers what can be read of it."""
    from cdshealpix import healpix_to_lonlat
    from mocpy import MOC

    below = np.arange(4 ** (ORDER - BLOCK), dtype=np.uint64)
    covered, pixels, areas = [np.empty(0, np.uint64)], [np.empty(0, np.float32)], [np.empty(0, bool)]
    for block in _blocks(mosaic):
        cells = np.uint64(block) * np.uint64(len(below)) + below
        longitude, latitude = healpix_to_lonlat(cells, ORDER)
        try:
            inside, values, blank = _inside(mosaic, longitude.deg, latitude.deg)
            covered.append(cells[inside][finite := np.isfinite(values)])
            pixels.append(values[finite])
            areas.append(blank[finite])
        except ImageRefusal as refusal:
            if refusal.flag == UNREADABLE:
                raise
    all_cells = np.concatenate(covered)
    seen = ~np.concatenate(areas) | zeros_are_values(np.concatenate(pixels))
    return MOC.from_healpix_cells(all_cells[seen], ORDER, ORDER)


def _blocks(mosaic: Mosaic) -> np.ndarray:
    """The cells of order `BLOCK` that may hold some of an image."""
    from astropy import units
    from astropy.coordinates import Latitude, Longitude
    from mocpy import MOC

    (x, y, z), chord = disc_of(mosaic)
    if chord >= 2:
        return np.arange(12 * 4**BLOCK)
    longitude, latitude = np.arctan2(y, x) % (2 * np.pi), np.arcsin(np.clip(z, -1, 1))
    lon, lat = Longitude(longitude * units.rad), Latitude(latitude * units.rad)
    return MOC.from_cone(lon=lon, lat=lat, radius=2 * np.arcsin(chord / 2) * units.rad, max_depth=BLOCK).flatten()


def _inside(mosaic: Mosaic, ra_deg: np.ndarray, dec_deg: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which positions lie in an image, bool (count,), its pixels there, float32, and whether these lie in an area of zeros."""
    height, width = mosaic.image.pixels.shape
    columns, rows = (np.floor(each + 0.5) for each in mosaic.places(ra_deg, dec_deg))
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    if not inside.any():
        return inside, np.empty(0, np.float32), np.empty(0, bool)
    return inside, *_values(mosaic.image.pixels, rows[inside].astype(int), columns[inside].astype(int))


def _values(pixels: Pixels, rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Some pixels of an image, and whether they lie in areas of zeros; read in bands of at most `AT_ONCE`."""
    around = AREA - 1
    left, top, right = max(columns.min() - around, 0), rows.min(), columns.max() + 1 + around
    tall = max(1, AT_ONCE // (right - left))
    band, values, areas = (rows - top) // tall, np.empty(len(rows), np.float32), np.zeros(len(rows), bool)
    for number in np.unique(band):
        mine, first = band == number, max(top + number * tall - around, 0)
        part = pixels[first : rows[mine].max() + 1 + around, left:right]
        place = rows[mine] - first, columns[mine] - left
        values[mine] = part[place]
        if (values[mine] == 0).any():
            areas[mine] = in_areas(part == 0)[place]
    return values, areas
