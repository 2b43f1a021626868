"""Sets by name: each source has one key, each key one source, whatever files are called."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from equiradio.datasets import simulated
from equiradio.datasets.folder import write_folder
from equiradio.datasets.registry import open_data
from equiradio.datasets.simulated import simulate
from equiradio.errors import DataRefusal
from equiradio.labels import Labels
from equiradio.serve import sets
from equiradio.serve.gallery import Runs
from equiradio.serve.networks import Networks
from equiradio.serve.offers import Offers, gather
from equiradio.serve.sets import DataSet, ImageFolder, Sets, data_sets, position_of
from equiradio.sky.beams import Beam
from equiradio.sky.recipe import Recipe


@pytest.fixture
def folder(tmp_path):
    for place in ("a", "b"):
        (tmp_path / "cutouts" / place).mkdir(parents=True)
        Image.fromarray(simulate(1, 0).images[0]).save(tmp_path / "cutouts" / place / "src.png")
    shutil.copy(tmp_path / "cutouts" / "a" / "src.png", tmp_path / "cutouts" / "a" / "alone.png")
    return tmp_path / "cutouts"


def test_a_file_of_a_table_is_known_by_as_much_of_its_path_as_it_takes(folder):
    images = ImageFolder(folder)
    assert images.key_of("cutouts/a/src.png") == images.key_of(str(folder / "a" / "src.png")) == "cutouts/a/src.png"
    assert images.key_of("b/src.png") == "cutouts/b/src.png"
    assert images.key_of("elsewhere/alone.png") == images.key_of("alone.png") == "cutouts/a/alone.png"
    assert images.key_of("src.png") is None
    assert images.key_of("other.png") is images.key_of("") is None


def test_a_data_set_of_its_own_recipe_is_shown_by_it(sky, tmp_path):
    images = np.zeros((6, 40, 40), np.uint8)
    images[:, 10:20, 10:20] = 255
    sources = replace(
        open_data(str(sky)).choose(np.arange(6)),
        images=images,
        masks=None,
        name="own",
        recipe=Recipe(40, 4.0, 80, beam_arcsec=12.0, stretch="asinh"),
    )
    place = replace(sources, ra_deg=np.full(6, 30.0), dec_deg=np.arange(6.0), md5="")
    own = DataSet("own", str(write_folder(place, tmp_path / "own")), None)
    held = own.get(str(own.sources().source_ids[0]))
    assert (held.pixels.shape, held.arcsec_per_pixel, held.beam) == ((40, 40), 4.0, Beam(12.0, 12.0, 0.0))
    cutout = held.cutout()
    assert (cutout.pixel_arcsec, cutout.measurable) == (4.0, False)
    assert held.recipe is None, "a network of its side may be asked, as evaluate --data does"


def test_files_are_read_by_the_recipe_of_the_folder(folder):
    Image.fromarray(np.arange(1600, dtype=np.uint16).reshape(40, 40).astype(np.uint8)).save(folder / "a" / "one.jpg")
    assert "cutouts/a/one.jpg" not in ImageFolder(folder).keys
    own = Recipe(40, 0.0, 80, beam_arcsec=0.0, stretch="linear")
    held = ImageFolder(folder, own).get("a/one.jpg")
    assert held.pixels.shape == (40, 40)
    assert (held.recipe, held.arcsec_per_pixel) == (own, None)


def test_images_beyond_the_most_are_named_at_the_start(folder, monkeypatch):
    monkeypatch.setattr(sets, "MOST_FILES", 2)
    assert ImageFolder(folder).keys == ["cutouts/a/alone.png", "cutouts/a/src.png"]
    (problem,) = gather([], [], ["simulated"], folder, []).problems
    assert "the last 1 of 3 images, by name; expected at most 2. Show them from a folder of their own." in str(problem)
    monkeypatch.setattr(sets, "MOST_FILES", 3)
    assert not gather([], [], ["simulated"], folder, []).problems


def test_pictures_that_no_model_offered_takes_are_counted_at_the_start(folder):
    Image.fromarray(np.zeros((40, 40), np.uint8)).save(folder / "a" / "one.jpg")
    (problem,) = gather([], [], ["simulated"], folder, []).problems
    assert str(problem).startswith(f"{folder}: 1 of .jpg, .jpeg passed over; expected files ending in .fits, ")


def test_names_that_are_no_text_are_shown_and_opened(folder):
    try:
        for name in (b"gal\xed.png", b"gal\xee.png"):
            shutil.copy(folder / "a" / "src.png", folder / os.fsdecode(name))
    except OSError:
        pytest.skip("this file system holds no such names")
    images = ImageFolder(folder)
    names = [row["name"] for row in images.listing() if row["name"].startswith("gal")]
    assert names == ["gal?.png", "gal?.png (2)"]
    assert all(images.get(name).pixels.any() for name in names)


def test_sets_of_one_name_are_told_apart_and_none_takes_the_name_of_uploads(folder):
    sets = Sets([DataSet(name, name, None) for name in ("sky", "sky", "cutouts", "upload")] + [ImageFolder(folder)])
    assert sets.names() == ["sky", "sky (2)", "cutouts", "upload (2)", "cutouts (2)", "upload"]
    assert sets.get("cutouts (2)/a/src.png").name == "src.png"
    assert [row["key"] for row in sets.listing("cutouts (2)")] == [
        f"cutouts (2)/{name}" for name in ("a/alone.png", "a/src.png", "b/src.png")
    ]


def test_images_are_called_by_the_name_of_their_folder(folder, monkeypatch):
    assert Sets([ImageFolder(folder)]).names() == ["cutouts", "upload"]
    monkeypatch.chdir(folder / "a")
    assert ImageFolder(Path()).name == "a"
    assert Offers(Networks([]), Sets([ImageFolder(folder)]), Runs([]), {}).key_of("b/src.png") == "cutouts/b/src.png"


def test_data_that_are_not_there_are_refused_when_the_viewer_starts(sky):
    with pytest.raises(DataRefusal, match="'nope' is not a data set nor a folder"):
        data_sets([str(sky), "nope"], None)
    assert [each.name for each in data_sets([str(sky), "simulated"], None)] == [sky.name, "simulated"]


def test_sources_carry_the_names_of_their_classes(sky, monkeypatch):
    data = DataSet("sky", str(sky), None)
    first, second = data.listing()[:2]
    assert (first["label"], second["label"]) == ("FRI", "FRII")
    assert data.get(second["name"]).label == "FRII"
    sources = replace(data.sources(), classes=Labels(("Compact", "Bent")), labels=np.r_[-1, data.sources().labels[1:]])
    monkeypatch.setattr(DataSet, "sources", lambda self: sources)
    assert [row["label"] for row in data.listing()[:2]] == ["unknown", "Bent"]


def test_positions_come_from_the_data_set_and_not_from_names():
    sources = simulated.load(count=3)
    assert position_of(sources, 0) is None
    placed = replace(sources, ra_deg=np.array([10.0, np.nan, 30.0]), dec_deg=np.array([-5.0, 1.0, 2.0]))
    assert position_of(placed, 0) == (10.0, -5.0)
    assert position_of(placed, 1) is None
