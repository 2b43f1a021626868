"""Pixels mean the same however a file stores them: undefined integers, foreign byte order, zeros in compressed tiles."""

import numpy as np
import pytest
from astropy.io import fits
from sky_files import header, sky

from equiradio.sky.fits import read_cutout

STEP = 1e-6


def stored_as_integers(path, pixels):
    hdu = fits.PrimaryHDU(np.where(np.isfinite(pixels), np.round(pixels / STEP), -(2**31)).astype(np.int32), header())
    hdu.header["BLANK"], hdu.header["BSCALE"] = -(2**31), STEP
    hdu.writeto(path)
    return path


def test_undefined_pixels_of_integers_are_not_finite(tmp_path):
    pixels = sky()
    pixels[100:110, 100:120] = np.nan
    found = read_cutout(stored_as_integers(tmp_path / "a.fits", pixels))
    assert "nonfinite" in found.flags
    assert np.isnan(found.pixels).sum() == 200
    assert np.nanmin(found.pixels) > -0.01


def test_pixels_have_the_bytes_of_this_machine(tmp_path):
    pixels = sky()
    fits.PrimaryHDU(pixels, header()).writeto(tmp_path / "a.fits")
    assert not fits.getdata(tmp_path / "a.fits").dtype.isnative  # what astropy opens is big-endian
    found = read_cutout(tmp_path / "a.fits")
    assert (found.pixels.dtype, found.pixels.dtype.isnative) == (np.float32, True)
    assert found.pixels.max() == pixels.max()


@pytest.mark.parametrize("method", [-1, 2])
def test_zeros_that_compression_keeps_are_blank(tmp_path, method):
    pixels = sky()
    pixels[:, :75] = 0
    fits.CompImageHDU(pixels, header(), quantize_method=method).writeto(tmp_path / "a.fits")
    assert "zero_filled" in read_cutout(tmp_path / "a.fits").flags
