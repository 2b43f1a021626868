"""Images on the same pixels, and names of what is no image of the sky."""

from pathlib import Path

import numpy as np
import pytest
from astropy.wcs import WCS
from sky_files import header

from equiradio.sky.beside import corners_of, other_words, same_pixels


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("image.i.EMU_0102-60.SB1234.cont.taylor.0.restored.conv.fits", []),
        ("image.i.EMU_0102-60.SB1234.cont.taylor.1.restored.conv.fits", ["taylor.1"]),
        ("componentResidual_image.i.RACS_0000-12.cont.taylor.0.fits", ["component", "residual"]),
        ("noiseMap.image.i.RACS_0000-12.fits", ["noise"]),
        ("VLASS1.1.ql.T01t01.I.iter1.image.pbcor.tt0.subim.fits", []),
        ("VLASS1.1.ql.T01t01.I.iter1.image.pbcor.tt1.rms.subim.fits", ["rms", "tt1"]),
        ("field-MFS-image-pb.fits", []),
        ("P192+20_mosaic-blanked.fits", []),
        ("P192+20_mosaic.resid.fits.gz", ["resid"]),
        ("bettermodelled_unmasked_rms10_tt10_sensible.fits", []),
        ("GLEAM_170-231MHz_bkg.fits", ["bkg"]),
    ],
)
def test_words_of_other_maps_in_names(name, words):
    assert other_words(Path("residual") / name) == words  # a folder's name says nothing


def test_images_have_the_same_pixels_where_their_corners_are_within_a_fraction_of_one():
    first, third = WCS(header(100)), WCS(header(100))
    second, moved = first.deepcopy(), first.deepcopy()
    second.wcs.crpix += 0.1
    moved.wcs.crpix += 0.8
    corners = {number: corners_of(wcs, (100, 100)) for number, wcs in enumerate((first, second, moved, third))}
    corners[4] = corners_of(first, (100, 101))
    corners[5] = np.full(12, np.nan)
    assert same_pixels({number: corners[number] for number in (0, 1, 3, 4, 5)}) == [[0, 1, 3]]
    assert same_pixels({number: corners[number] for number in (0, 2, 4)}) == []
