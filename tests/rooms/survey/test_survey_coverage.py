"""What of the sky a survey's images cover: the cells whose middle has a pixel, as a MOC; where mocpy is installed."""

import importlib.util
import shutil

import numpy as np
import pytest
from astropy import units
from astropy.coordinates import Latitude, Longitude
from astropy.io import fits
from survey_files import CENTRES, SCALE, SIDE, positions, wcs_of, write_catalogue, write_mosaics

from equiradio.cli.main import main
from equiradio.errors import Refusal
from equiradio.survey import coverage
from equiradio.survey.coverage import ORDER, check_coverage, write_coverage
from equiradio.survey.folder import SurveyFolder

needs_mocpy = pytest.mark.skipif(importlib.util.find_spec("mocpy") is None, reason="the package mocpy is not installed")


@pytest.fixture(scope="module")
def planned(untrained, tmp_path_factory):
    """A folder of a survey that is planned, over two mosaics, one with a blank corner; and a file that is no image beside them."""
    folder = tmp_path_factory.mktemp("covered")
    write_mosaics(folder / "mosaics")
    (folder / "mosaics" / "z.fits").write_text("no image")
    line = ["survey", "plan", str(write_catalogue(folder)), "--images", str(folder / "mosaics"), "--out", str(folder / "out")]
    assert main([*line, "--model", str(untrained("lenet"))]) == 0
    return folder


def of(file):
    from mocpy import MOC

    return MOC.from_fits(str(file))


def contains(moc, ra, dec):
    return moc.contains_lonlat(Longitude(np.atleast_1d(ra) * units.deg), Latitude(np.atleast_1d(dec) * units.deg))


@needs_mocpy
def test_what_has_pixels_is_covered_and_what_is_blank_is_not(planned, tmp_path):
    area = write_coverage(SurveyFolder(planned / "out").plan(), tmp_path / "moc.fits")
    moc = of(tmp_path / "moc.fits")
    assert moc.max_order == ORDER
    assert contains(moc, *positions()).all()
    place = lambda column, row: wcs_of(CENTRES[1]).wcs_pix2world([[column, row]], 0)[0]
    for column, row, there in ((380, 120, True), (-20, 300, False), (380, 300, True), (200, 120, True)):
        assert contains(moc, *place(column, row)).item() is there  # of the first the other mosaic has pixels
    overlap = SIDE - 0.16 * np.cos(np.radians(30)) * 3600 / SCALE
    assert area == pytest.approx((SCALE / 3600) ** 2 * (2 * SIDE**2 - overlap * SIDE), rel=0.02)
    assert area == pytest.approx(moc.sky_fraction * 41252.96, rel=1e-6)


@needs_mocpy
def test_cells_are_those_of_mocpy_s_own_reading_but_for_their_rims(planned):
    """mocpy takes a cell where any pixel's middle lies in it."""
    from mocpy import MOC

    from equiradio.sky.mosaic import Mosaic

    file = planned / "mosaics" / "m1.fits"
    with fits.open(file) as hdus:
        theirs = MOC.from_fits_image(hdus[0], max_norder=ORDER, mask=np.isfinite(hdus[0].data))
    with Mosaic(file) as mosaic:
        ours = coverage._of_image(mosaic)
    assert ours.difference(theirs).empty()
    assert 0 < theirs.difference(ours).sky_fraction < 0.12 * theirs.sky_fraction
    assert not contains(ours, *wcs_of(CENTRES[1]).wcs_pix2world([[380, 120]], 0)[0]).item()


@needs_mocpy
def test_bands_of_an_image_give_the_cells_of_the_whole(planned, monkeypatch):
    from equiradio.sky.mosaic import Mosaic

    with Mosaic(planned / "mosaics" / "m1.fits") as mosaic:
        whole = coverage._of_image(mosaic)
        monkeypatch.setattr(coverage, "AT_ONCE", 10_000)
        assert coverage._of_image(mosaic) == whole
        monkeypatch.setattr(coverage, "disc_of", lambda mosaic: (np.array([1.0, 0, 0]), 2.1))
        monkeypatch.setattr(coverage, "BLOCK", 1)  # as of an image that may lie anywhere on the sky
        monkeypatch.setattr(coverage, "ORDER", 8)
        everywhere = coverage._of_image(mosaic)
        monkeypatch.undo()
        monkeypatch.setattr(coverage, "ORDER", 8)
        assert coverage._of_image(mosaic) == everywhere


@needs_mocpy
def test_zeros_of_noise_stored_as_few_integers_are_covered_and_areas_of_zeros_are_not(tmp_path):
    from equiradio.sky.mosaic import Mosaic

    noise = np.random.default_rng(0).normal(0, 1, (SIDE, SIDE)).astype(np.float32)
    areas = {}
    for kind, pixels in {"all": noise, "few": np.round(noise * 4) / 4, "half": np.where(np.arange(SIDE) < SIDE // 2, 0, noise)}.items():
        fits.PrimaryHDU(pixels.astype(np.float32), wcs_of(CENTRES[0]).to_header()).writeto(tmp_path / f"{kind}.fits")
        with Mosaic(tmp_path / f"{kind}.fits") as mosaic:
            areas[kind] = coverage._of_image(mosaic)
    assert areas["few"] == areas["all"]
    assert areas["half"].sky_fraction == pytest.approx(areas["all"].sky_fraction / 2, rel=0.02)


@needs_mocpy
@pytest.mark.parametrize("level", [4, 16])
def test_zeros_of_noise_that_was_compressed_without_dither_are_covered(tmp_path, level):
    """Each row has levels of its own, and all of them zero; beside them an area of zeros is blank."""
    from equiradio.sky.mosaic import Mosaic

    noise = np.random.default_rng(0).normal(0, 1, (SIDE, SIDE)).astype(np.float32)
    cards = wcs_of(CENTRES[0]).to_header()
    for kind, pixels in {"all": noise, "half": np.where(np.arange(SIDE) < SIDE // 2, 0, noise).astype(np.float32)}.items():
        areas = {}
        packed = fits.CompImageHDU(pixels, cards, compression_type="RICE_1", quantize_method=-1, quantize_level=level)
        for form, hdus in (("plain", [fits.PrimaryHDU(pixels, cards)]), ("packed", [fits.PrimaryHDU(), packed])):
            fits.HDUList(hdus).writeto(tmp_path / f"{kind}-{form}.fits")
            with Mosaic(tmp_path / f"{kind}-{form}.fits") as mosaic:
                areas[form] = coverage._of_image(mosaic)
        assert areas["packed"] == areas["plain"]


def test_which_pixels_lie_in_areas_of_zeros_does_not_depend_on_the_bands(monkeypatch):
    pixels = np.random.default_rng(0).normal(0, 1, (60, 40)).astype(np.float32)
    pixels[10:13, 5:8], pixels[40:], pixels[20, ::3] = 0, 0, 0
    rows, columns = (each.ravel() for each in np.indices(pixels.shape))
    whole = coverage._values(pixels, rows, columns)
    assert whole[1].sum() == 9 + 20 * 40
    for pixels_at_once in (1, 44, 400):
        monkeypatch.setattr(coverage, "AT_ONCE", pixels_at_once)
        assert all(map(np.array_equal, coverage._values(pixels, rows, columns), whole))


@needs_mocpy
def test_images_that_were_replaced_are_not_covered_in_silence(planned, tmp_path):
    shutil.copytree(planned, tmp_path / "other")
    plan = SurveyFolder(planned / "out").plan()
    for each in (*plan.images, *plan.unusable):
        each["file"] = str(tmp_path / "other" / "mosaics" / each["file"].rpartition("/")[2])
    write_mosaics(tmp_path / "other" / "mosaics")
    with pytest.raises(Refusal, match=r"m0\.fits: changed since the plan was made"):
        write_coverage(plan, tmp_path / "moc.fits")
    assert not (tmp_path / "moc.fits").exists()


@needs_mocpy
def test_the_command_writes_it_beside_the_catalogue(untrained, planned, capsys):
    line = ["survey", str(planned / "c.parquet"), "--images", str(planned / "mosaics"), "--out", str(planned / "out"), "--readers", "0"]
    assert main([*line, "--model", str(untrained("lenet")), "--resume"]) == 0
    capsys.readouterr()
    assert main(["survey", "merge", str(planned / "out"), "--no-page", "--coverage", str(planned / "coverage.fits")]) == 0
    assert "coverage.fits: 0.0" in (out := capsys.readouterr().out)
    assert "square degrees of the sky have pixels that can be used" in out
    assert fits.getheader(planned / "coverage.fits", 1)["MOCORD_S"] == ORDER


def test_another_form_and_a_missing_package_are_refused_in_a_line(tmp_path, monkeypatch, capsys):
    with pytest.raises(Refusal, match=r"--coverage: 'moc.txt'; expected a name that ends in .fits"):
        check_coverage(tmp_path / "moc.txt")
    monkeypatch.setattr(coverage.importlib.util, "find_spec", lambda name: None)
    assert main(["survey", "merge", str(tmp_path), "--coverage", str(tmp_path / "moc.fits")]) == 2
    line = "--coverage: 'moc.fits' without the package mocpy; expected it installed. Install it: pip install 'equiradio[moc]'."
    assert line in capsys.readouterr().err
