"""What an image shows besides a source at its target is flagged: nothing, a neighbour, a sky off zero, another frequency, an edge."""

import numpy as np
import pytest
from sky_files import header, sky, write

from equiradio.artefacts.promises import AccuracyRow
from equiradio.inference.calibration import Calibration
from equiradio.inference.rows import UNMEASURED, abstains
from equiradio.inference.team import Team, load
from equiradio.sky.cutout import cut
from equiradio.sky.fits import read_image
from equiradio.sky.pictures import from_pixels

EXPECTED = (AccuracyRow(beam_arcsec=5.4, low=None, high=None, answered=None, sources=100, accuracy=0.9, low95=0.8),)
SURE = Calibration(poses=1, threshold=0.0, beams=(4.5, 6.48), limits=(0.9, 0.9), expected=EXPECTED)
BEAM = {"BMAJ": 5.4 / 3600, "BMIN": 5.4 / 3600, "BPA": 0.0, "BUNIT": "JY/BEAM"}


@pytest.fixture(scope="module")
def team(untrained):
    opened = load(untrained("lenet"), "cpu")
    return Team(opened.members, SURE, opened.card)


@pytest.fixture
def answer(team, tmp_path):
    """The row of an image of the sky, and its flags."""

    def ask(pixels, **cards):
        about = header(len(pixels))
        about.update(BEAM | cards)
        (row,) = team.classify(write(tmp_path / "a.fits", np.float32(pixels), about))
        return row, set(row["flag_names"].split())

    return ask


def blobs(*places, peak=0.05, side=300):
    """Noise and round sources so many pixels (column, row) from the middle."""
    rows, columns = np.indices((side, side)) - (side - 1) / 2
    image = np.random.default_rng(0).normal(0, 1e-4, (side, side))
    return image + sum(peak * np.exp(-((columns - column) ** 2 + (rows - row) ** 2) / (2 * 3.0**2)) for column, row in places)


def test_a_source_at_the_target_has_its_promises(answer):
    row, flags = answer(sky())
    assert not flags & UNMEASURED
    assert not row["uncertain"]
    assert (row["set"], row["expected_accuracy"], row["offset_arcsec"]) == ("FRI|FRII", 0.9, 0)


@pytest.mark.parametrize(("away", "flagged"), [(12, False), (17, True), (50, True)])
def test_a_neighbour_is_not_the_target(answer, away, flagged):
    """It stands out as far as 9.6 pixels from its middle, and a beam is three."""
    row, flags = answer(blobs((away, 0)))
    assert ("off_target" in flags) == flagged
    assert row["uncertain"] == flagged
    assert row["offset_arcsec"] == pytest.approx((away - 9.6) * 1.8, abs=0.9)
    assert (row["expected_accuracy"] is None) == (row["set"] is None) == flagged


def test_a_target_between_two_lobes_is_theirs(answer):
    row, flags = answer(blobs((-50, 20), (50, -20)))
    assert "off_target" not in flags
    assert (row["islands"], row["offset_arcsec"]) == (2, 0)


def test_beside_a_bright_neighbour_a_faint_target_is_not_what_is_seen(answer):
    assert "off_target" in answer(blobs((45, 0)) + blobs((0, 0), peak=0.0005))[1]
    assert "off_target" not in answer(blobs((45, 0)) + blobs((0, 0), peak=0.03))[1]


def test_through_a_wider_beam_a_target_may_lie_farther_away(tmp_path):
    image = read_image(write(tmp_path / "a.fits", np.float32(blobs((20, 0)))))
    doubts = lambda beam: cut(image.with_beam(beam)).doubts
    assert [doubts(None), doubts([5.4]), doubts([45.0])] == [{"off_target"}, {"off_target"}, frozenset()]


def test_a_picture_of_a_neighbour_is_one_too():
    image = np.zeros((150, 150), np.uint8)
    image[100:110, 100:110], image[99, 100:110] = 200, 4
    assert from_pixels("a", image).doubts == {"off_target"}


@pytest.mark.parametrize("seed", range(3))
def test_noise_is_not_detected_whatever_its_highest_pixel(answer, seed):
    rng = np.random.default_rng(seed)
    noise = np.clip(rng.normal(0, 1e-4, (300, 300)), -2.5e-4, 2.5e-4)
    noise[150, 150] = 4e-4
    row, flags = answer(noise)
    assert "not_detected" in flags
    assert row["answered"]
    assert row["uncertain"]
    assert row["islands"] == 0
    assert (row["set"], row["expected_accuracy"], row["size_arcsec"], row["offset_arcsec"]) == (None,) * 4


@pytest.mark.parametrize(("level", "flag"), [(-0.5, None), (-1.5, "lowered_sky"), (-5, "lowered_sky"), (5, "raised_sky")])
def test_a_sky_off_zero_is_flagged_on_either_side(answer, level, flag):
    row, flags = answer(blobs((0, 0)) + level * 1e-4)
    assert flags & {"lowered_sky", "raised_sky"} == ({flag} if flag else set())
    assert (row["expected_accuracy"] is None) == (flag is not None)


VELOCITY = {"CRPIX3": 1.0, "CDELT3": 1e6, "RESTFRQ": 1420405751.786}
OTHER = {"CTYPE3": "FREQ", "CRPIX3": 1.0, "CDELT3": 1e6}


@pytest.mark.parametrize(
    ("cards", "flagged"),
    [
        ({}, False),
        (OTHER | {"CRVAL3": 1.4e9}, False),
        (OTHER | {"CRVAL3": 943.5e6}, False),
        (OTHER | {"CRVAL3": 144e6, "CUNIT3": "Hz"}, True),
        (OTHER | {"CRVAL3": 144.0, "CUNIT3": "MHz"}, True),
        (OTHER | {"CRVAL3": 3e9}, True),
        (OTHER | {"CRVAL3": 3e9, "CDELT3": 0.0}, True),
        (OTHER | {"CRVAL3": 888e6, "RESTFRQ": 1420405751.786}, True),  # ASKAP's continuum has the rest frequency of a line
        ({"CTYPE3": "LAMBDA", "CRVAL3": 0.2131, "CRPIX3": 1.0, "CDELT3": 0.1}, False),
        ({"CTYPE3": "WAVE", "CRVAL3": 0.06, "CRPIX3": 1.0, "CDELT3": 0.1, "CUNIT3": "m"}, True),
        ({"CTYPE3": "STOKES", "CRVAL3": 1.0, "CRPIX3": 1.0, "CDELT3": 1.0, "RESTFRQ": 143.65e6}, True),
        ({"RESTFREQ": 1.4e9}, False),
        (VELOCITY | {"CTYPE3": "VOPT", "CRVAL3": 1.79742e8}, True),  # 888 MHz, as python-casacore writes it
        (VELOCITY | {"CTYPE3": "VRAD", "CRVAL3": 1.12369e8}, True),  # 888 MHz too
        (VELOCITY | {"CTYPE3": "VELO-HEL", "CRVAL3": -243.0, "CUNIT3": "km/s"}, False),
        (VELOCITY | {"CTYPE3": "VOPT", "CRVAL3": 0.0, "RESTFRQ": 3e9}, True),
        ({"CTYPE3": "VOPT", "CRVAL3": 1.79742e8, "CRPIX3": 1.0, "CDELT3": 1e6}, False),  # without a rest frequency nothing is known
        (OTHER | {"CRVAL3": 144.0, "CUNIT3": "furlong"}, False),  # not to be understood: nothing is known
        (OTHER | {"CTYPE3": "SPECLNMF", "CRVAL3": 815.9e6, "CDELT3": 5e8}, True),  # Obit's terms of a spectrum about one frequency
        (OTHER | {"CTYPE3": "SPECLOGF", "CRVAL3": 1.2838e9, "CDELT3": 8e8}, False),
    ],
)
def test_another_frequency_is_flagged_and_nothing_promised(team, tmp_path, cards, flagged):
    pixels, about = np.float32(blobs((0, 0))), header()
    about.update(BEAM | cards)
    if "CTYPE3" in cards:
        pixels = pixels[None]
    (row,) = team.classify(write(tmp_path / "a.fits", pixels, about))
    assert ("other_frequency" in row["flag_names"].split()) == flagged
    assert (row["expected_accuracy"], row["set"]) == ((None, None) if flagged else (0.9, "FRI|FRII"))
    assert not row["uncertain"]


STOKES = {"CTYPE3": "STOKES", "CRPIX3": 1.0, "CDELT3": 1.0}


@pytest.mark.parametrize(
    ("cards", "flagged"),
    [
        (STOKES | {"CRVAL3": 1.0}, False),
        (STOKES | {"CRVAL3": 0.0}, False),  # no code of FITS: nothing is known
        (STOKES | {"CRVAL3": -5.0}, False),  # XX
        (STOKES | {"CRVAL3": 2.0}, True),
        (STOKES | {"CRVAL3": 4.0}, True),
        (STOKES | {"CRVAL3": 5.0, "CRPIX3": 2.0}, True),  # the one plane is one before the reference: V
        (STOKES | {"CRVAL3": 2.0, "CRPIX3": 2.0}, False),  # and here I
        (STOKES | {"CRVAL3": -3.0}, True),  # RL
        (STOKES | {"CRVAL3": 8.0}, True),  # AIPS: spectral index
        ({"CTYPE4": "STOKES", "CRVAL4": 4.0}, True),  # of an axis that the image has no more
        ({"BTYPE": "Intensity"}, False),
        ({"BTYPE": "Spectral Index"}, True),
        ({"BTYPE": "Polarized intensity"}, True),
        (OTHER | {"CTYPE3": "SPECLNMF", "CRVAL3": 1.28e9, "CDELT3": 8e8, "NTERM": 2}, False),
    ],
)
def test_what_is_no_total_intensity_is_flagged_and_abstained_from(team, tmp_path, cards, flagged):
    pixels, about = np.float32(blobs((0, 0))), header()
    about.update(BEAM | cards)
    (row,) = team.classify(write(tmp_path / "a.fits", pixels[None] if "CTYPE3" in cards else pixels, about))
    assert ("other_quantity" in row["flag_names"].split()) == flagged
    assert (row["expected_accuracy"], row["set"]) == ((None, None) if flagged else (0.9, "FRI|FRII"))
    assert row["uncertain"] == flagged


def test_of_several_planes_the_chosen_one_counts(tmp_path):
    about = header()
    about.update(STOKES | {"CRVAL3": 1.0})
    file = write(tmp_path / "a.fits", np.float32([blobs((0, 0))] * 4), about)
    assert ["other_quantity" in read_image(file, plane=plane).flags for plane in (0, "I", "Q", 3)] == [False, False, True, True]
    about.update({"CTYPE3": "SPECLNMF", "CRVAL3": 1.28e9, "NTERM": 2})
    file = write(tmp_path / "b.fits", np.float32([blobs((0, 0))] * 4), about)
    assert ["other_quantity" in read_image(file, plane=plane).flags for plane in range(4)] == [False, True, False, False]


@pytest.mark.parametrize("number", [3, 4])
def test_an_axis_that_the_image_has_no_more_says_its_frequency(tmp_path, number):
    about = header()
    about.update({f"CTYPE{7 - number}": "STOKES", f"CRVAL{7 - number}": 1.0, "RESTFRQ": 1420405751.786})
    about.update({f"CTYPE{number}": "FREQ", f"CRVAL{number}": 143.65e6, f"CRPIX{number}": 33.0, f"CDELT{number}": 2e6})
    assert read_image(write(tmp_path / "a.fits", sky(), about)).frequency_hz == 143.65e6


def test_of_obit_s_terms_every_plane_is_about_one_frequency(tmp_path):
    about = header()
    about.update(OTHER | {"CTYPE3": "SPECLNMF", "CRVAL3": 1.2838e9, "CDELT3": 8e8})
    file = write(tmp_path / "a.fits", np.float32([blobs((0, 0))] * 3), about)
    assert [read_image(file, plane=plane).frequency_hz for plane in range(3)] == [1.2838e9] * 3


def test_of_a_cube_the_plane_s_frequency_counts(tmp_path):
    about = header()
    about.update(OTHER | {"CRVAL3": 0.5e9, "CDELT3": 0.9e9})
    file = write(tmp_path / "a.fits", np.float32([blobs((0, 0))] * 2), about)
    assert [read_image(file, plane=plane).frequency_hz for plane in (0, 1)] == [0.5e9, 1.4e9]


def test_a_source_that_goes_on_where_a_small_file_ends_is_abstained_from(answer):
    row, flags = answer(blobs((-15, 0), (0, 0), (15, 0), side=48))
    assert flags >= {"padded", "cut_off"}
    assert row["uncertain"]
    assert (row["set"], row["expected_accuracy"]) == (None, None)
    row, flags = answer(blobs((0, 0), side=48))
    assert "padded" in flags
    assert "cut_off" not in flags
    assert not row["uncertain"]
    assert row["expected_accuracy"] == 0.9


def test_a_source_larger_than_the_crop_is_answered_as_those_that_were_learned_from():
    assert not abstains({"cut_off"})
    assert not abstains({"padded"})
    assert abstains({"cut_off", "padded"})
