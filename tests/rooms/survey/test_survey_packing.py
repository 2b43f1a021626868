"""What goes from a reading process to the one that answers keeps every bit of a position."""

import pickle

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from sky_files import header, sky, write

from equiradio.sky.fits import read_cutout
from equiradio.sky.positions import position
from equiradio.survey.packing import packed, unpacked, wcs_of, wcs_parts

BASE = {
    "CTYPE1": "RA---SIN",
    "CTYPE2": "DEC--SIN",
    "CRVAL1": 123.4567891234567,
    "CRVAL2": -33.3333333333333,
    "CRPIX1": 102.123456789,
    "CRPIX2": 77.7,
    "CDELT1": -0.000512345678912,
    "CDELT2": 0.000512345678912,
}
KINDS = {
    "plain": {},
    "turned": {"CROTA2": 33.123456789},
    "matrix": {"CD1_1": -5e-4 / 3, "CD1_2": 1e-5 / 3, "CD2_1": 1e-5 / 7, "CD2_2": 5e-4 / 3},
    "slanted": {"PC1_2": 0.1 / 3},
    "FK5": {"RADESYS": "FK5", "EQUINOX": 2000.0},
    "FK4": {"RADESYS": "FK4", "EQUINOX": 1950.0},
    "slant SIN": {"PV2_1": 0.1 / 3, "PV2_2": -0.03 / 7},
    "galactic": {"CTYPE1": "GLON-CAR", "CTYPE2": "GLAT-CAR"},
    "turned pole": {"LONPOLE": 179.123456789},
    "SIP": {"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", "A_ORDER": 2, "A_2_0": 1e-7 / 3, "B_ORDER": 2, "B_0_2": 2e-7 / 3},
    "TPV": {"CTYPE1": "RA---TPV", "CTYPE2": "DEC--TPV", "PV1_1": 1.0001, "PV1_2": 1e-4 / 3},
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", KINDS)
def test_a_wcs_comes_out_as_it_went_in(kind):
    cards = fits.Header()
    for key, value in (BASE | KINDS[kind]).items():
        if kind != "matrix" or not key.startswith("CDELT"):
            cards[key] = value
    before = WCS(cards)
    before.wcs.set()
    after = wcs_of(pickle.loads(pickle.dumps(wcs_parts(before))))
    for pixel in ((0, 0), (13.5, 77), (149.5, 3)):
        expected = position(before, *pixel)
        assert np.isfinite(expected).all()
        assert position(after, *pixel) == (pytest.approx(expected, abs=1e-10) if kind == "TPV" else expected)


def test_the_pixels_of_the_file_are_known_after_the_way(tmp_path):
    cutout = read_cutout(write(tmp_path / "a.fits", sky(60, 15.0), header(60, 15.0)))
    after = unpacked(pickle.loads(pickle.dumps(packed(cutout))))
    assert after.file_pixel_arcsec == pytest.approx(15.0, rel=1e-3)
    assert after.pixel_arcsec == 1.8
