"""Maps of noise, and what else lies pixel on pixel beside the images of a survey, cost no source its answer."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from survey_files import CENTRES, SIDE, positions, rows_of, wcs_of, write_catalogue, write_mosaics

from equiradio.cli.main import main
from equiradio.inference.team import load
from equiradio.sky.recipe import MIRABEST
from equiradio.survey.images import best_images, image_files
from equiradio.survey.plan import Asked
from equiradio.survey.run import survey


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("survey")
    write_mosaics(folder / "mosaics")
    write_catalogue(folder)
    return folder


@pytest.fixture
def beside(place, tmp_path):
    """A folder with the mosaics, to put something beside them."""
    shutil.copytree(place, tmp_path / "own")
    return tmp_path / "own"


@pytest.fixture(scope="module")
def team(untrained):
    return load(untrained("lenet"))


def write_noise(folder, centres=CENTRES, name="a-rms{}.fits"):
    """Maps of the noise of mosaics, by default with names that come before theirs."""
    rows, columns = np.indices((SIDE, SIDE))
    for number, centre in enumerate(centres):
        level = 1e-4 * (1 + 0.2 * np.sin(columns / 90) * np.cos(rows / 70))
        fits.PrimaryHDU(np.float32(level), wcs_of(centre).to_header()).writeto(folder / name.format(number))


def used(folder):
    coverage = best_images(image_files([str(folder / "mosaics")]), *positions(), MIRABEST, {})
    files = [each.file.name for each in image_files([str(folder / "mosaics")])]
    return coverage, [files[number] for number in coverage.image]


def test_maps_of_noise_beside_the_mosaics_change_no_row(team, place, beside, tmp_path):
    write_noise(beside / "mosaics")
    made = {}
    for name, folder in (("without", place), ("with", beside)):
        asked = Asked(catalogue=folder / "c.parquet", images=[str(folder / "mosaics")])
        run = survey(team, asked, tmp_path / name, readers=0)
        made[name] = rows_of(tmp_path / name)
    assert [Path(each["file"]).name for each in run.plan.unusable] == ["a-rms0.fits", "a-rms1.fits"]
    assert all("as in a noise or background map" in each["why"] for each in run.plan.unusable)
    assert run.plan.notes == []
    same = [name for name in made["with"].column_names if name not in ("file", "map_name")]
    assert made["with"].select(same).equals(made["without"].select(same))


def test_a_map_on_other_pixels_or_without_an_image_stays(beside):
    write_noise(beside / "mosaics", centres=[(150.0 + 0.5 * 1.8 / 3600, 30.0), (153.0, 30.0)])
    coverage, _ = used(beside)
    assert coverage.unusable == {}
    assert coverage.alike == []


def test_of_other_images_on_the_same_pixels_the_first_by_name_is_taken_and_a_note_says_so(untrained, beside, tmp_path, capsys):
    for number in (0, 1):
        shutil.copy(beside / "mosaics" / f"m{number}.fits", beside / "mosaics" / f"dirty{number}.fits")
    words = ["survey", "plan", str(beside / "c.parquet"), "--out", str(tmp_path / "out"), "--model", str(untrained("lenet"))]
    assert main([*words, "--images", str(beside / "mosaics")]) == 0
    note = f"4 images have the same pixels as others ({beside / 'mosaics' / 'dirty0.fits'} and {beside / 'mosaics' / 'm0.fits'}):"
    assert note in capsys.readouterr().err
    assert {name[:5] for name in used(beside)[1]} == {"dirty"}
    (note,) = json.loads((tmp_path / "out" / "plan.json").read_text())["notes"]
    assert note.endswith("where nothing else decides the first by name is taken. Name by --images those that are meant.")


def test_where_the_order_of_preference_decides_there_is_no_note(beside):
    shutil.copytree(beside / "mosaics", beside / "dirty")
    coverage = best_images(image_files([str(beside / "mosaics"), str(beside / "dirty")]), *positions(), MIRABEST, {})
    assert coverage.alike == []


def test_a_catalogue_without_names_is_said_to_be_one(untrained, beside, tmp_path, capsys):
    ra, dec = positions()
    (beside / "c.csv").write_text("ra,dec\n" + "".join(f"{a},{d}\n" for a, d in zip(ra, dec, strict=True)))
    words = ["survey", "plan", str(beside / "c.csv"), "--out", str(tmp_path / "out"), "--model", str(untrained("lenet"))]
    assert main([*words, "--images", str(beside / "mosaics")]) == 0
    printed = capsys.readouterr()
    assert "no column of names: sources are called row-1 to row-12. Name one by --id." in printed.err
    assert "12 sources in 2 of 2 images, 1 shard" in printed.out


def test_a_survey_without_answers_says_why(untrained, place, tmp_path, capsys):
    (tmp_path / "maps").mkdir()
    write_noise(tmp_path / "maps")
    words = ["survey", str(place / "c.parquet"), "--out", str(tmp_path / "out"), "--model", str(untrained("lenet"))]
    assert main([*words, "--images", str(tmp_path / "maps")]) == 2
    error = capsys.readouterr().err
    assert "none of 12 sources could be answered (12 blank; blank: no source stands out from the noise); expected" in error
