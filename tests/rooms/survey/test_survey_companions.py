"""Maps of noise, and what else lies pixel on pixel beside the images of a survey, cost no source its answer."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from survey_files import CENTRES, SCALE, SIDE, positions, rows_of, wcs_of, write_catalogue, write_mosaics

from equiradio.cli.main import main
from equiradio.inference.team import load
from equiradio.sky.recipe import MIRABEST
from equiradio.survey.companions import named_otherwise, read_at
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


def noise_wcs(centre, side, scale):
    wcs = wcs_of(centre)
    wcs.wcs.crpix, wcs.wcs.cdelt = [(side + 1) / 2] * 2, [-scale / 3600, scale / 3600]
    return wcs


def write_noise(folder, centres=CENTRES, name="a-rms{}.fits", side=SIDE, scale=SCALE):
    """Maps of the noise of mosaics, by default on their pixels and with names that come before theirs."""
    rows, columns = np.indices((side, side))
    for number, centre in enumerate(centres):
        level = 1e-4 * (1 + 0.2 * np.sin(columns / 90) * np.cos(rows / 70))
        fits.PrimaryHDU(np.float32(level), noise_wcs(centre, side, scale).to_header()).writeto(folder / name.format(number))


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


OTHER_PIXELS = {"half a pixel beside": (SIDE, 1.8, 0.9), "binned": (230, 3.6, 0.0), "wider": (600, 1.8, 0.0), "narrower": (400, 1.8, 0.0)}


@pytest.mark.parametrize("kind", OTHER_PIXELS)
def test_maps_of_noise_on_other_pixels_are_left_out_and_cost_no_source_its_image(beside, kind):
    before = used(beside)[1]
    side, scale, shift = OTHER_PIXELS[kind]
    write_noise(beside / "mosaics", [(ra + shift / 3600, dec) for ra, dec in CENTRES], side=side, scale=scale)
    coverage, chosen = used(beside)
    assert list(coverage.unusable) == [0, 1]
    assert all("as in a noise or background map" in str(why) for why in coverage.unusable.values())
    assert chosen == before


def test_a_flat_map_of_weights_and_a_mask_on_other_pixels_are_left_out(beside):
    before = used(beside)[1]
    for name, centre in zip(("a-weights.fits", "b-mask.fits"), CENTRES, strict=True):
        pixels = np.ones((600, 600), np.float32)
        if "mask" in name:
            pixels[300:304] = 2
        fits.PrimaryHDU(pixels, noise_wcs(centre, 600, SCALE).to_header()).writeto(beside / "mosaics" / name)
    coverage, chosen = used(beside)
    assert list(coverage.unusable) == [0, 1]
    assert chosen == before


def test_a_shallow_image_on_other_pixels_is_none_of_these(beside):
    """It shows no source where another does, and yet it is one of the sky."""
    for number, centre in enumerate(CENTRES):
        pixels = np.random.default_rng(number).normal(0, 1, (600, 600)).astype(np.float32)
        fits.PrimaryHDU(pixels, noise_wcs(centre, 600, SCALE).to_header()).writeto(beside / "mosaics" / f"shallow{number}.fits")
    assert used(beside)[0].unusable == {}


def test_a_map_of_noise_without_an_image_stays(beside):
    write_noise(beside / "mosaics", centres=[(153.0, 30.0)])
    coverage, _ = used(beside)
    assert (coverage.unusable, coverage.alike) == ({}, [])


def test_images_that_overlap_are_read_for_it_until_they_show_a_source(beside, monkeypatch):
    reads = []
    monkeypatch.setattr("equiradio.survey.images.read_at", lambda *asked: reads.append(asked[0].name) or read_at(*asked))
    assert used(beside)[0].unusable == {}
    assert reads == ["m0.fits", "m1.fits", "m1.fits"]  # the first of these is in its blank corner


def test_of_other_images_on_the_same_pixels_the_first_by_name_is_taken_and_a_note_says_so(untrained, beside, tmp_path, capsys):
    for number in (0, 1):
        shutil.copy(beside / "mosaics" / f"m{number}.fits", beside / "mosaics" / f"clean{number}.fits")
    words = ["survey", "plan", str(beside / "c.parquet"), "--out", str(tmp_path / "out"), "--model", str(untrained("lenet"))]
    assert main([*words, "--images", str(beside / "mosaics")]) == 0
    note = f"4 images have the same pixels as others ({beside / 'mosaics' / 'clean0.fits'} and {beside / 'mosaics' / 'm0.fits'}):"
    assert note in capsys.readouterr().err
    assert {name[:5] for name in used(beside)[1]} == {"clean"}
    (note,) = json.loads((tmp_path / "out" / "plan.json").read_text())["notes"]
    assert note.endswith("where nothing else decides the first by name is taken. Name by --images those that are meant.")


# names as programmes and surveys give them: the image, and what else lies beside it on the same pixels
BESIDE = {
    "ASKAPsoft": (
        "image.i.EMU_0102-60.SB1234.cont.taylor.0.restored.conv.fits",
        "componentMap_image.i.EMU_0102-60.SB1234.cont.taylor.0.restored.conv.fits",
        "componentResidual_image.i.EMU_0102-60.SB1234.cont.taylor.0.restored.conv.fits",
        "image.i.EMU_0102-60.SB1234.cont.taylor.0.restored.conv.alpha.fits",
        "image.i.EMU_0102-60.SB1234.cont.taylor.1.restored.conv.fits",
        "meanMap.image.i.EMU_0102-60.SB1234.cont.taylor.0.restored.conv.fits",
        "residual.i.EMU_0102-60.SB1234.cont.taylor.0.fits",
    ),
    "VLASS": (
        "VLASS1.1.ql.T01t01.J000228-363000.10.2048.v1.I.iter1.image.pbcor.tt0.subim.fits",
        "VLASS1.1.ql.T01t01.J000228-363000.10.2048.v1.I.iter1.alpha.subim.fits",
        "VLASS1.1.ql.T01t01.J000228-363000.10.2048.v1.I.iter1.image.pbcor.tt0.rms.subim.fits",
        "VLASS1.1.ql.T01t01.J000228-363000.10.2048.v1.I.iter1.image.pbcor.tt1.subim.fits",
    ),
    "WSClean": (
        "field-MFS-image-pb.fits",
        "field-MFS-dirty.fits",
        "field-MFS-model-pb.fits",
        "field-MFS-psf.fits",
        "field-MFS-residual.fits",
    ),
    "PyBDSF": (
        "mosaic.pybdsf_ch0.fits",
        "mosaic.pybdsf_gaus_model.fits",
        "mosaic.pybdsf_gaus_resid.fits",
        "mosaic.pybdsf_rmsd_I_mean.fits",
    ),
    "a field of such a name": ("alpha-cen_image.fits", "alpha-cen_bkg.fits", "alpha-cen_rms.fits"),
}


@pytest.mark.parametrize("family", BESIDE)
def test_what_by_its_name_is_another_map_is_left_out(beside, family):
    """Each is the image itself here, so that nothing but the name tells them apart; they are compared in both orders of names."""
    image, *others = BESIDE[family]
    for name in others:
        shutil.copy(beside / "mosaics" / "m0.fits", beside / "mosaics" / name)
    (beside / "mosaics" / "m0.fits").rename(beside / "mosaics" / image)
    files = [each.file.name for each in image_files([str(beside / "mosaics")])]
    coverage, chosen = used(beside)
    assert set(chosen) == {image, "m1.fits"}
    assert {files[number] for number in coverage.unusable} == set(others)
    assert coverage.alike == []


def test_a_map_that_is_left_out_by_its_name_is_said_with_the_word_and_with_the_image(beside):
    shutil.copy(beside / "mosaics" / "m0.fits", beside / "mosaics" / "m0.residual.fits")
    coverage, _ = used(beside)
    (why,) = coverage.unusable.values()
    image = beside / "mosaics" / "m0.fits"
    assert str(why) == (
        f"{beside / 'mosaics' / 'm0.residual.fits'}: another map by its name (residual) beside {image}, which has the same pixels; "
        "expected an image of the sky. Name it without the other by --images if it is meant."
    )


def test_a_map_whose_name_is_that_of_another_is_taken_where_it_is_named_alone(beside):
    for number in (0, 1):
        (beside / "mosaics" / f"m{number}.fits").rename(beside / "mosaics" / f"m{number}.dirty.fits")
    coverage, chosen = used(beside)
    assert coverage.unusable == {}
    assert set(chosen) == {"m0.dirty.fits", "m1.dirty.fits"}


def test_names_that_have_such_words_alike_decide_nothing():
    assert named_otherwise([Path("dirty-a.fits"), Path("dirty-b.fits"), Path("model.fits")]) == {}


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
