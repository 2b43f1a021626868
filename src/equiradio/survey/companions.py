"""Maps of noise, weights or masks beside an image of the sky, on its pixels or on others, which show no source where it does.

And those that show one, as a residual image or a map of spectral indices, which only their names tell from it.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from equiradio.errors import ImageRefusal
from equiradio.sky.beside import other_words
from equiradio.sky.blanks import NoSky
from equiradio.sky.images import Cutout
from equiradio.sky.mosaic import Mosaic
from equiradio.sky.recipe import Recipe

PROBES = 5  # positions at which images are asked for a source
NOTHING = "blank"  # flag of an image in which no source stands out
Read = list[Cutout | ImageRefusal]
Reader = Callable[[int, int], Cutout | ImageRefusal]


def without_source(
    files: Sequence[Path], inside: np.ndarray, ra_deg: np.ndarray, dec_deg: np.ndarray, recipe: Recipe, options: Mapping[str, Any]
) -> dict[int, ImageRefusal]:
    """Of images with the same pixels those that show no source where another does: place among ``files`` -> why.

    Parameters
    ----------
    inside : numbers of the positions that lie in them, of which a few are looked at.
    """
    if not len(inside):
        return {}
    some = _some(inside)
    reads = [read_at(file, ra_deg[some], dec_deg[some], recipe, options) for file in files]
    shows = [any(isinstance(each, Cutout) for each in read) for read in reads]
    blank = [next((each for each in read if isinstance(each, ImageRefusal) and each.flag == NOTHING), None) for read in reads]
    return {place: why for place, why in enumerate(blank) if why is not None and any(shows) and not shows[place]}


def named_otherwise(files: Sequence[Path]) -> dict[int, ImageRefusal]:
    """Of images that nothing else tells apart those whose names have more words of other maps than one of them has: place -> why."""
    words = [other_words(file) for file in files]
    fewest = min(map(len, words))
    image = files[[len(each) for each in words].index(fewest)]
    beside, do = f"beside {image}, which has the same pixels", "Name it without the other by --images if it is meant."
    why = lambda place: f"another map by its name ({', '.join(words[place])}) {beside}"
    return {
        place: ImageRefusal(NOTHING, file, why(place), "an image of the sky", do)
        for place, file in enumerate(files)
        if len(words[place]) > fewest
    }


def without_sky(number: int, inside: Sequence[np.ndarray], contested: np.ndarray, read: Reader) -> ImageRefusal | None:
    """Why an image that overlaps others on pixels of its own is a map of noise, of weights or a mask beside one of them; None if not.

    One that just shows no source may be a shallow image, other than on the same pixels. This one must show that it is no image of the
    sky, wherever it is looked at, and another a source at one of those positions.

    Parameters
    ----------
    inside : of each image the numbers of the positions that lie in it.
    contested : those of this image's that lie in others too.
    read : the cutout of an image about a position, or why there is none.
    """
    if not len(contested):
        return None
    why = None
    for place in np.union1d(_some(contested), _some(inside[number])):
        seen = read(number, place)
        if isinstance(seen, Cutout) or (seen.flag == NOTHING and not isinstance(seen, NoSky)):
            return None
        why = seen if isinstance(seen, NoSky) else why
    shows = lambda place: (other != number and place in of and isinstance(read(other, place), Cutout) for other, of in enumerate(inside))
    return why if why is not None and any(any(shows(place)) for place in _some(contested)) else None


def _some(numbers: np.ndarray) -> np.ndarray:
    """A few of them, from the first to the last."""
    return np.unique(numbers[np.linspace(0, len(numbers) - 1, PROBES).astype(int)])


def read_at(file: Path, ra_deg: np.ndarray, dec_deg: np.ndarray, recipe: Recipe, options: Mapping[str, Any]) -> Read:
    """The cutouts of an image about positions, or why there are none."""
    with Mosaic(file, **options) as mosaic:
        return mosaic.cutouts(ra_deg, dec_deg, recipe=recipe)
