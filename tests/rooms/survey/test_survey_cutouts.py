"""Sources cut from mosaics are answered as the same sources cut out beforehand into files of their own."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.nddata import Cutout2D
from astropy.wcs import WCS
from survey_files import positions, write_catalogue, write_mosaics

from equiradio.artefacts.catalogue import catalogue_schema
from equiradio.cli.main import main
from equiradio.inference.team import load
from equiradio.survey.plan import Asked
from equiradio.survey.run import survey
from equiradio.verbs.classify import classify

BY_PIXEL = {"total_jy", "size_arcsec", "beams_across"}  # go by the size of a pixel, which is that at the position asked about
ENOUGH = 301  # pixels of 1.8 arcsec: an odd number that holds the field of the noise


@pytest.fixture(scope="module")
def team(untrained):
    return load(untrained("attention"))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Two mosaics in pixels of 1.8 arcsec, and one in turned pixels of 1.5."""
    folder = tmp_path_factory.mktemp("survey")
    write_mosaics(folder / "mosaics")
    write_catalogue(folder)
    write_turned(folder / "turned")
    return folder


def write_turned(folder):
    """900 x 900 pixels of 1.5 arcsec whose rows run 20 degrees off, with a source at each position, and a beam."""
    folder.mkdir()
    wcs, (rows, columns) = WCS(naxis=2), np.indices((900, 900))
    wcs.wcs.ctype, wcs.wcs.radesys = ["RA---TAN", "DEC--TAN"], "ICRS"
    wcs.wcs.crval, wcs.wcs.crpix = (150.0812345678, 30.0012345678), (450.1234567, 449.7654321)
    turn = np.radians(20)
    wcs.wcs.cd = np.array([[-np.cos(turn), np.sin(turn)], [np.sin(turn), np.cos(turn)]]) * 1.5 / 3600
    pixels = np.random.default_rng(5).normal(0, 1e-4, (900, 900))
    for column, row in wcs.wcs_world2pix(np.stack(positions(), 1), 0):
        for step in (0, 7):
            pixels += 0.02 * np.exp(-((columns - column - step) ** 2 + (rows - row) ** 2) / 12)
    header = wcs.to_header()
    header.update(BMAJ=5.4 / 3600, BMIN=5.4 / 3600, BPA=0.0, BUNIT="JY/BEAM")
    fits.PrimaryHDU(pixels.astype(np.float32), header).writeto(folder / "t.fits")


def surveyed(team, place, images, out):
    """Rows of a survey in one shard, by name."""
    survey(team, Asked(place / "c.parquet", [str(images)]), out, readers=0)
    return {row["source_id"]: row for row in pq.read_table(out / "results" / "000000.parquet").to_pylist()}


def write_cutouts(rows, folder, side, off=0):
    """A file for each row: the pixels of its image about its own pixel, under the image's header moved along."""
    folder.mkdir()
    for name, row in rows.items():
        with fits.open(row["file"]) as hdus:
            at = WCS(hdus[0].header).wcs_world2pix([[row["target_ra_deg"], row["target_dec_deg"]]], 0)[0]
            column, line = (int(np.floor(value + 0.5)) + off for value in at)
            part = Cutout2D(hdus[0].data, (column, line), side, mode="partial", fill_value=np.nan)
            header = hdus[0].header.copy()
            header["CRPIX1"] -= column - side // 2
            header["CRPIX2"] -= line - side // 2
            fits.PrimaryHDU(part.data, header).writeto(folder / f"{name}.fits")
    return folder


def differing(rows, others, near=0.0):
    """Columns that differ; those by the pixel's size only where they do by more than a share ``near``."""
    assert rows.keys() == others.keys()
    wrong = set()
    for name in set(catalogue_schema().names) - {"file"}:
        for key, row in rows.items():
            mine, other = row[name], others[key][name]
            if mine != other and not (name in BY_PIXEL and mine is not None and mine == pytest.approx(other, rel=near)):
                wrong.add(name)
    return wrong


def classified(team, folder):
    table = classify(team, sorted(folder.iterdir()))
    assert isinstance(table, pa.Table)
    return {row["source_id"]: row for row in table.to_pylist()}


def test_classify_answers_the_same_about_files_on_the_mosaics_pixels(team, place, tmp_path):
    rows = surveyed(team, place, place / "mosaics", tmp_path / "out")
    assert len(rows) == 12
    assert all(row["answered"] for row in rows.values())
    files = write_cutouts(rows, tmp_path / "files", ENOUGH)
    assert differing(rows, classified(team, files), near=1e-6) == set()


def test_a_pixel_beside_it_or_a_smaller_field_is_not_the_same(team, place, tmp_path):
    rows = surveyed(team, place, place / "mosaics", tmp_path / "out")
    beside = classified(team, write_cutouts(rows, tmp_path / "beside", ENOUGH, off=1))
    smaller = classified(team, write_cutouts(rows, tmp_path / "smaller", 201))
    assert {"p_fri", "ra_deg"} <= differing(rows, beside, near=1e-6)
    assert {"rms_jy_per_beam", "p_fri", "flags"} & differing(rows, smaller, near=1e-6)


@pytest.mark.parametrize(("images", "side"), [("mosaics", ENOUGH), ("turned", 523)])
def test_a_folder_of_cutouts_has_the_rows_of_the_mosaics(team, place, tmp_path, images, side):
    """Each at its own position, so that resampled pixels are the same too, to the rounding of CRPIX."""
    rows = surveyed(team, place, place / images, tmp_path / "out")
    assert all(row["answered"] for row in rows.values())
    files = write_cutouts(rows, tmp_path / "files", side)
    again = surveyed(team, place, files, tmp_path / "again")
    assert [Path(row["file"]).stem for row in again.values()] == list(again)
    assert differing(rows, again, near=1e-10) == set()


def test_cutouts_without_a_position_are_for_classify(team, place, tmp_path, capsys):
    rows = surveyed(team, place, place / "mosaics", tmp_path / "out")
    files = write_cutouts(rows, tmp_path / "files", ENOUGH)
    for file in files.iterdir():
        fits.PrimaryHDU(fits.getdata(file)).writeto(file, overwrite=True)
    assert main(["survey", str(place / "c.parquet"), "--images", str(files), "--out", str(tmp_path / "no")]) == 2
    found = f"{files / 's0.fits'}: no sky position in the header (and none of 11 other images can be used); expected a mosaic with a WCS."
    do = "Sources are looked for by position; images of one source without any are for 'equiradio classify'."
    assert capsys.readouterr().err.strip() == f"{found} {do}"
    assert not (tmp_path / "no" / "plan.json").exists()
    answers = classified(team, files)
    assert {name: row["p_fri"] for name, row in answers.items()} == {name: row["p_fri"] for name, row in rows.items()}
