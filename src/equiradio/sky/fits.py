"""Image files, or the bytes of an upload, to cutouts: FITS (plain, gzipped, tile-compressed), and PNG or NPY in MiraBest form.

`read_cutout` is the one call that classifying needs; `read_image` gives the whole plane; `mirabest_image` the exact MiraBest pixels.
"""

import io
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from equiradio.errors import ImageRefusal
from equiradio.printable import some_of
from equiradio.sky.axes import Axes, Plane, axes_of, frequency_of, image_of, is_intensity, planes_of
from equiradio.sky.beams import GivenBeam, beam_of, history
from equiradio.sky.cards import Cards
from equiradio.sky.choices import check_choices
from equiradio.sky.contents import CHANGED, LIMITS, SIMPLE, FileBytes, Limits, content_of, in_words, not_fits
from equiradio.sky.cutout import MAX_NONFINITE, cut
from equiradio.sky.images import Cutout, SkyImage
from equiradio.sky.pictures import NPY, PNG, from_pixels, picture, refuse_choices
from equiradio.sky.positions import celestial, nominal_scale
from equiradio.sky.stored import Pixels, StoredPlane
from equiradio.sky.target import of_use
from equiradio.sky.tiled import AT_ONCE, TiledPlane
from equiradio.sky.tiles import decoded

__all__ = ["mirabest_image", "read_cutout", "read_image"]

FITS = (".fits", ".fit", ".fts", ".fits.gz", ".fit.gz", ".fits.fz")  # how names of files end
SUFFIXES = (*FITS, ".png", ".npy")
COPIED = ("OBJECT", "TELESCOP", "INSTRUME", "OBSERVER", "DATE-OBS")  # texts that products keep
VISIBILITIES = ("UV_DATA", "AIPS UV", "MAIN", "ARRAY_GEOMETRY")  # tables of a file that holds visibilities


def mirabest_image(path: str | Path) -> np.ndarray:
    """The uint8 (150, 150) image that MiraBest holds of a FIRST cutout, bit for bit."""
    return read_cutout(path).image


def read_cutout(
    file: str | Path | bytes,
    name: str | None = None,
    *,
    hdu: int | None = None,
    plane: Plane = None,
    ra_deg: float | None = None,
    dec_deg: float | None = None,
    max_nonfinite: float = MAX_NONFINITE,
    beam: GivenBeam | None = None,
    limits: Limits = LIMITS,
) -> Cutout:
    """What a network is shown of a file, or of an upload's bytes.

    Parameters
    ----------
    name : for messages; by default the path as given.
    hdu, plane : which HDU, and which plane of a cube; needed only where there are several. A plane is a number from 0, a value
        with its unit ("1.42GHz", "250km/s") or a Stokes letter; of two axes one for each ("12,I").
    ra_deg, dec_deg : ICRS position to cut around; by default the image's centre.
    max_nonfinite : share of the crop, 0..1, that may be not finite.
    beam : of what states none, pictures too: one or two full widths at half maximum in arcsec and a position angle in degrees; a number,
        several, or text as on the command line ("6.4,5.4,0").
    limits : larger files and images are refused.

    Raises
    ------
    ImageRefusal : it cannot be read or used; its ``flag`` says in a word why. SettingRefusal : a choice that no file can meet.
    """
    check_choices(hdu=hdu, plane=plane, ra_deg=ra_deg, dec_deg=dec_deg, max_nonfinite=max_nonfinite, beam=beam)
    content, name = content_of(file, name, limits)
    if content.startswith((PNG, NPY)):
        refuse_choices(name, hdu=hdu, plane=plane, ra_deg=ra_deg, dec_deg=dec_deg)
        return from_pixels(name, picture(content, name), beam)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # illegal cards and old conventions: tolerated, and none is copied
        image = from_fits(content, name, limits, hdu, plane).with_beam(beam)
        with in_words(name, "an image that cannot be cut"):
            return cut(image, ra_deg, dec_deg, max_nonfinite)


def read_image(file: str | Path | bytes, name: str | None = None, *, hdu: int | None = None, plane: Plane = None) -> SkyImage:
    """The image plane of a FITS file; parameters and refusals as in `read_cutout`."""
    content, name = content_of(file, name, LIMITS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return from_fits(content, name, LIMITS, hdu, plane)


def from_fits(content: bytes, name: str, limits: Limits, hdu: int | None = None, plane: Plane = None) -> SkyImage:
    """The image plane of the bytes of a FITS file; parameters and refusals as in `read_cutout`."""
    from astropy.io import fits

    if not content.startswith(SIMPLE):
        raise not_fits(content, name)
    with in_words(name, "FITS that cannot be understood"), fits.open(io.BytesIO(content), memmap=False, lazy_load_hdus=True) as hdus:
        return image_in(hdus, content, name, hdu, plane, limits)


def image_in(hdus: Any, content: bytes | FileBytes, name: str, number: int | None, plane: Plane, limits: Limits) -> SkyImage:
    """The image of an opened FITS file with what its header says of it.

    Parameters
    ----------
    hdus : astropy's, which must stay open where ``content`` is not all in memory.
    content : the bytes that they are of; of a file's the pixels stay there (`StoredPlane`, `TiledPlane`), unless few are compressed.
    """
    number, hdu = _chosen(hdus, content, name, number, limits)
    cards = Cards(hdu.header)
    axes = axes_of(cards, tuple(hdu.shape), name)
    wcs, flags = celestial(hdu.header, axes, name) if axes.celestial else (None, set[str]())
    scale = None if wcs is None else nominal_scale(wcs)
    coarse = "" if scale is None or of_use(scale) else f", in pixels of {scale:.3g} arcsec that networks cannot use"
    chosen = planes_of(axes, cards, plane, name, coarse)
    pixels = _pixels(content, number, hdu, axes, chosen, name, limits)
    place = hdu.fileinfo()
    beam = beam_of(cards, history(content[place["hdrLoc"] : place["datLoc"]]), _beams(hdus), _beam_plane(axes, chosen))
    about: dict[str, Any] = {key: text[:68] for key in COPIED if (text := cards.text(key)).isascii() and text.isprintable() and text}
    rest = cards.number("RESTFRQ") or cards.number("RESTFREQ")
    unit = (cards.text("BUNIT") or cards.text("UNITS"))[:40]
    flags |= {"unusable_cards"} if cards.unusable else set()
    flags |= set() if is_intensity(axes, cards, chosen) else {"other_quantity"}
    about |= {"RESTFRQ": rest} if rest else {}
    return SkyImage(name, number, pixels, wcs, beam, unit, frozenset(flags), about, frequency_of(axes, cards, chosen, rest))


def _pixels(content: bytes | FileBytes, number: int, hdu: Any, axes: Axes, chosen: dict[int, int], name: str, limits: Limits) -> Pixels:
    """The plane's pixels, float32."""
    from astropy.io import fits

    if isinstance(hdu, fits.CompImageHDU):
        if isinstance(content, FileBytes) and math.prod(hdu.shape) > AT_ONCE:
            return TiledPlane(content, number, axes, chosen, name)
        data = decoded(content[:], number, name, min(limits.pixels, LIMITS.pixels))
    elif isinstance(content, FileBytes):
        return StoredPlane(content, hdu, axes, chosen)
    else:
        data = np.asarray(hdu.data)
    with np.errstate(over="ignore"):
        return image_of(data, axes, chosen).astype(np.float32)


def _beams(hdus: Any) -> Any:
    """casa's table of beams, or None."""
    return next((hdu for hdu in hdus if hdu.name == "BEAMS" and not hdu.is_image), None)


def _beam_plane(axes: Axes, chosen: dict[int, int]) -> tuple[int, int]:
    """Channel and polarisation of the plane."""
    stokes = [axis.number for axis in axes.others if axis.kind.startswith("STOKES")]
    channels = [chosen[axis.number] for axis in axes.others if axis.number not in stokes]
    return max(channels, default=0), chosen[stokes[0]] if stokes else 0


def _chosen(hdus: Any, content: bytes | FileBytes, name: str, number: int | None, limits: Limits) -> tuple[int, Any]:
    """The HDU that holds the image, its size checked against the file before any pixel is read."""
    kinds, images = [], {}
    for index, hdu in enumerate(hdus):
        shape = tuple(hdu.shape) if hdu.is_image else ()
        kinds.append(f"{index} {hdu.name or 'unnamed'} {_kind(hdu, shape)}")
        if math.prod(map(float, shape or (0,))) > limits.pixels:
            words = f"its header promises {' x '.join(f'{side:,}' for side in shape)} pixels"
            raise ImageRefusal("too_large", name, words, f"at most {limits.pixels:,}", "Cut the source out first.")
        place = hdu.fileinfo() or {}
        end = place.get("datLoc", 0) + min(hdu.size, place.get("datSpan", 0))  # padding may be missing; of tiles, size is that unpacked
        if end > len(content):
            words = f"file has {len(content):,} bytes but its header promises {place['datLoc'] + place['datSpan']:,}"
            raise ImageRefusal("truncated", name, words, "a whole file", CHANGED)
        if shape and 0 not in shape:
            images[index] = hdu
    return _only(images, kinds, name, number)


def _kind(hdu: Any, shape: tuple[int, ...]) -> str:
    if type(hdu).__name__ == "GroupsHDU" or hdu.name in VISIBILITIES:
        return "holds visibilities"
    if hdu.is_image:
        return "is an image" if shape else "is empty"
    return f"is a table of {hdu.header.get('NAXIS2', 0):,} rows"


def _only(images: dict[int, Any], kinds: list[str], name: str, number: int | None) -> tuple[int, Any]:
    """The one image, or the one asked for."""
    listed = some_of(kinds)
    if number is not None:
        if number not in images:
            raise ImageRefusal("no_image", name, f"HDU {number} holds no image ({listed})", "one 2-D image", "Choose another --hdu.")
        return number, images[number]
    if not images:
        do = "To classify the sources of a table use 'equiradio survey'." if "table" in listed else "Choose another file."
        do = "Make an image of the visibilities first." if "visibilities" in listed else do
        raise ImageRefusal("no_image", name, f"no HDU holds an image ({listed})", "one 2-D image", do)
    if len(images) > 1:
        choices = " or ".join(f"--hdu {index}" for index in list(images)[:4])
        raise ImageRefusal("several_images", name, f"{len(images)} HDUs hold images ({listed})", "one 2-D image", f"Choose with {choices}.")
    return next(iter(images.items()))
