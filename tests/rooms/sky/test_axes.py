"""Axes by name: a cube in any order gives the source where it is, and a plane is a number or a value of the axis that remains."""

import itertools

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from sky_files import DEC, RA, header, sky, write

from equiradio.errors import ImageRefusal, SettingRefusal
from equiradio.sky import axes as room
from equiradio.sky.fits import read_cutout, read_image
from equiradio.sky.positions import position

BRIGHT = 2  # channel of the cube that holds the source
SPECTRAL = {"CTYPE": "FREQ", "CRVAL": 1.40e9, "CDELT": 1e7, "CRPIX": 1.0, "CUNIT": "Hz"}
STOKES = {"CTYPE": "STOKES", "CRVAL": 1.0, "CDELT": 1.0, "CRPIX": 1.0}


def cube(path, order, channels=5, polarisations=1, **cards):
    """A source at (+30, -20) pixels from the centre in one channel, its axes in the order named, such as "FREQ RA DEC"."""
    names = order.split()
    data = np.random.default_rng(0).normal(0, 1e-4, (polarisations, channels, 300, 300)).astype(np.float32)
    data[0, BRIGHT] = sky(at=(30, -20))
    places = {"RA": 3, "DEC": 2, "FREQ": 1, "STOKES": 0}
    kept = [places[name] for name in names]
    data = data.reshape([data.shape[place] for place in range(4)])
    data = data[0] if "STOKES" not in names else data
    kept = [place - (4 - data.ndim) for place in kept]
    plain, made = header(), fits.Header()
    sides = {"RA": 1, "DEC": 2}
    for number, name in enumerate(names, 1):
        if name in sides:
            for key in ("CTYPE", "CRVAL", "CRPIX", "CUNIT", "CDELT"):
                made[f"{key}{number}"] = plain[f"{key}{sides[name]}"]
            for other in sides:
                made[f"PC{number}_{names.index(other) + 1}"] = plain.get(f"PC{sides[name]}_{sides[other]}", float(name == other))
        else:
            for key, value in (SPECTRAL if name == "FREQ" else STOKES).items():
                made[f"{key}{number}"] = value
    made["RADESYS"] = "ICRS"
    made.update(cards)
    return write(path, np.ascontiguousarray(data.transpose(kept[::-1])), made)


def peak(cutout):
    row, column = np.unravel_index(int(np.nanargmax(cutout.pixels)), cutout.pixels.shape)
    return SkyCoord(*position(cutout.wcs, column, row), unit="deg")


def truth(folder):
    """Where the brightest pixel of the one plane lies, and that plane."""
    plain = read_image(write(folder / "plain.fits", sky(at=(30, -20))))
    row, column = np.unravel_index(int(plain.pixels.argmax()), plain.pixels.shape)
    return SkyCoord(*position(plain.wcs, column, row), unit="deg"), plain


@pytest.mark.parametrize("order", [" ".join(names) for names in itertools.permutations(("RA", "DEC", "FREQ"))])
def test_a_cube_in_any_order_gives_the_source_where_it_is(tmp_path, order):
    place, plain = truth(tmp_path)
    path = cube(tmp_path / "a.fits", order)
    assert np.array_equal(read_image(path, plane=BRIGHT).pixels, plain.pixels)
    for plane in (BRIGHT, "2", "1.42GHz", "1420 MHz", "1424.9MHz"):
        found = read_cutout(path, plane=plane)
        assert peak(found).separation(place).arcsec < 0.01
        assert not found.flags


@pytest.mark.parametrize("order", ["STOKES RA FREQ DEC", "FREQ STOKES DEC RA", "RA DEC STOKES FREQ", "DEC FREQ RA STOKES"])
def test_of_four_axes_each_long_one_is_chosen(tmp_path, order):
    place, plain = truth(tmp_path)
    path = cube(tmp_path / "a.fits", order, polarisations=2)
    words = {"FREQ": "1.42GHz", "STOKES": "I"}
    others = [name for name in order.split() if name in words]
    assert np.array_equal(read_image(path, plane=",".join(words[name] for name in others)).pixels, plain.pixels)
    with pytest.raises(ImageRefusal, match=r"planes along axis . .*FREQ, 0 to 4"):
        read_cutout(path, plane=1)
    single = cube(tmp_path / "b.fits", order)  # an axis of one plane is no choice
    assert peak(read_cutout(single, plane="1.42GHz")).separation(place).arcsec < 0.01


def test_refusals_name_the_axis_and_its_range(tmp_path):
    path = cube(tmp_path / "a.fits", "RA DEC FREQ", channels=101)
    for plane, words in (
        (None, r"101 planes along axis 3 \(FREQ, 0 to 100\)"),
        (101, r"--plane 101 is not on axis 3 \(FREQ, 0 to 100\), which is 1.4 to 2.4 GHz"),
        ("3GHz", "--plane 3GHz is not on axis 3"),
        ("250km/s", "--plane 250km/s is not on axis 3"),
        ("1.394GHz", "is not on"),
    ):
        with pytest.raises(ImageRefusal, match=words) as caught:
            read_cutout(path, plane=plane)
        assert caught.value.flag == "wrong_shape"
    with pytest.raises(ImageRefusal, match="Choose one with --plane 0 to --plane 100"):
        read_cutout(path)


def test_velocities_and_wavelengths_find_their_plane(tmp_path):
    path = cube(tmp_path / "a.fits", "RA DEC FREQ", CTYPE3="VELO-HEL", CUNIT3="km/s", CRVAL3=-40.0, CDELT3=20.0, CRPIX3=1.0)
    assert np.array_equal(read_image(path, plane="0km/s").pixels, read_image(path, plane=BRIGHT).pixels)
    assert np.array_equal(read_image(path, plane="-9000 m/s").pixels, read_image(path, plane=BRIGHT).pixels)
    frequency = cube(tmp_path / "b.fits", "RA DEC FREQ")
    assert np.array_equal(read_image(frequency, plane="21.11cm").pixels, read_image(frequency, plane=BRIGHT).pixels)


def test_a_plane_of_an_image_without_planes_is_checked(tmp_path):
    cards = header()
    cards.update({f"{key}3": value for key, value in SPECTRAL.items()})
    one = write(tmp_path / "one.fits", sky()[None], cards)
    assert read_cutout(one, plane=0).image.max() == 255
    assert read_cutout(one, plane="1.40GHz").image.max() == 255
    for plane in (1, "5GHz"):
        with pytest.raises(ImageRefusal, match=r"--plane .* of an image that has one plane \(axis 3 is 1.4 GHz\)"):
            read_cutout(one, plane=plane)


@pytest.mark.parametrize("kinds", [("RA---SIN", "VELO-LSR"), ("OFFSET", "VRAD"), ("FREQ", "DEC--SIN"), ("ANGLE", "FREQ")])
def test_position_velocity_images_are_refused(tmp_path, kinds):
    cards = fits.Header({f"CTYPE{number}": kind for number, kind in enumerate(kinds, 1)} | {"CDELT1": -5e-4, "CDELT2": 1e3})
    with pytest.raises(ImageRefusal, match=f"axes are {kinds[0]} and {kinds[1]}, as of a position-velocity image"):
        read_cutout(write(tmp_path / "a.fits", sky(), cards))


def test_words_that_are_no_plane_are_refused_before_any_file_is_read():
    for word in ("abc", "1.42", "-1", "1.42GHzz", ""):
        with pytest.raises(SettingRefusal, match="--plane"):
            room.check_plane(word)


def test_the_law_of_places_catches_axes_taken_by_place(tmp_path, monkeypatch):
    by_place = lambda cards, shape, name: room.Axes(
        room.Axis(1, "RA---TAN", shape[-1]), room.Axis(2, "DEC--TAN", shape[-2]), [room.Axis(3, "", shape[0])], True
    )
    monkeypatch.setattr("equiradio.sky.fits.axes_of", by_place)
    with pytest.raises((AssertionError, ImageRefusal, SettingRefusal)):
        test_a_cube_in_any_order_gives_the_source_where_it_is(tmp_path, "FREQ RA DEC")


def test_the_reference_position_is_that_of_the_header(tmp_path):
    path = cube(tmp_path / "a.fits", "FREQ DEC RA")
    assert (
        SkyCoord(*position(read_image(path, plane=0).wcs, 149.5, 149.5), unit="deg").separation(SkyCoord(RA, DEC, unit="deg")).arcsec < 1e-6
    )
