"""Maps say of beam, frequency, object and unit what the image's file said, in every HDU, and where the beam lies in the crop."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from sky_files import header, sky, write

from equiradio.inference.evidence import PixelEvidence
from equiradio.labels import FANAROFF_RILEY, Labels
from equiradio.sky.fits import read_cutout
from equiradio.sky.own import cutout_of
from equiradio.sky.positions import position
from equiradio.sky.recipe import Recipe
from equiradio.verbs.sky_maps import SkyMaps, in_words, region, sky_of, write_maps

ABOUT = {"OBJECT": "3C405", "TELESCOP": "VLA", "DATE-OBS": "1998-03-07", "RESTFRQ": 1.4204e9}
BEAM = {"BMAJ": 0.0016, "BMIN": 0.0014, "BPA": 92.0}


def maps_of(tmp_path, cards, pixels):
    """The FITS file of a source's maps."""
    cutout = read_cutout(write(tmp_path / "a.fits", pixels, cards))
    row = dict.fromkeys(("p_frii", "p_frii_low", "p_frii_high"), 0.5) | {"label": "FRI", "uncertain": False, "flags": 0, "flag_names": ""}
    maps = SkyMaps(np.stack([cutout.image / np.float32(255)] * 2), cutout.image / np.float32(255), FANAROFF_RILEY, agreement=0.25)
    write_maps(tmp_path, cutout, maps, row | {"map_name": "m"}, {"version": "equiradio 1.0", "threshold": 0.9})
    return fits.open(tmp_path / "m.fits")


def test_every_map_says_what_the_file_said(tmp_path):
    cards = header()
    cards.update(ABOUT | BEAM | {"BUNIT": "JY/BEAM"})
    with maps_of(tmp_path, cards, sky()) as hdus:
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "ATTENTION", "GATE1", "GATE2", "NETWORK"]
        for hdu in hdus:
            assert {key: hdu.header[key] for key in ABOUT} == ABOUT
            assert {key: hdu.header[key] for key in BEAM} == pytest.approx(BEAM)
            assert "BUNIT" in hdu.header
        assert hdus[0].header["BUNIT"] == "JY/BEAM"
        assert (hdus[0].header["CREATOR"], hdus[0].header["THRESH"]) == ("equiradio 1.0", 0.9)
        assert hdus["ATTENTION"].header["MAPAGREE"] == 0.25
        assert "resampled" not in str(hdus[0].header["HISTORY"])


def test_a_turned_crop_turns_the_beam_and_says_how_it_was_made(tmp_path):
    cards = header(400)
    cards["CTYPE1"], cards["CTYPE2"], cards["CRVAL1"], cards["CRVAL2"] = "GLON-TAN", "GLAT-TAN", 12.0, 0.0
    cards.remove("RADESYS", ignore_missing=True)
    cards.update(BEAM)
    with maps_of(tmp_path, cards, sky(400)) as hdus:
        for hdu in hdus:
            assert hdu.header["BPA"] == pytest.approx(30.8, abs=0.2)  # galactic north lies 61.2 degrees west of north there
            assert hdu.header["BMAJ"] == pytest.approx(0.0016)
        assert "resampled to 1.8 arcsec, ICRS, north up: bilinear" in str(hdus[0].header["HISTORY"])


@pytest.mark.parametrize("turn", [0.0, 90.0, 200.0])
def test_bar_and_compass_are_those_of_an_image_that_is_taken_as_it_is(tmp_path, turn):
    """Of MiraBest's side, but neither of its scale nor turned."""
    file = write(tmp_path / "a.fits", sky(150, 1.5), header(150, 1.5, turn_deg=turn))
    cutout = cutout_of(file, Recipe(150, 1.5, 300, stretch="asinh"))
    found, place = sky_of(cutout), (cutout.ra_deg, cutout.dec_deg)
    assert found.arcsec == pytest.approx(1.5)
    for step, moved in ((found.north, (0, 20)), (found.east, (20, 0))):
        ra, dec = position(cutout.wcs, *(74.5 + 20 / 1.5 * np.array(step)))
        assert ((ra - place[0]) * np.cos(np.radians(dec)) * 3600, (dec - place[1]) * 3600) == pytest.approx(moved, abs=0.05)


def test_an_image_as_mirabest_has_them_is_drawn_north_up_and_east_left(tmp_path):
    found = sky_of(read_cutout(write(tmp_path / "a.fits", sky(400, 1.2), header(400, 1.2, turn_deg=90.0))))
    assert found.arcsec == 1.8
    assert (*found.north, *found.east) == pytest.approx((0, 1, -1, 0), abs=1e-3)


def test_what_no_file_said_is_not_made_up(tmp_path):
    with maps_of(tmp_path, header(), sky()) as hdus:
        assert not {"BMAJ", "OBJECT", "RESTFRQ", "TELESCOP"} & set(hdus[0].header)


def test_every_level_has_its_contour_even_around_one_pixel(tmp_path):
    """With its width and a tag, by which DS9 chooses the lines of one level."""
    cutout = read_cutout(write(tmp_path / "a.fits", sky()))
    attention = np.zeros((150, 150), np.float32)
    attention[70, 80] = 1
    lines = region(cutout, attention).splitlines()[3:]
    for level, width in ((0.5, 1), (0.7, 2), (0.9, 3)):
        (line,) = [line for line in lines if f"tag={{attention {level}}}" in line]
        assert line.startswith("polygon(")
        assert f" width={width} " in line
    assert lines[-1].endswith("tag={attention peak}")


@pytest.fixture
def evidence():
    """2.6 for FRI in one corner, 1.8 for FRII in another; the constant 0.1."""
    plane = np.zeros((150, 150), np.float32)
    plane[10:20, 10:20], plane[100:110, 100:110] = -0.026, 0.018
    return PixelEvidence(plane, 0.1, -0.7, 1, 0.87)


def test_sums_are_put_in_words(evidence):
    sums, alike = in_words(evidence, FANAROFF_RILEY)
    assert sums == "pixels for FRI -2.6, for FRII +1.8, constant +0.1 = -0.7 of log-odds"
    assert alike == "networks agree 0.87 (1: all alike)"
    sums, alike = in_words(evidence._replace(agreement=None), Labels(("Compact", "Bent", "FRI")))
    assert sums == "pixels against Bent -2.6, for Bent +1.8, constant +0.1 = -0.7 of log-odds"
    assert alike == "one network"


def test_ds9_sees_what_speaks_for_either_side(evidence, tmp_path):
    cutout = read_cutout(write(tmp_path / "a.fits", sky()))
    lines = region(replace(cutout, wcs=None), np.zeros((150, 150), np.float32), evidence).splitlines()
    sides = {tag: [line for line in lines if line.endswith(f"tag={{evidence for {tag}}}")] for tag in ("FRI", "FRII")}
    for tag, colour, low, high in (("FRI", "blue", 10, 22), ("FRII", "orange", 100, 112)):
        (line,) = sides[tag]
        corners = np.array(line.partition("(")[2].partition(")")[0].split(","), float)
        assert f"color={colour}" in line
        assert low < corners.min() < corners.max() < high
    assert len([line for line in lines if "evidence" in line]) == 2
