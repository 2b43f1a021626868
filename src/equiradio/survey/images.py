"""The images of a survey: which files, and what of the sky each of them covers."""

import glob
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from equiradio.errors import DataRefusal, ImageRefusal
from equiradio.sky.beside import corners_of, same_pixels
from equiradio.sky.fits import FITS as SUFFIXES
from equiradio.sky.frames import unit_vectors
from equiradio.sky.listing import Note, images_among, passed_over
from equiradio.sky.mosaic import Mosaic
from equiradio.sky.recipe import Recipe
from equiradio.survey.companions import named_otherwise, read_at, without_sky, without_source

ENOUGH = 0.95  # of the pixels around a source that are finite, for an image to be good enough
OPTION = "--images"
NOTHING_INSIDE = np.empty(0, int), np.empty(0)  # of an image that is left out
Progress = Callable[[str, int, int], object]


@dataclass(frozen=True)
class Listed:
    """A file, and its place in the order of preference (0 first)."""

    file: Path
    rank: int


def image_files(given: Sequence[str], beside: Sequence[str] = (), note: Note = lambda line: None) -> list[Listed]:
    """The files that are named, those of folders, and those that patterns match, by name.

    Parameters
    ----------
    given : in order of preference.
    beside : one choice with the first of these.
    note : is given a line for each folder with pictures that no survey takes.

    Raises
    ------
    DataRefusal : nothing there.
    """
    listed: dict[Path, Listed] = {}
    for rank, name in [*((0, name) for name in (*given[:1], *beside)), *enumerate(given[1:], 1)]:
        path = Path(name)
        if path.is_dir():
            files, others = images_among(path.iterdir(), SUFFIXES)
            if others and files:
                note(f"{path}: {passed_over(others, SUFFIXES)}; a survey takes FITS")
            what = f"a folder without any {', '.join(SUFFIXES)}"
        else:
            files = [path] if path.exists() else sorted(map(Path, glob.glob(name, recursive=True)))
            what = "no such file, and a pattern that matches none" if glob.has_magic(name) else "no such file or folder"
        if not files:
            raise DataRefusal(f"{OPTION} {name}", what, "FITS images, a folder of them, or a pattern in quotes", "Check the path.")
        for file in files:
            listed.setdefault(file, Listed(file, rank))
    return list(listed.values())


def refuse_absent(given: Sequence[str]) -> None:
    """Refuse names and patterns that stand for nothing, without listing what others stand for."""
    for name in given:
        if not Path(name).exists() and next(glob.iglob(name, recursive=True), None) is None:
            image_files([name])


@dataclass
class Coverage:
    """For each position the image that covers it best so far.

    Attributes
    ----------
    image : int (positions,), place of the image in the list; -1 for none.
    candidates : of each image the positions that lie in it, with the distance to its nearest edge in arcsec.
    unusable : files that cannot be opened, show no source where others with the same pixels do, or no sky where others show a source,
        or are other maps than these by their names, with what is wrong with them.
    alike : groups of other images that have the same pixels and the same preference.
    """

    image: np.ndarray
    candidates: list[tuple[np.ndarray, np.ndarray]]
    unusable: dict[int, ImageRefusal]
    alike: list[list[int]]


def best_images(
    images: Sequence[Listed],
    ra_deg: np.ndarray,
    dec_deg: np.ndarray,
    recipe: Recipe,
    options: Mapping[str, Any],
    progress: Progress = lambda what, done, total: None,
) -> Coverage:
    """Choose an image for each finite position (degrees, ICRS).

    Of several that cover it, one whose pixels the recipe can use goes before the others, and then one with `ENOUGH` finite pixels around
    it; then the order of preference decides, then the share of finite pixels, then the distance to the image's edge, then the order of the
    files.
    """
    candidates, serves, corners, unusable = _candidates(images, _Near(ra_deg, dec_deg), recipe, options, progress)
    beside, alike = _beside(images, corners, candidates, ra_deg, dec_deg, recipe, options)
    _leave_out(beside, candidates)
    no_sky = _no_sky(images, candidates, ra_deg, dec_deg, recipe, options, progress)
    _leave_out(no_sky, candidates)
    unusable |= beside | no_sky
    alike = [rest for group in alike if len(rest := [number for number in group if number not in unusable]) > 1]
    count = _counts(candidates, len(ra_deg))
    best = np.full(len(ra_deg), -1)
    scores = np.full((len(ra_deg), 5), -np.inf)
    for number, (places, edge) in enumerate(candidates):
        share = np.ones(len(places))
        contested = np.flatnonzero(count[places] > 1)
        if len(contested):
            at = places[contested]
            share[contested] = _finite_shares(images[number].file, ra_deg[at], dec_deg[at], recipe, options)
        use, preferred = (np.full(len(places), value) for value in (serves[number], -images[number].rank))
        mine = np.stack([use, share >= ENOUGH, preferred, share, edge], 1).astype(float)
        better = _greater(mine, scores[places])
        best[places[better]], scores[places[better]] = number, mine[better]
        progress("images compared", number + 1, len(candidates))
    return Coverage(best, candidates, dict(sorted(unusable.items())), alike)


def _leave_out(reasons: Mapping[int, ImageRefusal], candidates: list[tuple[np.ndarray, np.ndarray]]) -> None:
    """No position lies in these images any more."""
    for number in reasons:
        candidates[number] = NOTHING_INSIDE


def _beside(
    images: Sequence[Listed],
    corners: Mapping[int, np.ndarray],
    candidates: Sequence[tuple[np.ndarray, np.ndarray]],
    ra_deg: np.ndarray,
    dec_deg: np.ndarray,
    recipe: Recipe,
    options: Mapping[str, Any],
) -> tuple[dict[int, ImageRefusal], list[list[int]]]:
    """Of images with the same pixels those that are maps beside another, with why; and groups of the others with the same preference."""
    reasons: dict[int, ImageRefusal] = {}
    alike: list[list[int]] = []
    for group in same_pixels(corners):
        empty = without_source([images[number].file for number in group], candidates[group[0]][0], ra_deg, dec_deg, recipe, options)
        reasons |= {group[place]: why for place, why in empty.items()}
        for rest in _alike([number for number in group if number not in reasons], images):
            other = named_otherwise([images[number].file for number in rest])
            reasons |= {rest[place]: why for place, why in other.items()}
            alike.append([number for number in rest if number not in reasons])
    return reasons, alike


def _counts(candidates: Sequence[tuple[np.ndarray, np.ndarray]], positions: int) -> np.ndarray:
    """In how many images each position lies."""
    count = np.zeros(positions, int)
    for places, _ in candidates:
        count[places] += 1
    return count


def _no_sky(
    images: Sequence[Listed],
    candidates: Sequence[tuple[np.ndarray, np.ndarray]],
    ra_deg: np.ndarray,
    dec_deg: np.ndarray,
    recipe: Recipe,
    options: Mapping[str, Any],
    progress: Progress,
) -> dict[int, ImageRefusal]:
    """Maps of noise and the like on pixels of their own beside images that they overlap, and why they are taken for such."""
    inside, count = [places for places, _ in candidates], _counts(candidates, len(ra_deg))
    read = lambda number, place: read_at(images[number].file, ra_deg[[place]], dec_deg[[place]], recipe, options)[0]
    reasons: dict[int, ImageRefusal] = {}
    for number, mine in enumerate(inside):
        why = without_sky(number, inside, mine[count[mine] > 1], read)
        reasons |= {} if why is None else {number: why}
        progress("images looked at", number + 1, len(inside))
    return reasons


def _alike(group: Sequence[int], images: Sequence[Listed]) -> list[list[int]]:
    """Of images with the same pixels those between which no preference decides."""
    by_rank: dict[int, list[int]] = {}
    for number in group:
        by_rank.setdefault(images[number].rank, []).append(number)
    return [each for each in by_rank.values() if len(each) > 1]


def _candidates(
    images: Sequence[Listed], near: "_Near", recipe: Recipe, options: Mapping[str, Any], progress: Progress
) -> tuple[list[tuple[np.ndarray, np.ndarray]], np.ndarray, dict[int, np.ndarray], dict[int, ImageRefusal]]:
    """Of each image what `Coverage` says of it, whether the recipe can use its pixels, its corners; and those that cannot be opened."""
    candidates, serves, corners, unusable = [], np.ones(len(images), bool), {}, {}
    for number, each in enumerate(images):
        try:
            with Mosaic(each.file, **options) as mosaic:
                candidates.append(_inside(mosaic, near))
                serves[number], corners[number] = mosaic.serves(recipe), corners_of(mosaic.image.wcs, mosaic.image.pixels.shape)
        except ImageRefusal as refusal:
            unusable[number] = refusal
            candidates.append(NOTHING_INSIDE)
        progress("images", number + 1, len(images))
    return candidates, serves, corners, unusable


def _greater(these: np.ndarray, those: np.ndarray) -> np.ndarray:
    """Which rows are greater, the first column first."""
    greater, equal = np.zeros(len(these), bool), np.ones(len(these), bool)
    for mine, theirs in zip(these.T, those.T, strict=True):
        greater |= equal & (mine > theirs)
        equal &= mine == theirs
    return greater


class _Near:
    """Positions on the sky, by which an image's neighbours are looked up without asking its WCS about all of them."""

    def __init__(self, ra_deg: np.ndarray, dec_deg: np.ndarray) -> None:
        from scipy.spatial import cKDTree

        self.ra_deg, self.dec_deg = ra_deg, dec_deg
        self.usable = np.flatnonzero(np.isfinite(ra_deg + dec_deg))
        self.tree = cKDTree(unit_vectors(ra_deg[self.usable], dec_deg[self.usable]))

    def about(self, vector: np.ndarray, chord: float) -> np.ndarray:
        """Numbers of the positions within a chord of a unit vector, in their order."""
        return self.usable[np.sort(np.array(self.tree.query_ball_point(vector, chord), int))]


def _inside(mosaic: Mosaic, near: _Near) -> tuple[np.ndarray, np.ndarray]:
    """Which positions lie in an image, and how far from its nearest edge, arcsec."""
    from equiradio.sky.positions import nominal_scale

    numbers = near.about(*disc_of(mosaic))
    if not len(numbers):
        return numbers, np.empty(0)
    margins = mosaic.margins(near.ra_deg[numbers], near.dec_deg[numbers])
    inside = margins >= 0
    return numbers[inside], margins[inside] * nominal_scale(mosaic.image.wcs)


def disc_of(mosaic: Mosaic) -> tuple[np.ndarray, float]:
    """A disc on the sky that holds an image: the unit vector of its middle, and the chord to its rim (beyond 2 for the whole sky)."""
    from equiradio.sky.positions import on_sky

    height, width = mosaic.image.pixels.shape
    columns, rows = _border(width, height)
    with np.errstate(invalid="ignore"):
        places = unit_vectors(*on_sky(mosaic.image.wcs, columns, rows))
    centre = places.mean(0)
    length = float(np.linalg.norm(centre))
    if np.isfinite(length) and length > 0.1:
        centre = centre / length
        return centre, 1.02 * float(np.linalg.norm(places - centre, axis=1).max()) + 1e-6
    return np.array([1.0, 0.0, 0.0]), 2.1  # most of the sky, with corners beyond it


def _border(width: int, height: int, steps: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """Columns and rows of places along the edges of an image and at its centre."""
    along, down = np.linspace(-0.5, width - 0.5, steps), np.linspace(-0.5, height - 0.5, steps)
    columns = np.concatenate([along, along, np.full(steps, -0.5), np.full(steps, width - 0.5), [(width - 1) / 2]])
    rows = np.concatenate([np.full(steps, -0.5), np.full(steps, height - 0.5), down, down, [(height - 1) / 2]])
    return columns, rows


def _finite_shares(file: Path, ra_deg: np.ndarray, dec_deg: np.ndarray, recipe: Recipe, options: Mapping[str, Any]) -> np.ndarray:
    """Of the pixels that each cutout would take, the share that an image has."""
    from equiradio.sky.positions import nominal_scale

    with Mosaic(file, **options) as mosaic:
        side = recipe.size_arcsec if recipe.scale_arcsec else recipe.side * nominal_scale(mosaic.image.wcs)
        try:
            return mosaic.finite_shares(ra_deg, dec_deg, side)
        except ImageRefusal:  # cut short: its header can be read, its pixels cannot
            return np.zeros(len(ra_deg))


def in_order(image: np.ndarray, ra_deg: np.ndarray, dec_deg: np.ndarray) -> np.ndarray:
    """An order of rows by image, those without one last, and within an image by bands of declination, so that neighbours follow."""
    band = np.nan_to_num(np.floor(dec_deg * 20), nan=0.0)
    along = np.nan_to_num(ra_deg, nan=0.0)
    last = np.where(image < 0, np.iinfo(np.int64).max, image)
    return np.lexsort((np.arange(len(image)), along, band, last))
