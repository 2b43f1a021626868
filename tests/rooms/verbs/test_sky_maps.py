"""Maps say of beam, frequency, object and unit what the image's file said, in every HDU, and where the beam lies in the crop."""

import numpy as np
import pytest
from astropy.io import fits
from sky_files import header, sky, write

from equiradio.labels import FANAROFF_RILEY
from equiradio.sky.fits import read_cutout
from equiradio.verbs.sky_maps import write_maps

ABOUT = {"OBJECT": "3C405", "TELESCOP": "VLA", "DATE-OBS": "1998-03-07", "RESTFRQ": 1.4204e9}
BEAM = {"BMAJ": 0.0016, "BMIN": 0.0014, "BPA": 92.0}


def maps_of(tmp_path, cards, pixels):
    """The FITS file of a source's maps."""
    cutout = read_cutout(write(tmp_path / "a.fits", pixels, cards))
    row = dict.fromkeys(("p_frii", "p_frii_low", "p_frii_high"), 0.5) | {"label": "FRI", "uncertain": False, "model": "m", "flags": 0}
    write_maps(tmp_path, "m", cutout, np.stack([cutout.image / np.float32(255)] * 2), row | {"flag_names": ""}, FANAROFF_RILEY)
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


def test_what_no_file_said_is_not_made_up(tmp_path):
    with maps_of(tmp_path, header(), sky()) as hdus:
        assert not {"BMAJ", "OBJECT", "RESTFRQ", "TELESCOP"} & set(hdus[0].header)
