"""Files and uploads as sources to look at: read as ``equiradio classify`` reads them, under smaller limits."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from equiradio.artefacts.flags import FLAGS
from equiradio.errors import ImageRefusal
from equiradio.serve.held import Held
from equiradio.sky.advice import without_options
from equiradio.sky.fits import Limits, read_cutout
from equiradio.sky.own import cutout_of
from equiradio.sky.recipe import MIRABEST, Recipe

LIMITS = Limits(bytes=136_000_000, pixels=16_000_000)
Advice = Callable[[ImageRefusal], ImageRefusal]
ONE_AT_A_TIME = threading.Lock()  # which warnings are shown is a setting of the whole process, and memory stays bounded


def read_source(
    file: bytes | Path, name: str, key: str, recipe: Recipe = MIRABEST, *, advice: Advice = without_options, **choices: Any
) -> Held:
    """The source in a file, or in an upload's bytes, by a recipe.

    ``choices`` are hdu, plane and beam; ``advice`` makes refusals fit the door.

    Raises
    ------
    ImageRefusal : as `equiradio.sky.fits.read_cutout`, and beyond `LIMITS`.
    """
    try:
        with ONE_AT_A_TIME:
            own = recipe != MIRABEST
            asked = {"name": name, "limits": LIMITS, **choices}
            cutout = cutout_of(file, recipe, **asked) if own else read_cutout(file, **asked)
    except ImageRefusal as refusal:
        raise advice(refusal) from None
    return Held(
        key,
        name,
        cutout.image,
        cutout.pixels,
        cutout.unit[:24],
        cutout.wcs,
        None,
        arcsec_per_pixel(cutout.wcs),
        cutout.beam,
        flags={flag.name: flag.meaning for flag in FLAGS if flag.name in cutout.flags},
        hdu=cutout.hdu,
        resampled=cutout.resampled,
        about=cutout.about,
        padded=cutout.padded,
        noise=cutout.noise,
        pixel_arcsec=cutout.pixel_arcsec,
        measurable=cutout.measurable,
        file_pixel_arcsec=cutout.file_pixel_arcsec,
        recipe=recipe,
    )


def arcsec_per_pixel(wcs: Any) -> float | None:
    """None where positions are unknown."""
    if wcs is None:
        return None
    from astropy.wcs.utils import proj_plane_pixel_scales

    return float(np.mean(proj_plane_pixel_scales(wcs)) * 3600)
