"""Where in an image the target is, how the sky lies there, and whether field and pixels will do."""

import math
from dataclasses import dataclass

import numpy as np

from equiradio.errors import ImageRefusal
from equiradio.sky.images import SkyImage
from equiradio.sky.positions import all_steps, nominal_scale, on_pixels, position
from equiradio.sky.recipe import MIRABEST

SAME_SCALE, SAME_ANGLE_DEG = 0.01, 0.5  # within these an image is taken as it is
SCALES_ARCSEC = (0.1, 20.0)  # pixels that can be brought to 1.8 arcsec
LEAST_FIELD = 60.0  # arcsec: less of the sky does not show what the networks tell classes by
NO_RADIO_IMAGE = 3600.0  # arcsec: coarser pixels are an error of the header


@dataclass(frozen=True)
class View:
    """An image about the target: where it is in pixels, and arcsec towards (east, north) by one pixel along (column, row)."""

    column: float
    row: float
    matrix: np.ndarray

    @property
    def sides(self) -> tuple[float, float]:
        """Width and height of a pixel in arcsec."""
        width, height = np.hypot(*self.matrix)
        return float(width), float(height)

    @property
    def scale(self) -> float:
        """Side of a square of a pixel's area, in arcsec."""
        return math.sqrt(abs(float(np.linalg.det(self.matrix))))

    @property
    def same(self) -> bool:
        """Whether the pixels can be taken as they are: 1.8 arcsec, ICRS north up and east left."""
        off = np.abs(self.matrix - self.scale * np.diag([-1.0, 1.0])).max()
        upright = off <= self.scale * max(SAME_SCALE, math.sin(math.radians(SAME_ANGLE_DEG)))
        return bool(upright) and abs(self.scale / MIRABEST.scale_arcsec - 1) <= SAME_SCALE


def of_use(scale_arcsec: float) -> bool:
    """Whether pixels of this side can be brought to those of the networks."""
    return SCALES_ARCSEC[0] <= scale_arcsec <= SCALES_ARCSEC[1]


def view_of(sky: SkyImage, ra_deg: float | None, dec_deg: float | None) -> View:
    """The view about a position (ICRS), or about the middle of the image."""
    if ra_deg is not None and dec_deg is not None:
        (view,) = views_of(sky, np.array([ra_deg]), np.array([dec_deg]))
    else:
        height, width = sky.pixels.shape
        (view,) = _views(sky, np.array([(width - 1) / 2]), np.array([(height - 1) / 2]))
    if isinstance(view, ImageRefusal):
        raise view
    return view


def views_of(sky: SkyImage, ra_deg: np.ndarray, dec_deg: np.ndarray) -> list[View | ImageRefusal]:
    """The views about many positions (ICRS), float64 (count,), in hardly more time than about one; or why there is none."""
    where = [f"{ra:.5f} {dec:+.5f}" for ra, dec in zip(ra_deg, dec_deg, strict=True)]
    if sky.wcs is None:
        expected = "a WCS that {} can be found by"
        found, do = "no sky position in the header", "Drop --ra --dec."
        return [ImageRefusal("outside", sky.name, found, expected.format(each), do) for each in where]
    height, width = sky.pixels.shape
    columns, rows = on_pixels(sky.wcs, ra_deg, dec_deg)
    inside = (columns >= -0.5) & (columns <= width - 0.5) & (rows >= -0.5) & (rows <= height - 0.5)
    views = iter(_views(sky, columns[inside], rows[inside]))
    return [next(views) if there else _outside(sky, each) for there, each in zip(inside, where, strict=True)]


def _views(sky: SkyImage, columns: np.ndarray, rows: np.ndarray) -> list[View | ImageRefusal]:
    """The views about places of the image."""
    upright = MIRABEST.scale_arcsec * np.diag([-1.0, 1.0])
    matrices = [upright] * len(columns) if sky.wcs is None else all_steps(sky.wcs, columns, rows)
    found, expected, do = "a WCS that gives no position at the target", "one that does", "Correct the header."
    nowhere = ImageRefusal("absurd_scale", sky.name, found, expected, do)
    views = [View(float(column), float(row), matrix) for column, row, matrix in zip(columns, rows, matrices, strict=True)]
    return [view if math.isfinite(view.scale) else nowhere for view in views]


def _outside(sky: SkyImage, where: str) -> ImageRefusal:
    height, width = sky.pixels.shape
    ra, dec = position(sky.wcs, (width - 1) / 2, (height - 1) / 2)
    words = f"{where} is not in the image (centre {ra:.5f} {dec:+.5f})"
    return ImageRefusal("outside", sky.name, words, "a position inside", "Choose the file that covers it.")


def field_of(sky: SkyImage, view: View) -> tuple[float, float]:
    """Width and height of the image on the sky, arcsec."""
    height, width = sky.pixels.shape
    return width * view.sides[0], height * view.sides[1]


def smaller_than_crop(sky: SkyImage, view: View) -> bool:
    """Whether the image must be filled up with empty sky to be what a network sees."""
    return min(field_of(sky, view)) < MIRABEST.size_arcsec * (1 - SAME_SCALE)


def edge_of(sky: SkyImage, view: View) -> float:
    """From the target to the nearest edge of the image, arcsec."""
    height, width = sky.pixels.shape
    beside = min(view.column + 0.5, width - 0.5 - view.column) * view.sides[0]
    return min(beside, min(view.row + 0.5, height - 0.5 - view.row) * view.sides[1])


def check_size(sky: SkyImage, view: View) -> None:
    """Refuse a field that is too small, or too small on one side of the target, and pixels that cannot be brought to 1.8 arcsec."""
    (height, width), (wide, high) = sky.pixels.shape, field_of(sky, view)
    across = f"{view.scale:.3g}" if max(view.sides) < 1.01 * min(view.sides) else f"{view.sides[0]:.3g} x {view.sides[1]:.3g}"
    if min(wide, high) < LEAST_FIELD * (1 - SAME_SCALE):
        size = f"{wide:.4g} x {high:.4g} arcsec, {width} x {height} pixels of {across}"
        if sky.wcs is None:
            size = f"{width} x {height} pixels without a scale in the header, taken as {MIRABEST.scale_arcsec}"
        expected = f"{LEAST_FIELD:.0f} arcsec or more, better {MIRABEST.size_arcsec:.0f}"
        raise ImageRefusal(
            "too_small", sky.name, f"field smaller than {LEAST_FIELD:.0f} arcsec ({size})", expected, "Take a larger cutout."
        )
    for scale in (view.scale,) if sky.wcs is None else (nominal_scale(sky.wcs), view.scale):
        if not of_use(scale):
            if scale > NO_RADIO_IMAGE:
                words, do = f"pixels of {scale:.3g} arcsec", "Correct CDELT or CD in the header."
            elif scale > SCALES_ARCSEC[1]:
                words, do = f"pixels of {scale:.3g} arcsec, too coarse for the networks", "Take an image of finer resolution."
            else:
                words, do = f"pixels of {scale:.3g} arcsec, too fine", "Average them first."
            raise ImageRefusal("absurd_scale", sky.name, words, f"{SCALES_ARCSEC[0]:g} to {SCALES_ARCSEC[1]:g}", do)
    if smaller_than_crop(sky, view) and (edge := edge_of(sky, view)) < LEAST_FIELD / 2 * (1 - SAME_SCALE):
        words = f"target {edge:.3g} arcsec from the edge of a field of {wide:.4g} x {high:.4g} arcsec"
        expected = f"{LEAST_FIELD / 2:.0f} arcsec or more on every side in a field smaller than {MIRABEST.size_arcsec:.0f}"
        raise ImageRefusal("too_small", sky.name, words, expected, "Take a file that has the target farther inside.")
