"""Images that other projects' software wrote, each with what is right; they lie beside the repository and are skipped without it."""

from pathlib import Path

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from sky_files import bright_spot

from equiradio.errors import ImageRefusal
from equiradio.folders import data_folder
from equiradio.sky.fits import read_cutout, read_image
from equiradio.sky.positions import north_angle, position, steps

PLACES = (data_folder() / "real", Path(__file__).parents[4] / "shared" / "data" / "real")


def real(start):
    """The file whose name starts so."""
    found = [file for place in PLACES for file in sorted(place.glob(f"{start}*"))]
    if not found:
        pytest.skip("no images of other projects in the data folder")
    return found[0]


def refused(start, **options):
    with pytest.raises(ImageRefusal) as caught:
        read_cutout(real(start), **options)
    return caught.value.flag, str(caught.value)


def peak(cutout):
    return bright_spot(cutout.pixels, cutout.wcs)


def test_cygnus_a_lies_at_one_place_in_both_equinoxes():
    whole = [read_image(real(start)) for start in ("02", "03")]
    places = [SkyCoord(*position(image.wcs, 60, 70), unit="deg") for image in whole]
    assert places[0].separation(places[1]).arcsec < 0.15
    for start in ("02", "03"):
        found = read_cutout(real(start))
        assert found.ellipse[:2] == pytest.approx((22.0, 22.0), abs=0.01)
        assert "other_beam" in found.flags
    cutouts = [read_cutout(real(start), ra_deg=299.868, dec_deg=40.734) for start in ("02", "03")]
    assert peak(cutouts[0]).separation(peak(cutouts[1])).arcsec < 0.15


def test_3c286_lies_where_it_lies_with_the_beam_of_its_history():
    found = read_cutout(real("05"))
    truth, whole = SkyCoord(202.78453, 30.50916, unit="deg"), read_image(real("05"))
    row, column = np.unravel_index(int(whole.pixels.argmax()), whole.pixels.shape)
    assert SkyCoord(*position(whole.wcs, column, row), unit="deg").separation(truth).arcsec < 0.05
    assert peak(found).separation(bright_spot(whole.pixels, whole.wcs, scale=1.0)).arcsec < 0.2
    assert peak(found).separation(truth).arcsec < 0.5
    assert found.ellipse[0] == pytest.approx(4.12, abs=0.01)
    assert found.flags == {"reprojected", "other_beam"}


@pytest.mark.parametrize("start", ["06", "08", "19"])
def test_small_fields_are_filled_up_with_empty_sky(start):
    found = read_cutout(real(start))
    assert {"padded", "small_field"} <= found.flags
    assert 0 < found.padded < 0.96


def test_cubes_name_their_axis_and_planes():
    assert "2 planes along axis 3 (SPECLOGF, 0 to 1)" in refused("07")[1]
    assert "3 planes along axis 3 (STOKES, 0 to 2)" in refused("09")[1]
    flag, words = refused("26")
    assert (flag, "101 planes along axis 3 (VELO-HEL, 0 to 100), in pixels of 25.8 arcsec" in words) == ("wrong_shape", True)
    for plane in (50, "51km/s"):
        flag, words = refused("26", plane=plane)
        assert (flag, "25.8 arcsec, too coarse" in words) == ("absurd_scale", True)


@pytest.mark.parametrize("start", ["10", "11"])
def test_ncp_positions_are_those_of_aips_memo_27(start):
    """x = cos d sin da, y = (cos d0 - cos d cos da) / sin d0, by the memo's equations for the east-west array."""
    image, cards = read_image(real(start)), fits.getheader(real(start))
    column, row = 321.0, 654.0
    x = np.radians((column + 1 - cards["CRPIX1"]) * cards["CDELT1"])
    y = np.radians((row + 1 - cards["CRPIX2"]) * cards["CDELT2"])
    ra0, dec0 = np.radians(cards["CRVAL1"]), np.radians(cards["CRVAL2"])
    shift = np.arctan2(x, np.cos(dec0) - y * np.sin(dec0))
    dec = np.sign(dec0) * np.arccos((np.cos(dec0) - y * np.sin(dec0)) / np.cos(shift))
    truth = SkyCoord(np.degrees(ra0 + shift), np.degrees(dec), unit="deg")
    assert SkyCoord(*position(image.wcs, column, row), unit="deg").separation(truth).arcsec < 0.05
    assert "other_beam" in read_cutout(real(start)).flags


@pytest.mark.parametrize("start", ["14", "15"])
def test_noise_and_background_maps_hold_no_source(start):
    flag, words = refused(start)
    assert (flag, "no source" in words) == ("blank", True)


@pytest.mark.parametrize("start", ["16_first_1409", "16_first_3C194", "16_first_J1535"])
def test_first_cutouts_have_no_flag(start):
    assert not read_cutout(real(start)).flags


def test_a_galactic_image_is_put_north_up_and_its_beam_turned():
    whole, found = read_image(real("20")), read_cutout(real("20"))
    assert np.abs(steps(found.wcs, 75, 75) - np.diag([-1.8, 1.8])).max() < 0.01
    assert found.ellipse[2] == pytest.approx(np.remainder(north_angle(whole.wcs, 150, 150) + 90, 180) - 90, abs=0.1)
    here = [SkyCoord(l=10.5, b=b, unit="deg", frame="galactic").icrs for b in (0.0, 0.01)]
    assert found.ellipse[2] == pytest.approx(here[0].position_angle(here[1]).deg - 360, abs=0.1)


def test_oblong_pixels_across_the_first_meridian_keep_their_field_and_place():
    found = read_cutout(real("22"))
    assert "small_field" not in found.flags
    for ra, dec in ((0.01, 0.01), (359.99, -0.02), (0.0, 0.0)):
        column, row = (float(value) for value in read_image(real("22")).wcs.world_to_pixel(SkyCoord(ra, dec, unit="deg")))
        assert column == pytest.approx(55 - (ra - 360 * (ra > 180)) / 0.00222222230881, abs=0.01)
        assert row == pytest.approx(37 + dec / 0.003333333234031, abs=0.01)
    own = read_image(real("22")).wcs
    back = SkyCoord(*position(found.wcs, 20, 120), unit="deg")
    column, row = (float(value) for value in own.world_to_pixel(back))
    assert SkyCoord(*position(own, column, row), unit="deg").separation(back).arcsec < 0.1


@pytest.mark.parametrize(("start", "scale"), [("23", "61"), ("27", "240")])
def test_sound_headers_of_coarse_pixels_are_not_to_be_corrected(start, scale):
    flag, words = refused(start)
    assert flag == "absurd_scale"
    assert f"pixels of {scale} arcsec, too coarse" in words
    assert "Correct" not in words


def test_a_mirrored_image_has_its_parity_put_right():
    whole = read_image(real("28"))
    row, column = np.unravel_index(int(whole.pixels.argmax()), whole.pixels.shape)
    truth = SkyCoord(*position(whole.wcs, column, row), unit="deg")
    assert steps(whole.wcs, column, row)[0, 0] > 8
    found = read_cutout(real("28"), ra_deg=truth.ra.deg + 0.01, dec_deg=truth.dec.deg - 0.005)
    assert peak(found).separation(truth).arcsec < 4
    assert steps(found.wcs, 75, 75)[0, 0] < 0
    assert found.flags == {"reprojected", "other_beam", "raised_sky", "cut_off"} | (found.flags & {"small_field"})
