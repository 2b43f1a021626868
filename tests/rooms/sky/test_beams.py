"""Beams in every form, against known answers, and against radio_beam where it is installed."""

import io

import numpy as np
import pytest
from astropy.io import fits
from sky_files import header, sky, write

from equiradio.errors import SettingRefusal
from equiradio.sky.beams import Beam, beam_of, history
from equiradio.sky.cards import Cards
from equiradio.sky.fits import read_cutout, read_image

AIPS = "AIPS   CLEAN BMAJ=  1.7599E-03 BMIN=  1.5740E-03 BPA=   2.61"
CASA = "> restoration: 1.34841 by 0.830715 (arcsec) at pa 82.8827 (deg)"
FORMS = {
    "BMAJ": ({"BMAJ": 0.0015, "BMIN": 0.00125, "BPA": 30.0}, [], (5.4, 4.5, 30.0)),
    "text": ({"BMAJ": "0.0015", "BMIN": " 0.00125", "BPA": "30"}, [], (5.4, 4.5, 30.0)),
    "circle without BPA": ({"BMAJ": 0.0015, "BMIN": 0.0015}, [], (5.4, 5.4, 0.0)),
    "Obit": ({"CLEANBMJ": 0.0011449, "CLEANBMN": 0.0010935, "CLEANBPA": 88.43}, [], (4.12164, 3.9366, 88.43)),
    "AIPS": ({}, ["IMAGR BMAJ = 2.0E+01", AIPS], (6.33564, 5.6664, 2.61)),
    "the last of two": ({}, [AIPS.replace("1.7599", "9.0000"), AIPS], (6.33564, 5.6664, 2.61)),
    "casa": ({}, [CASA], (1.34841, 0.830715, 82.8827)),
    "card before history": ({"BMAJ": 0.0015, "BMIN": 0.00125, "BPA": 30.0}, [AIPS], (5.4, 4.5, 30.0)),
    "zero before history": ({"BMAJ": 0.0, "BMIN": 0.0, "BPA": 0.0}, [AIPS], (6.33564, 5.6664, 2.61)),
}


def stated(cards, lines):
    made = header()
    made.update(cards)
    for line in lines:
        made["HISTORY"] = line
    return made


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_read(tmp_path, form):
    cards, lines, expected = FORMS[form]
    assert read_cutout(write(tmp_path / "a.fits", cards=stated(cards, lines))).ellipse == pytest.approx(expected)


@pytest.mark.parametrize("form", ["BMAJ", "AIPS", "the last of two", "card before history"])
def test_radio_beam_reads_the_same(form):
    judge = pytest.importorskip("radio_beam", reason="radio_beam is not installed")
    cards, lines, _ = FORMS[form]
    made = stated(cards, lines)
    theirs = judge.Beam.from_fits_header(made)
    ours = beam_of(Cards(made), history(made.tostring().encode()))
    assert ours.ellipse == pytest.approx((theirs.major.to_value("arcsec"), theirs.minor.to_value("arcsec"), theirs.pa.to_value("deg")))


@pytest.mark.parametrize("unit", ["arcsec", "deg"])
def test_a_table_of_beams_wins_over_the_card_it_left_stale(tmp_path, unit):
    size = 3600 if unit == "deg" else 1
    columns = [
        fits.Column("BMAJ", "1E", unit, array=np.array([9.0, 6.0, 5.4]) / size),
        fits.Column("BMIN", "1E", unit, array=np.array([8.0, 5.0, 5.0]) / size),
        fits.Column("BPA", "1E", "deg", array=[10.0, 20.0, 30.0]),
        fits.Column("CHAN", "1J", array=[0, 1, 2]),
        fits.Column("POL", "1J", array=[0, 0, 0]),
    ]
    made = stated({"BMAJ": 0.01, "BMIN": 0.01, "BPA": 0.0, "CASAMBM": True, "CTYPE3": "FREQ", "CRVAL3": 1.4e9, "CDELT3": 1e6}, [])
    cube, table = (
        fits.PrimaryHDU(np.stack([sky(seed=seed) for seed in range(3)]), made),
        fits.BinTableHDU.from_columns(columns, name="BEAMS"),
    )
    fits.HDUList([cube, table]).writeto(tmp_path / "a.fits")
    ellipses = [read_cutout(tmp_path / "a.fits", plane=plane).ellipse for plane in range(3)]
    assert np.allclose(ellipses, [(9, 8, 10), (6, 5, 20), (5.4, 5, 30)], rtol=1e-6)
    assert ["other_beam" in read_cutout(tmp_path / "a.fits", plane=plane).flags for plane in range(3)] == [True, False, False]


@pytest.mark.parametrize(
    ("beam", "of_first"),
    [
        ((5.4, 5.4), True), ((6.4, 5.4), True), ((6.8, 5.4), True), ((4.5, 4.4), True), ((6.4, 6.4), True),
        ((7.5, 5.4), False), ((6.8, 6.8), False), ((5.4, 2.0), False), ((45.0, 45.0), False), ((2.5, 2.5), False),
    ],
)  # fmt: skip
def test_firsts_own_beams_and_no_others(beam, of_first):
    assert Beam(*beam, 0.0).of_first == of_first


def test_bmaj_alone_is_judged_alone():
    assert Beam(5.0).of_first
    assert not Beam(25.0).of_first
    assert Beam(5.0).ellipse is None
    assert Beam(5.0).width(30.0) == Beam(5.0, 4.0).width(30.0) == 5.0


def test_the_angle_turns_with_the_crop(tmp_path):
    """Galactic north at this place lies 58.4 degrees west of north; the crop's north is that of ICRS."""
    cards = header(400)
    cards["CTYPE1"], cards["CTYPE2"], cards["CRVAL1"], cards["CRVAL2"] = "GLON-TAN", "GLAT-TAN", 12.0, 0.0
    cards.remove("RADESYS", ignore_missing=True)
    cards.update({"BMAJ": 0.0025, "BMIN": 0.0015, "BPA": 92.0})
    found = read_cutout(write(tmp_path / "a.fits", sky(400), cards))
    from astropy.coordinates import SkyCoord

    here, ahead = (SkyCoord(l=12.0, b=b, unit="deg", frame="galactic").icrs for b in (0.0, 0.01))
    turned = here.position_angle(ahead).deg
    assert found.ellipse[2] == pytest.approx(np.remainder(92.0 + turned + 90, 180) - 90, abs=0.1)
    upright = read_cutout(write(tmp_path / "b.fits", cards=stated({"BMAJ": 0.0025, "BMIN": 0.0015, "BPA": 92.0}, [])))
    assert upright.ellipse[2] == 92.0


def test_unusable_cards_are_flagged_and_not_taken_for_absent(tmp_path):
    for value in ("none", True, 1e9):
        found = read_cutout(write(tmp_path / "a.fits", cards=stated({"BMAJ": value}, [])))
        assert found.flags == {"unusable_cards"}
    assert read_image(write(tmp_path / "b.fits", cards=stated({"BMAJ": 0.0}, []))).beam is None


def test_damaged_tables_and_histories_are_no_beams(tmp_path):
    table = fits.BinTableHDU.from_columns([fits.Column("x", "1E", array=[1.0])], name="BEAMS")
    file = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(sky(), stated({}, ["CLEAN BMAJ= 1.2.3 BMIN= e BPA= -"])), table]).writeto(file)
    assert read_cutout(file.getvalue()).ellipse is None


def test_a_beam_whose_axes_are_swapped_is_read_by_their_sizes(tmp_path):
    swapped = stated({"BMAJ": 5.4 / 3600, "BMIN": 45 / 3600, "BPA": 0.0}, [])
    found = read_cutout(write(tmp_path / "a.fits", sky(), swapped))
    assert "other_beam" in found.flags
    assert found.ellipse is None  # of which axis the angle is, the file does not say


def test_a_beam_is_judged_without_a_position_too(tmp_path):
    of = lambda arcsec: fits.Header({"BMAJ": arcsec / 3600, "BMIN": arcsec / 3600, "BPA": 0.0})
    flags = [read_cutout(write(tmp_path / f"{arcsec}.fits", sky(), of(arcsec))).flags for arcsec in (45, 5.4)]
    assert flags == [{"no_wcs", "other_beam"}, {"no_wcs"}]


@pytest.mark.parametrize(
    "given", [5.4, "5.4", " 5.4 ", np.float32(5.4), [5.4], (5.4, 5.4), "5.4,5.4,0", np.array([5.4, 5.4, 0.0]), Beam.of([5.4])]
)
def test_a_beam_is_given_by_a_number_by_numbers_or_as_on_the_command_line(tmp_path, given):
    assert Beam.of(given).ellipse == pytest.approx((5.4, 5.4, 0.0))
    np.save(tmp_path / "a.npy", np.arange(150 * 150).reshape(150, 150).astype(np.uint8))
    unstated = write(tmp_path / "a.fits", sky(), header())
    assert [read_cutout(file, beam=given).ellipse for file in (tmp_path / "a.npy", unstated)] == [pytest.approx((5.4, 5.4, 0.0))] * 2


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ("wide", "--beam: 'wide'; expected numbers with commas between. For example --beam 6.4,5.4,0."),
        (True, "--beam: True; expected numbers with commas between. For example --beam 6.4,5.4,0."),
        ([5.4, None], "--beam: [5.4, None]; expected numbers with commas between. For example --beam 6.4,5.4,0."),
        ({"major": 5.4}, "--beam: {'major': 5.4}; expected numbers with commas between. For example --beam 6.4,5.4,0."),
        (0.0015, "--beam: 0.0015 arcsec; expected 0.1 to 3,600 arcsec. If these are degrees: --beam 5.4."),
        ("0.0015,0.00125,30", "--beam: 0.0015 arcsec; expected 0.1 to 3,600 arcsec. If these are degrees: --beam 5.4,4.5,30."),
        ((5.4, 0.0015), "--beam: 0.0015 arcsec; expected 0.1 to 3,600 arcsec. Give it in arcsec."),
        (1e-7, "--beam: 1e-07 arcsec; expected 0.1 to 3,600 arcsec. Give it in arcsec."),
        (4000, "--beam: 4000 arcsec; expected 0.1 to 3,600 arcsec. Give it in arcsec."),
        (-5.4, "--beam: -5.4; expected major axis, minor axis (arcsec, above 0) and position angle (degrees), or the width of a round one. "
         "For example --beam 6.4,5.4,0 or --beam 5.4."),
    ],
)  # fmt: skip
def test_what_is_no_beam_is_refused_in_one_line_even_of_a_file_that_states_its_own(tmp_path, given, line):
    file = write(tmp_path / "a.fits", cards=stated({"BMAJ": 0.0015, "BMIN": 0.0015}, []))
    for ask in (Beam.of, lambda beam: read_cutout(file, beam=beam)):
        with pytest.raises(SettingRefusal) as refused:
            ask(given)
        assert str(refused.value) == line
