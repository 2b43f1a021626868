"""Simulated FITS cutouts: noise and no zeros, WCS and beam, read without any flag; and the examples as the default team answers them."""

import csv

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from equiradio.datasets.simulated import clipped_sigma, simulate
from equiradio.datasets.simulated_cutouts import EXAMPLE_COUNT, EXAMPLE_SEED, example_cutouts, write_cutouts
from equiradio.errors import DataRefusal, SettingRefusal
from equiradio.sky.fits import read_cutout, read_image

COUNT, SEED = 8, 11


@pytest.fixture(scope="module")
def cutouts(tmp_path_factory):
    return write_cutouts(COUNT, SEED, tmp_path_factory.mktemp("fits") / "cutouts")


@pytest.fixture(scope="module")
def truth(cutouts):
    with (cutouts / "truth.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_each_is_read_without_a_flag_where_it_says_it_is(cutouts, truth):
    assert [row["source_id"] for row in truth] == [f"simulated-{SEED}-{number:05d}" for number in range(COUNT)]
    assert [row["class"] for row in truth] == ["FRI", "FRII"] * (COUNT // 2)
    for row in truth:
        cutout = read_cutout(cutouts / f"{row['source_id']}.fits")
        assert not cutout.flags
        away = np.hypot((cutout.ra_deg - float(row["ra_deg"])) * np.cos(np.radians(cutout.dec_deg)), cutout.dec_deg - float(row["dec_deg"]))
        assert away * 3600 < 0.01
        assert cutout.ellipse[:2] == pytest.approx((5.4, 5.4))


def test_headers_have_unit_beam_and_a_wcs_of_north_up(cutouts, truth):
    path = cutouts / f"{truth[0]['source_id']}.fits"
    header, pixels = fits.getheader(path), fits.getdata(path)
    assert (header["BUNIT"], header["TELESCOP"], header["OBJECT"]) == ("JY/BEAM", "simulated", truth[0]["source_id"])
    assert header["BMAJ"] * 3600 == pytest.approx(5.4)
    assert "Simulated by equiradio" in str(header["COMMENT"])
    wcs = WCS(header)
    here, up, left = wcs.pixel_to_world([100, 100, 99], [100, 101, 100])
    assert here.separation(up).arcsec == pytest.approx(1.8, rel=1e-3)
    assert up.dec > here.dec
    assert left.ra > here.ra
    assert pixels.shape == (320, 320)
    assert pixels.dtype == np.dtype(">f4")


def test_noise_is_everywhere_and_as_smooth_as_the_beam(cutouts, truth):
    for row in truth:
        pixels = read_image(cutouts / f"{row['source_id']}.fits").pixels
        assert np.isfinite(pixels).all()
        assert (pixels == 0).sum() == 0
        sigma = clipped_sigma(pixels)
        assert 1e-4 < sigma < 2.3e-4
        edge = pixels[:60]
        assert edge.std() == pytest.approx(sigma, rel=0.1)
        # neighbours 3 pixels (5.4 arcsec) apart: the correlation of noise behind a Gaussian beam is 2^-2 there
        assert np.corrcoef(edge[:, :-3].ravel(), edge[:, 3:].ravel())[0, 1] == pytest.approx(0.25, abs=0.06)


def test_they_show_the_sources_of_the_data_set(cutouts):
    """The same source of the same seed and number, in noise of its own."""
    simulation = simulate(COUNT, SEED)
    for number in range(COUNT):
        image = read_cutout(cutouts / f"simulated-{SEED}-{number:05d}.fits").image
        bright, other = (each.astype(float) * (simulation.masks[number] > 0) for each in (image, simulation.images[number]))
        assert np.corrcoef(bright.ravel(), other.ravel())[0, 1] > 0.97
        assert not np.array_equal(image, simulation.images[number])


def test_the_same_call_writes_the_same_files(cutouts, tmp_path):
    again = write_cutouts(2, SEED, tmp_path / "again")
    for number in range(2):
        name = f"simulated-{SEED}-{number:05d}.fits"
        assert (again / name).read_bytes() == (cutouts / name).read_bytes()


def test_what_cannot_be_written_is_refused_and_leaves_nothing(tmp_path):
    for count, seed, words in ((0, 0, "count: is 0"), (1, -1, "seed: is -1")):
        with pytest.raises(SettingRefusal, match=words):
            write_cutouts(count, seed, tmp_path / "new")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("x")
    with pytest.raises(DataRefusal, match="exists and is not empty"):
        write_cutouts(1, 0, tmp_path / "other")
    with pytest.raises(DataRefusal, match=r"a folder with other files and without simulated-4-00000\.fits"):
        example_cutouts(tmp_path / "other")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other"]


def test_the_default_team_answers_the_examples_or_abstains(tmp_path):
    """As README and the first tutorial say: four right, from two it abstains, no flags."""
    from equiradio.artefacts.shelf import default_name
    from equiradio.inference.team import load

    folder = example_cutouts(tmp_path / "examples")
    answers = load(default_name(), "cpu").classify([folder / f"simulated-{EXAMPLE_SEED}-{k:05d}.fits" for k in range(EXAMPLE_COUNT)])
    assert answers["label"] == ["FRI", "FRII"] * 3
    assert answers["uncertain"] == [True, False, False, False, False, True]
    assert set(answers["flag_names"]) <= {"", None}
