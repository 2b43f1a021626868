"""Uploaded bytes: the recipe of MiraBest, and refusals before anything large is decoded."""

import gzip
import io
import zlib

import numpy as np
import pytest
from astropy.io import fits
from astropy.stats import sigma_clipped_stats
from astropy.wcs import WCS

from equiradio.errors import DataRefusal
from equiradio.serve import reading
from equiradio.serve.reading import read_source


def sky(side=200, seed=0):
    rng = np.random.default_rng(seed)
    plane = rng.normal(0, 1e-4, (side, side)).astype(np.float32)
    plane[side // 2 - 5 : side // 2 + 5, side // 2 - 20 : side // 2 + 20] += 5e-3
    return plane


def as_fits(plane, **cards):
    header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 180.0, "CRVAL2": 30.0, "BUNIT": "JY/BEAM"})
    header.update({"CDELT1": -1.8 / 3600, "CDELT2": 1.8 / 3600, "CRPIX1": plane.shape[-1] / 2 + 0.5, "CRPIX2": plane.shape[-2] / 2 + 0.5})
    header.update(cards)
    file = io.BytesIO()
    fits.PrimaryHDU(plane, header).writeto(file)
    return file.getvalue()


def test_the_recipe_is_that_of_mirabest():
    plane = sky()
    crop = plane[25:175, 25:175]
    kept = np.where(crop > 3 * sigma_clipped_stats(plane, sigma=3, maxiters=5)[2], crop, 0)
    expected = ((kept - kept.min()) / (kept.max() - kept.min()) * 255).astype(np.uint8)
    for content in (as_fits(plane), gzip.compress(as_fits(plane)), as_fits(plane[None, None])):
        source = read_source(content, "a.fits", "upload/a")
        assert np.array_equal(source.pixels, expected)
        assert np.array_equal(source.values, crop)


def test_positions_beam_and_unit_come_from_the_header():
    source = read_source(as_fits(sky(), BMAJ=5.4 / 3600, BMIN=4.5 / 3600, BPA=20.0), "a.fits", "upload/a")
    assert source.unit == "JY/BEAM"
    assert source.beam_arcsec == pytest.approx((5.4, 4.5))
    assert source.beam_pa_deg == 20
    assert source.arcsec_per_pixel == pytest.approx(1.8)
    assert WCS(fits.Header.fromstring(source.any_wcs().to_header_string())).wcs_pix2world([[74.5, 74.5]], 0)[0] == pytest.approx((180, 30))


def test_a_header_without_positions_is_flagged_and_shown():
    file = io.BytesIO()
    fits.PrimaryHDU(sky()).writeto(file)
    source = read_source(file.getvalue(), "a.fits", "upload/a")
    assert source.sky_grid() is None or "no_wcs" not in source.flags
    other = read_source(as_fits(sky(), CDELT1=-1e-3, CDELT2=1e-3), "a.fits", "upload/a")
    assert "arcsec" in other.flags["other_scale"]


def blank(share):
    plane = sky()
    plane[25 : 25 + int(150 * share)] = np.nan
    return plane


def broken(content, cut):
    return content[: len(content) // cut]


HUGE = as_fits(sky()).replace(b"NAXIS1  =                  200", b"NAXIS1  =          90000000000")
TABLE = io.BytesIO()
fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns([fits.Column("a", "J", array=[1, 2])])]).writeto(TABLE)
REFUSED = {
    "nothing": (b"", "an empty file"),
    "a text": (b"dear astronomer", "15 bytes that are no image known here"),
    "cut short": (broken(as_fits(sky()), 2), "cannot be read"),
    "gzip cut short": (broken(gzip.compress(as_fits(sky())), 2), "cut short"),
    "gzip of nonsense": (reading.GZIP + b"\x08nonsense" * 9, "cannot be unpacked"),
    "a header that promises too much": (HUGE, "90,000,000,000 pixels"),
    "a table": (TABLE.getvalue(), "no HDU holds an image (0 PRIMARY is empty"),
    "a cube": (as_fits(np.stack([sky(), sky()])), "2 x 200 x 200"),
    "too small": (as_fits(sky(120)), "image is 120 x 120"),
    "a hole": (as_fits(blank(0.5)), "are not finite"),
    "empty sky": (as_fits(np.zeros((200, 200), np.float32)), "no pixel above 3 sigma"),
    "a broken picture": (reading.PNG + b"nonsense", "a PNG that cannot be read"),
    "a broken array": (reading.NPY + b"nonsense", "an NPY file that cannot be read"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_source_is_refused_in_words(case):
    content, words = REFUSED[case]
    with pytest.raises(DataRefusal) as caught:
        read_source(content, "a.fits", "upload/a")
    assert words in str(caught.value)
    assert str(caught.value).startswith("a.fits: ")
    assert "\n" not in str(caught.value)


def test_a_small_file_that_unpacks_to_terabytes_is_stopped(monkeypatch):
    monkeypatch.setattr(reading, "MOST_BYTES", 1_000_000)
    bomb = zlib.compressobj(wbits=31)
    content = b"".join([*(bomb.compress(bytes(100_000)) for _ in range(100)), bomb.flush()])
    assert len(content) < 20_000
    with pytest.raises(DataRefusal, match="more than 1,000,000 bytes after gunzip"):
        read_source(content, "a.fits.gz", "upload/a")


def test_pictures_and_arrays_in_mirabest_form():
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, (150, 150)).astype(np.uint8)
    png, npy = io.BytesIO(), io.BytesIO()
    Image.fromarray(pixels).save(png, "PNG")
    np.save(npy, pixels)
    for content in (png.getvalue(), npy.getvalue()):
        assert np.array_equal(read_source(content, "a", "upload/a").pixels, pixels)
    large = io.BytesIO()
    np.save(large, np.zeros((151, 150), np.uint8))
    with pytest.raises(DataRefusal, match="image is 151 x 150"):
        read_source(large.getvalue(), "a.npy", "upload/a")
