"""Zeros that no noise explains are blank; maps that hold no source are refused; the field's finite pixels are counted."""

import numpy as np
import pytest
from astropy.io import fits
from sky_files import DEC, RA, header, sky, write

from equiradio.errors import ImageRefusal
from equiradio.sky.blanks import ZEROS, blanked
from equiradio.sky.fits import read_cutout
from equiradio.sky.mosaic import Mosaic

AREAS = {"frame": (slice(0, 60), slice(None)), "half": (slice(None), slice(225, None)), "corner": (slice(240, None), slice(200, None))}


@pytest.mark.parametrize("area", AREAS)
def test_areas_of_zeros_answer_as_areas_of_nan(tmp_path, area):
    cutouts = []
    for fill in (0.0, np.nan):
        pixels = sky()
        pixels[AREAS[area]] = fill
        cutouts.append(read_cutout(write(tmp_path / f"{fill}.fits", pixels)))
    assert np.array_equal(cutouts[0].image, cutouts[1].image)
    assert np.array_equal(cutouts[0].pixels, cutouts[1].pixels, equal_nan=True)
    assert cutouts[0].flags == cutouts[1].flags | {"zero_filled"}


def test_a_hole_of_zeros_in_the_crop_counts_as_not_finite(tmp_path):
    pixels = sky()
    pixels[90:130, 90:110] = 0
    assert {"zero_filled", "nonfinite"} <= read_cutout(write(tmp_path / "a.fits", pixels)).flags
    pixels[90:150, 90:140] = 0
    with pytest.raises(ImageRefusal, match="are not finite or blank areas of exact zeros"):
        read_cutout(write(tmp_path / "b.fits", pixels))


@pytest.mark.parametrize("step", [2e-5, 1e-4, 2e-4])
def test_zeros_of_images_stored_as_few_integers_are_noise(tmp_path, step):
    pixels = (np.round(sky() / step) * step).astype(np.float32)
    share = (pixels == 0).mean()
    assert share > ZEROS
    assert not blanked(pixels)[1]
    assert "zero_filled" not in read_cutout(write(tmp_path / "a.fits", pixels)).flags


@pytest.mark.parametrize("level", [4, 16])
def test_zeros_of_noise_that_was_compressed_row_by_row_are_noise(tmp_path, level):
    """Every row has levels of its own, and all of them zero: no other value is nearly as frequent (astropy's default is no dither)."""
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(sky(), header(), quantize_level=level)]).writeto(tmp_path / "a.fits.fz")
    pixels = fits.getdata(tmp_path / "a.fits.fz", 1)
    assert (pixels == 0).mean() > 0.02
    assert blanked(pixels)[0] is pixels
    assert not read_cutout(tmp_path / "a.fits.fz").flags & {"zero_filled", "nonfinite"}
    with Mosaic(tmp_path / "a.fits.fz") as mosaic:
        assert mosaic.finite_shares(np.array([RA]), np.array([DEC])).item() == 1


def test_beside_an_area_of_zeros_those_of_compressed_noise_stay(tmp_path):
    """A mosaic that ends in the field, compressed without dither: a tenth of the noise is exact zeros, and none of it is blank."""
    light = sky()
    light[:60] = 0
    hdu = fits.CompImageHDU(light, header(), compression_type="RICE_1", quantize_method=-1, quantize_level=4)
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(tmp_path / "a.fits.fz")
    pixels = fits.getdata(tmp_path / "a.fits.fz", 1)
    assert (pixels[61:] == 0).mean() > 0.05
    blank = np.isnan(blanked(pixels)[0])
    assert blank[:60].all()
    assert blank[61:].mean() < 0.001
    flags = read_cutout(tmp_path / "a.fits.fz").flags
    assert ("zero_filled" in flags, "nonfinite" in flags) == (True, False)
    with Mosaic(tmp_path / "a.fits.fz") as mosaic:
        assert mosaic.finite_shares(np.array([RA]), np.array([DEC]), 540.0).item() == pytest.approx(0.8, abs=0.005)


def test_few_zeros_are_left_as_first_itself_has_them():
    """A FIRST cutout of the sample holds 1,663 zeros, and its published image counts them as noise."""
    pixels = sky()
    pixels[107:300, 8:17] = 0
    assert blanked(pixels)[0] is pixels


def test_the_law_of_zeros_catches_zeros_taken_for_noise(tmp_path, monkeypatch):
    monkeypatch.setattr("equiradio.sky.cutout.blanked", lambda pixels: (pixels, False))
    with pytest.raises(AssertionError):
        test_areas_of_zeros_answer_as_areas_of_nan(tmp_path, "half")


def smooth_map(kind):
    """A noise map, one with bumps around bright sources, a mask, a flat image."""
    rows, columns = np.indices((300, 300)) - 149.5
    bumps = np.exp(-(rows**2 + (columns - 30) ** 2) / (2 * 20**2)) + np.exp(-((rows + 50) ** 2 + columns**2) / (2 * 25**2))
    noise = 1e-4 * (1 + 0.2 * np.sin(columns / 90) + 0.1 * np.cos(rows / 70))
    if kind == "mask":
        return np.where(bumps > 0.5, 1, 2).astype(np.float32)
    return {"noise": noise, "bumps": noise * (1 + 3 * bumps), "flat": np.ones_like(noise)}[kind].astype(np.float32)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("noise", "as in a noise or background map"),
        ("bumps", "as in a noise or background map"),
        ("mask", "as in a mask"),
        ("flat", "alike"),
    ],
)
def test_maps_without_a_source_are_refused_in_words(tmp_path, kind, words):
    with pytest.raises(ImageRefusal, match=words) as caught:
        read_cutout(write(tmp_path / "a.fits", smooth_map(kind)))
    assert caught.value.flag == "blank"


def test_a_source_on_a_raised_sky_is_answered_and_flagged(tmp_path):
    assert read_cutout(write(tmp_path / "a.fits", sky() + np.float32(8e-4))).flags == {"raised_sky", "cut_off"}
    assert not read_cutout(write(tmp_path / "b.fits", sky() + np.float32(0.5e-4))).flags


def test_small_field_counts_finite_pixels_of_the_field_that_was_used(tmp_path):
    framed = np.full((300, 300), np.nan, np.float32)
    framed[60:240, 60:240] = sky()[60:240, 60:240]
    assert read_cutout(write(tmp_path / "a.fits", framed)).flags == {"small_field"}
    turned = read_cutout(write(tmp_path / "b.fits", sky(), header(turn_deg=45)))
    assert turned.flags == {"reprojected", "small_field"}
    assert read_cutout(write(tmp_path / "c.fits", sky(440), header(440, turn_deg=45))).flags == {"reprojected"}


def test_oblong_pixels_keep_the_whole_noise_field(tmp_path):
    cards = header(600, 1.8)
    cards["PC2_2"], cards["CRPIX2"] = 7.2 / 3600, 75.5
    pixels = sky(600).reshape(150, 4, 600).mean(1)
    assert read_cutout(write(tmp_path / "a.fits", pixels, cards)).flags == {"reprojected", "other_beam"}
