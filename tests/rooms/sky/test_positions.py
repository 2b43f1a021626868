"""What moves positions is followed, or refused, or flagged; never dropped."""

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from sky_files import DEC, RA, bright_spot, header, sky, write

from equiradio.errors import ImageRefusal
from equiradio.sky.fits import read_cutout, read_image
from equiradio.sky.positions import distorted, from_pixel, on_pixels, on_sky, position

SIP = {"A_ORDER": 2, "B_ORDER": 2, "A_2_0": 1e-3, "B_0_2": -8e-4, "A_1_1": 5e-4}


def peaks(path, wcs):
    """Separation, in arcsec, of the brightest spot in the crop from where the file's own WCS has it."""
    found = read_cutout(path)
    return bright_spot(fits.getdata(path), wcs).separation(bright_spot(found.pixels, found.wcs)).arcsec, found


@pytest.mark.parametrize("suffix", ["-SIP", ""])
def test_sip_terms_are_followed(tmp_path, suffix):
    cards = header(500)
    cards.update({"CTYPE1": f"RA---TAN{suffix}", "CTYPE2": f"DEC--TAN{suffix}"} | SIP)
    path = write(tmp_path / "a.fits", sky(500, at=(60, -50)), cards)
    named = cards.copy()
    named.update({"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP"})
    wcs = WCS(named)
    bare = wcs.deepcopy()
    bare.sip = None
    ra, dec = wcs.all_pix2world(310, 200, 0)
    bare_ra, bare_dec = bare.all_pix2world(310, 200, 0)
    assert SkyCoord(ra, dec, unit="deg").separation(SkyCoord(bare_ra, bare_dec, unit="deg")).arcsec > 5  # what dropping them would cost
    assert SkyCoord(*position(read_image(path).wcs, 310, 200), unit="deg").separation(SkyCoord(ra, dec, unit="deg")).arcsec < 1e-6
    apart, found = peaks(path, wcs)
    assert apart < 0.5
    assert found.flags == {"reprojected", "cut_off"}
    assert found.wcs.sip is None


@pytest.mark.parametrize(
    ("cards", "words"),
    [
        ({"CPDIS1": "LOOKUP"}, "bent by CPDIS1"),
        ({"D2IMDIS1": "Lookup"}, "bent by D2IMDIS1"),
        ({"CTYPE1": "RA---TNX", "CTYPE2": "DEC--TNX"}, "projection of RA---TNX and DEC--TNX"),
        ({"PC1_3": 0.1}, "mixes the sky with another axis"),
    ],
)
def test_what_is_not_followed_is_refused(tmp_path, cards, words):
    made = header()
    made.update(cards)
    with pytest.raises(ImageRefusal, match=words) as caught:
        read_cutout(write(tmp_path / "a.fits", cards=made))
    assert caught.value.flag == "distorted"


@pytest.mark.parametrize("scale", [0.9, 1.8])
@pytest.mark.parametrize("system", ["GAPPT", "J2000", "?"])
def test_an_unknown_frame_is_flagged_and_keeps_its_scale(tmp_path, scale, system):
    side = int(540 / scale)
    cards = header(side, scale)
    cards["RADESYS"] = system
    found = read_cutout(write(tmp_path / "a.fits", sky(side, scale, at=(20, 10)), cards))
    assert "unknown_frame" in found.flags
    assert "no_wcs" not in found.flags
    assert ("reprojected" in found.flags) == (scale == 0.9)
    assert SkyCoord(found.ra_deg, found.dec_deg, unit="deg").separation(SkyCoord(RA, DEC, unit="deg")).arcsec < 1.3
    assert (
        read_cutout(write(tmp_path / "b.fits", sky(side, scale, at=(20, 10)), header(side, scale))).image.tolist() == found.image.tolist()
    )


def test_an_equinox_that_is_no_year_is_not_precessed_by(tmp_path):
    for value, flagged in ((0.0, True), ("unknown", True), (2000.0, False), ("2000.0", False)):
        cards = header(frame="FK5")
        cards.remove("RADESYS")
        cards.remove("EQUINOX", ignore_missing=True)
        cards["EPOCH"] = value
        found = read_cutout(write(tmp_path / "a.fits", cards=cards))
        assert ("unknown_frame" in found.flags) == flagged
        assert SkyCoord(found.ra_deg, found.dec_deg, unit="deg").separation(SkyCoord(RA, DEC, unit="deg")).arcsec < 1.3


def test_galactic_coordinates_stay_galactic_whatever_radesys_says(tmp_path):
    cards = header(400)
    cards["CTYPE1"], cards["CTYPE2"], cards["CRVAL1"], cards["CRVAL2"] = "GLON-TAN", "GLAT-TAN", 190.0, 50.0
    cards["RADESYS"], cards["EQUINOX"] = "FK5", 2000.0
    found = read_cutout(write(tmp_path / "a.fits", sky(400), cards))
    truth = SkyCoord(l=190, b=50, unit="deg", frame="galactic").icrs
    assert SkyCoord(found.ra_deg, found.dec_deg, unit="deg").separation(truth).arcsec < 1.3


@pytest.mark.parametrize(("key", "value"), [("CRVAL1", "abc"), ("CRPIX2", True), ("PC1_1", "x"), ("LONPOLE", "south")])
def test_cards_of_the_position_that_cannot_be_used_are_refused(tmp_path, key, value):
    cards = header()
    cards[key] = value
    with pytest.raises(ImageRefusal, match=f"{key} holds") as caught:
        read_cutout(write(tmp_path / "a.fits", cards=cards))
    assert caught.value.flag == "damaged"


@pytest.mark.parametrize("kinds", [("ELON-TAN", "ELAT-TAN"), ("RA", "DEC"), ("TLON-CAR", "TLAT-CAR")])
def test_other_coordinates_are_refused_by_name(tmp_path, kinds):
    cards = header()
    cards["CTYPE1"], cards["CTYPE2"] = kinds
    with pytest.raises(ImageRefusal, match=f"coordinates {kinds[0]} and {kinds[1]}"):
        read_cutout(write(tmp_path / "a.fits", cards=cards))


def test_a_mirrored_image_is_put_right(tmp_path):
    cards = header(400)
    cards["PC1_1"] = -cards["PC1_1"]
    pixels = sky(400, at=(40, -25))
    path = write(tmp_path / "a.fits", pixels, cards)
    apart, found = peaks(path, WCS(cards))
    assert apart < 0.3
    assert found.flags == {"reprojected"}
    right = read_cutout(write(tmp_path / "b.fits", pixels[:, ::-1], header(400)))
    assert np.corrcoef(right.image.ravel(), found.image.ravel())[0, 1] > 0.98


FRAMES = [
    {},
    {"RADESYS": "FK5", "EQUINOX": 2000.0},
    {"RADESYS": "FK4", "EQUINOX": 1950.0},
    {"CTYPE1": "GLON-TAN", "CTYPE2": "GLAT-TAN", "RADESYS": None, "EQUINOX": None},
    {"CTYPE1": "DEC--SIN", "CTYPE2": "RA---SIN", "CRVAL1": DEC, "CRVAL2": RA},
    {"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", **SIP},
]


@pytest.mark.parametrize("cards", FRAMES, ids=lambda cards: f"{cards.get('CTYPE1', '')} {cards.get('RADESYS', '')}")
def test_places_on_the_sky_and_back_are_those_of_astropy(cards):
    made = header()
    for key, value in cards.items():
        made.remove(key, ignore_missing=True)
        if value is not None:
            made[key] = value
    wcs = WCS(made)
    for columns, rows in ((3.0, 250.5), ([0, 1, 149.5], [299, 0, 12]), (np.arange(6).reshape(2, 3), np.full((2, 3), 7))):
        (ra, dec), there = on_sky(wcs, columns, rows), wcs.pixel_to_world(columns, rows).icrs
        assert np.shape(ra) == np.shape(columns)
        np.testing.assert_allclose([ra, dec], [there.ra.deg, there.dec.deg], rtol=0, atol=2e-13)  # a billionth of an arcsec
        back = on_pixels(wcs, np.ravel(ra), np.ravel(dec))
        np.testing.assert_allclose(back, wcs.world_to_pixel(there.ravel()), rtol=0, atol=1e-8)


@pytest.mark.parametrize("frame", ["ICRS", "FK5"])
def test_right_ascensions_are_those_of_one_turn(frame):
    cards = header(frame=frame)
    cards["CRVAL1"] = 0.001
    wcs = WCS(cards)
    ra, _ = on_sky(wcs, np.arange(300.0), np.full(300, 150.0))
    assert ra.min() < 0.1
    assert 359.9 < ra.max() < 360
    for turns in (-360, 0, 360):
        np.testing.assert_allclose(on_pixels(wcs, ra + turns, np.full(300, on_sky(wcs, 150, 150)[1]))[0], np.arange(300), atol=0.1)


@pytest.mark.parametrize("cards", FRAMES[:4], ids=lambda cards: cards.get("RADESYS") or "")
def test_a_place_that_is_none_has_no_pixel(cards):
    made = header()
    made.update({key: value for key, value in cards.items() if value is not None})
    columns, rows = on_pixels(WCS(made), [RA, RA, np.nan, RA], [DEC, np.nan, DEC, 91.0])
    assert np.isfinite([columns[0], rows[0]]).all()
    assert np.isnan([columns[1:], rows[1:]]).all()


def bent(kind):
    """A header of 1.8 arcsec, north up, whose positions are bent by SIP or by TPV, or not at all."""
    cards = header(500)
    if kind == "SIP":
        cards.update({"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP"} | SIP)
    if kind == "TPV":
        cards.update({"CTYPE1": "RA---TPV", "CTYPE2": "DEC--TPV", "PV1_1": 1.01, "PV2_1": 1.0})
    return cards


@pytest.mark.parametrize(("kind", "is_bent"), [("", False), ("SIP", True), ("TPV", True)])
def test_bent_positions_are_noticed(kind, is_bent):
    assert distorted(WCS(bent(kind))) is is_bent


@pytest.mark.parametrize("kind", ["", "SIP", "TPV"])
def test_a_part_of_an_image_has_the_positions_of_the_whole(kind):
    wcs = WCS(bent(kind))
    part = from_pixel(wcs, 300, 350, 100)
    np.testing.assert_allclose(on_sky(part, 40, 60), on_sky(wcs, 340, 410), rtol=0, atol=1e-10)


def test_an_image_bent_by_tpv_is_resampled(tmp_path):
    apart, found = peaks(write(tmp_path / "a.fits", sky(500, at=(60, -50)), bent("TPV")), WCS(bent("TPV")))
    assert "reprojected" in found.flags
    assert apart < 0.2


@pytest.mark.parametrize("far", [150.0, 180.0, 200.0, -181.0, 359.0])
@pytest.mark.parametrize("code", ["CAR", "CEA", "MER", "HPX"])
def test_a_map_beyond_180_degrees_of_its_reference_point_has_its_positions(tmp_path, code, far):
    """The same sky about a reference point half a turn away, which astropy follows."""
    near = far - 180 * np.sign(far)
    kinds = {"CTYPE1": f"GLON-{code}", "CTYPE2": f"GLAT-{code}", "CDELT1": -0.0005, "CDELT2": 0.0005}
    kinds |= {"CRVAL2": 0.0, "CRPIX2": 150.5 - 2 / 0.0005}
    cards = {
        name: fits.Header(kinds | {"CRVAL1": (far - longitude) % 360, "CRPIX1": 150.5 + longitude / 0.0005})
        for name, longitude in (("far", far), ("near", near))
    }
    image = read_image(write(tmp_path / "a.fits", sky(), cards["far"]))
    columns, rows = np.array([0.0, 150.0, 299.0]), np.array([0.0, 100.0, 299.0])
    place = WCS(cards["near"]).pixel_to_world(columns, rows).icrs
    ra, dec = on_sky(image.wcs, columns, rows)
    assert (ra, dec) == (pytest.approx(place.ra.deg, abs=1e-7), pytest.approx(place.dec.deg, abs=1e-7))
    assert on_pixels(image.wcs, place.ra.deg, place.dec.deg) == (pytest.approx(columns, abs=1e-3), pytest.approx(rows, abs=1e-3))
