"""Uploaded bytes: read as classifying reads them, ICRS positions, and refusals before anything large is decoded."""

import gzip
import io
import json
import zlib

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits

from equiradio.errors import ImageRefusal
from equiradio.serve import reading
from equiradio.serve.held import GRID
from equiradio.serve.reading import read_source
from equiradio.serve.sources_routes import described
from equiradio.sky.contents import GZIP, Limits
from equiradio.sky.fits import read_cutout
from equiradio.sky.pictures import NPY, PNG
from equiradio.sky.recipe import Recipe


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


def middle(source):
    """Where the sky grid puts the image's centre."""
    x, y, z = source.sky_grid()[GRID // 2][GRID // 2]
    return SkyCoord(x, y, z, representation_type="cartesian").spherical


@pytest.mark.parametrize("cards", [{}, {"CDELT1": -1.0 / 3600, "CDELT2": 1.0 / 3600}, {"CDELT1": 1.8 / 3600}])
def test_a_file_is_read_as_classifying_reads_it(cards, tmp_path):
    content = as_fits(sky(400), **cards)
    expected = read_cutout(content, "a.fits")
    (tmp_path / "a.fits").write_bytes(content)
    for file in (content, gzip.compress(content), as_fits(sky(400)[None, None], **cards), tmp_path / "a.fits"):
        source = read_source(file, "a.fits", "upload/a")
        assert np.array_equal(source.pixels, expected.image)
        assert np.array_equal(source.values, expected.pixels, equal_nan=True)
        assert set(source.flags) == expected.flags
        assert source.arcsec_per_pixel == pytest.approx(1.8)
    assert ("reprojected" in source.flags) == bool(cards)


def test_beam_and_unit_come_from_the_header():
    source = read_source(as_fits(sky(), BMAJ=5.4 / 3600, BMIN=4.5 / 3600, BPA=20.0), "a.fits", "upload/a")
    assert source.unit == "JY/BEAM"
    assert source.beam.ellipse == pytest.approx((5.4, 4.5, 20))
    assert read_source(as_fits(sky()), "a.fits", "upload/a").beam is None


@pytest.mark.parametrize("minor", [None, 4], ids=["no minor axis", "no angle"])
def test_a_beam_that_the_header_states_in_part_is_held_as_classifying_has_it(minor):
    content = as_fits(sky(), BMAJ=9 / 3600, BMIN="none" if minor is None else minor / 3600)
    beam, expected = read_source(content, "a.fits", "upload/a").cutout().beam, read_cutout(content).beam
    assert (beam.major, beam.ellipse) == (9, None)
    assert repr(beam) == repr(expected)
    shown = json.loads(described(read_source(content, "a.fits", "upload/a")).model_dump_json())
    assert (shown["beam_arcsec"], shown["beam_pa_deg"]) == ([9, minor and pytest.approx(minor)], None)


def test_the_pixels_of_the_file_are_those_that_the_command_has():
    file = as_fits(sky(), CDELT1=-3.6 / 3600, CDELT2=3.6 / 3600)
    assert read_source(file, "a.fits", "upload/a").cutout().file_pixel_arcsec == pytest.approx(3.6, rel=1e-3)


@pytest.mark.parametrize(("cards", "frame"), [({}, "icrs"), ({"RADESYS": "FK5", "EQUINOX": 2000.0}, "fk5"), ({"EQUINOX": 1950.0}, "fk4")])
def test_positions_are_icrs_whatever_the_frame_of_the_file(cards, frame):
    found = middle(read_source(as_fits(sky(), **cards), "a.fits", "upload/a"))
    truth = SkyCoord(180.0, 30.0, unit="deg", frame=frame).icrs
    assert SkyCoord(found.lon, found.lat).separation(truth).arcsec < 1.3  # half a pixel's diagonal


def test_that_law_catches_positions_in_the_frame_of_the_file():
    found = middle(read_source(as_fits(sky()), "a.fits", "upload/a"))
    assert SkyCoord(found.lon, found.lat).separation(SkyCoord(180.0, 30.0, unit="deg", frame="fk4").icrs).deg > 0.5


def test_a_header_without_positions_is_flagged_and_shown():
    file = io.BytesIO()
    fits.PrimaryHDU(sky()).writeto(file)
    source = read_source(file.getvalue(), "a.fits", "upload/a")
    assert source.sky_grid() is source.arcsec_per_pixel is None
    assert "no usable sky position" in source.flags["no_wcs"]


def blank(share):
    plane = sky()
    plane[25 : 25 + int(150 * share)] = np.nan
    return plane


def broken(content, cut):
    return content[: len(content) // cut]


HUGE = as_fits(sky()).replace(b"NAXIS1  =                  200", b"NAXIS1  =          90000000000")
TABLE = io.BytesIO()
fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns([fits.Column("a", "J", array=[1, 2])])]).writeto(TABLE)
TWO = io.BytesIO()
fits.HDUList([fits.PrimaryHDU(sky()), fits.ImageHDU(sky())]).writeto(TWO)
REFUSED = {
    "nothing": (b"", "0 bytes"),
    "a text": (b"dear astronomer", "15 bytes that are no FITS"),
    "cut short": (broken(as_fits(sky()), 2), "its header promises"),
    "gzip cut short": (broken(gzip.compress(as_fits(sky())), 2), "cut short"),
    "gzip of nonsense": (GZIP + b"\x08nonsense" * 9, "cannot be unpacked"),
    "a header that promises too much": (HUGE, "90,000,000,000 pixels"),
    "a table": (TABLE.getvalue(), "no HDU holds an image (0 PRIMARY is empty"),
    "a cube": (
        as_fits(np.stack([sky(), sky()])),
        "image has 2 planes along axis 3 (0 to 1); expected one plane. Save one plane as",
    ),
    "two images": (TWO.getvalue(), "Save the image as a file of its own."),
    "an image of many pixels": (as_fits(np.zeros((5000, 4000), np.uint8)), "at most 16,000,000"),
    "too small": (as_fits(sky(30)), "field smaller than 60 arcsec (54 x 54 arcsec, 30 x 30 pixels of 1.8)"),
    "a hole": (as_fits(blank(0.5)), "recentre it."),
    "empty sky": (as_fits(np.zeros((200, 200), np.float32)), "all pixels of the image are alike"),
    "a broken picture": (PNG + b"nonsense", "a PNG that cannot be read"),
    "a broken array": (NPY + b"nonsense", "an NPY file that cannot be read"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_source_is_refused_in_words(case):
    content, words = REFUSED[case]
    with pytest.raises(ImageRefusal) as caught:
        read_source(content, "a.fits", "upload/a")
    assert words in str(caught.value)
    assert str(caught.value).startswith("a.fits: ")
    assert "\n" not in str(caught.value)
    assert "--" not in str(caught.value), "the page has no options"


def test_a_small_file_that_unpacks_to_terabytes_is_stopped(monkeypatch):
    monkeypatch.setattr(reading, "LIMITS", Limits(bytes=1_000_000))
    bomb = zlib.compressobj(wbits=31)
    content = b"".join([*(bomb.compress(bytes(100_000)) for _ in range(100)), bomb.flush()])
    assert len(content) < 20_000
    with pytest.raises(ImageRefusal, match="more than 1,000,000 bytes unpacked"):
        read_source(content, "a.fits.gz", "upload/a")


@pytest.mark.parametrize("kind", ["fits", "npy", "png"])
def test_the_limit_of_pixels_holds_for_every_recipe(monkeypatch, kind):
    from PIL import Image

    monkeypatch.setattr(reading, "LIMITS", Limits(bytes=1_000_000, pixels=10_000))
    own, file = Recipe(64, 0.0, 128, beam_arcsec=0.0, stretch="linear"), io.BytesIO()
    plane = (255 * np.clip(sky() / 5e-3, 0, 1)).astype(np.uint8)
    {
        "fits": lambda: file.write(as_fits(plane)),
        "npy": lambda: np.save(file, plane),
        "png": lambda: Image.fromarray(plane).save(file, "PNG"),
    }[kind]()
    with pytest.raises(ImageRefusal, match="at most 10,000") as caught:
        read_source(file.getvalue(), f"a.{kind}", "upload/a", own)
    assert caught.value.flag == "too_large"


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
    with pytest.raises(ImageRefusal, match="image is 151 x 150"):
        read_source(large.getvalue(), "a.npy", "upload/a")
