"""Every form in which people have labelled images becomes the same data set; what is left out is counted."""

import json
from dataclasses import replace

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import MaskedColumn, Table
from own_images import (
    KINDS,
    SIDE,
    class_folder,
    file_table,
    grey,
    header,
    pixels,
    place,
    write_array,
    write_fits,
    write_picture,
    write_table,
)

from equiradio.cli.main import main
from equiradio.datasets.folder import read_folder
from equiradio.datasets.imports import gathering
from equiradio.datasets.imports.building import read_source
from equiradio.datasets.imports.choices import Choices
from equiradio.datasets.imports.splitting import made_split
from equiradio.datasets.imports.tables import Columns, positions, read_table
from equiradio.datasets.registry import open_data
from equiradio.datasets.splits import angular_separation_arcsec
from equiradio.errors import DataRefusal
from equiradio.labels import labels_of
from equiradio.sky.clipping import clipped_noise
from equiradio.sky.recipe import MIRABEST, Recipe
from equiradio.verbs.import_data import import_data

COUNT = 24


def expected(number, stretch="mirabest"):
    """What must become of the pixels of an image, by the words of the recipe."""
    values = pixels(number).astype(float)
    level = 3 * clipped_noise(pixels(number).ravel(), 3.0, 5)[1]
    lit = np.where(values > level, values, 0)
    if stretch == "asinh":
        lit = np.arcsinh(lit / level)
    if stretch == "linear":
        lit = values - values.min()
    return np.floor(lit / lit.max() * 255)


def by_name(sources):
    return dict(zip(sources.source_ids.tolist(), range(len(sources)), strict=True))


@pytest.fixture
def folder(tmp_path):
    return class_folder(tmp_path / "mine")


def test_a_folder_per_class_of_fits(folder):
    sources, report = read_source(folder)
    assert sources.name == "mine"
    assert sources.classes.names == KINDS
    assert sources.recipe == Recipe(SIDE, 2.0, 2 * SIDE, 3.0, 5, 0.0, "mirabest")
    assert sources.images.shape == (COUNT, SIDE, SIDE)
    for name, row in by_name(sources).items():
        number = int(name[1:])
        assert KINDS[sources.labels[row]] == KINDS[number % 2]
        np.testing.assert_allclose(sources.images[row].astype(float), expected(number), atol=1)
        assert (sources.ra_deg[row], sources.dec_deg[row]) == pytest.approx(place(number))
    assert (report.form, report.rows, report.lines) == ("a folder per class (2)", COUNT, [])


@pytest.mark.parametrize(("write", "suffix"), [(write_picture, ".png"), (write_array, ".npy")])
def test_pictures_are_taken_as_they_are_and_arrays_of_numbers_clipped(tmp_path, write, suffix):
    sources, _ = read_source(class_folder(tmp_path / "mine", write=write, suffix=suffix))
    picture = suffix == ".png"
    assert (sources.recipe.stretch, sources.recipe.scale_arcsec) == ("linear" if picture else "mirabest", 0)
    assert (sources.ra_deg, sources.dec_deg) == (None, None)
    for name, row in by_name(sources).items():
        if picture:
            np.testing.assert_array_equal(sources.images[row], grey(int(name[1:])))
        else:
            np.testing.assert_allclose(sources.images[row].astype(float), expected(int(name[1:])), atol=1)


def test_jpeg_is_read(tmp_path):
    sources, _ = read_source(class_folder(tmp_path / "mine", write=write_picture, suffix=".jpg"))
    row = by_name(sources)["s04"]
    assert np.corrcoef(sources.images[row].ravel(), grey(4).ravel())[0, 1] > 0.99


@pytest.mark.parametrize("stretch", ["asinh", "linear"])
def test_the_stretch_is_the_one_that_is_named(folder, stretch):
    sources, _ = read_source(folder, Choices(stretch=stretch))
    np.testing.assert_allclose(sources.images[by_name(sources)["s05"]].astype(float), expected(5, stretch), atol=1)


def as_parquet(csv, rows):
    pq.write_table(pa.table(rows), csv.with_suffix(".parquet"))
    return csv.with_suffix(".parquet")


def as_table(suffix):
    def write(csv, rows):
        from astropy.table import Table

        Table(rows).write(csv.with_suffix(suffix), format={".fits": "fits", ".vot": "votable"}[suffix])
        return csv.with_suffix(suffix)

    return write


@pytest.mark.parametrize("form", [None, as_parquet, as_table(".fits"), as_table(".vot")], ids=["csv", "parquet", "fits", "votable"])
def test_a_table_of_files_in_every_form(tmp_path, folder, form):
    rows = {"file": [f"images/s{n:02d}.fits" for n in range(COUNT)], "label": [KINDS[n % 2] for n in range(COUNT)]}
    path = file_table(tmp_path / "other")
    path = path if form is None else form(path, rows)
    sources, report = read_source(path)
    ours = read_source(folder)[0]
    assert report.form == "a table of files"
    assert by_name(sources).keys() == by_name(ours).keys()
    for name, row in by_name(sources).items():
        np.testing.assert_array_equal(sources.images[row], ours.images[by_name(ours)[name]])
        assert sources.labels[row] == ours.labels[by_name(ours)[name]]


def test_positions_beside_mosaics_are_cut_out(tmp_path):
    from astropy.io import fits
    from astropy.wcs import WCS

    side, cut, places = 400, 32, {}
    for image, centre in enumerate([(50.0, 10.0), (80.0, -5.0)]):
        mosaic = np.random.default_rng(image).normal(0, 1, (side, side)).astype(np.float32)
        head = header(0, side, at=centre)
        for number in range(image * 12, image * 12 + 12):
            row, column = 40 + 80 * (number % 4), 60 + 100 * (number % 12 // 4)
            mosaic[row - 16 : row + 16, column - 16 : column + 16] = pixels(number, cut)
            sky = WCS(head).pixel_to_world(column, row)
            places[number] = float(sky.ra.deg), float(sky.dec.deg)
        (tmp_path / "sky").mkdir(exist_ok=True)
        fits.PrimaryHDU(mosaic, head).writeto(tmp_path / "sky" / f"m{image}.fits")
    places[24] = 200.0, 0.0  # in neither
    columns = {"name": [f"s{n}" for n in places], "ra": [p[0] for p in places.values()], "dec": [p[1] for p in places.values()]}
    path = write_table(tmp_path / "table.csv", columns | {"class": [KINDS[n % 2] for n in places]})
    sources, report = read_source(path, Choices(images=(tmp_path / "sky",), side=cut, neighbours_arcsec=20))
    assert report.form == "a table of positions in 2 images"
    assert report.lost == {"outside": ["s24 (in none of 2 images)"]}
    assert len(sources) == 24
    for name, row in by_name(sources).items():
        bright = np.unravel_index(sources.images[row].argmax(), (cut, cut))
        assert bright == np.unravel_index(pixels(int(name[1:]), cut).argmax(), (cut, cut))


def two_mosaics(folder, blank):
    """Two mosaics of one field, the left half of the first ``blank``; and a table whose rows go to and fro between the halves."""
    from astropy.io import fits
    from astropy.wcs import WCS

    head, places = header(0, 400, at=(50.0, 10.0)), {}
    whole = np.random.default_rng(1).normal(0, 1, (400, 400)).astype(np.float32)
    for number in range(COUNT):
        row, column = 40 + 60 * (number // 2 % 6), (60, 340, 140, 260)[number % 2 + 2 * (number // 12)]
        whole[row - 16 : row + 16, column - 16 : column + 16] = pixels(number, 32)
        sky = WCS(head).pixel_to_world(column, row)
        places[number] = float(sky.ra.deg), float(sky.dec.deg)
    halves = [whole.copy(), whole.copy()]
    halves[0][:, :200] = blank
    halves[1][:, 200:] += 1000  # would be seen
    (folder / "sky").mkdir()
    for number, half in enumerate(halves):
        fits.PrimaryHDU(half, head).writeto(folder / "sky" / f"m{number}.fits")
    columns = {"name": [f"s{n}" for n in places], "ra": [p[0] for p in places.values()], "dec": [p[1] for p in places.values()]}
    return write_table(folder / "table.csv", columns | {"class": [KINDS[n // 2 % 2] for n in places]})


@pytest.mark.parametrize("blank", [np.nan, 0.0])
def test_of_images_that_hold_a_position_one_with_pixels_there_is_taken(tmp_path, blank):
    path = two_mosaics(tmp_path, blank)
    sources, report = read_source(path, Choices(images=(tmp_path / "sky",), side=32, neighbours_arcsec=20))
    assert (report.lost, sources.source_ids.tolist()) == ({}, [f"s{n}" for n in range(COUNT)])
    for number, image in enumerate(sources.images):
        assert image.argmax() == pixels(number, 32).argmax()


def test_a_source_at_the_edge_of_one_mosaic_is_cut_whole_from_the_next(tmp_path):
    from astropy.io import fits

    path = two_mosaics(tmp_path, np.nan)
    whole = fits.getdata(tmp_path / "sky" / "m1.fits")
    whole[:, 200:] -= 1000
    for name, columns in {"m0": slice(0, 150), "m1": slice(50, 400)}.items():  # the first ends 10 pixels behind sources at column 140
        head = header(0, 400, at=(50.0, 10.0))
        head["CRPIX1"] -= columns.start
        fits.PrimaryHDU(whole[:, columns], head).writeto(tmp_path / "sky" / f"{name}.fits", overwrite=True)
    choices = Choices(images=(tmp_path / "sky" / "m*.fits",), side=32, neighbours_arcsec=20)
    sources, report = read_source(path, choices)
    assert report.form == "a table of positions in 2 images"
    assert not [note for note in report.notes if "end within their cutout" in note]
    for number, image in enumerate(sources.images):
        assert image.argmax() == pixels(number, 32).argmax()


def test_another_map_on_a_mosaic_s_pixels_goes_behind_it_by_its_name_and_a_note_says_so(tmp_path):
    from astropy.io import fits

    path = two_mosaics(tmp_path, np.nan)
    choices = Choices(images=(tmp_path / "sky",), side=32, neighbours_arcsec=20)
    before, report = read_source(path, choices)
    beside = f"({tmp_path / 'sky' / 'm0.fits'} and {tmp_path / 'sky' / 'm1.fits'})"
    say = "the first is taken. Name by --images those that are meant"
    assert report.notes[0] == f"2 images have the same pixels as others {beside}: {say}"
    pixels_there, head = fits.getdata(tmp_path / "sky" / "m1.fits", header=True)
    fits.writeto(tmp_path / "sky" / "a-residual.fits", pixels_there[::-1, ::-1].copy(), head)
    after, report = read_source(path, choices)
    np.testing.assert_array_equal(after.images, before.images)
    last = "the first is taken, other maps by their names last (residual). Name by --images those that are meant"
    assert report.notes[0] == f"3 images have the same pixels as others {beside}: {last}"


@pytest.mark.parametrize("names", [("ra_deg_cont", "dec_deg_cont"), ("RAdeg", "DEdeg"), ("ALPHA_J2000", "DELTA_J2000")])
def test_positions_have_the_names_that_finders_and_archives_give_them(names):
    ra, dec = positions(Columns("a.vot", {"ra_hms_cont": ["10:00:00"], names[0]: [150.0], names[1]: [2.0]}))
    assert (ra.tolist(), dec.tolist()) == ([150.0], [2.0])


def test_mosaics_are_opened_once_each_to_cut_however_the_rows_lie(tmp_path, monkeypatch):
    path, opened, read = two_mosaics(tmp_path, np.nan), [], gathering.read_plane
    monkeypatch.setattr(gathering, "OPEN_MOSAICS", 1)
    monkeypatch.setattr(gathering, "read_plane", lambda file: opened.append(file.name) or read(file))
    sources, _ = read_source(path, Choices(images=(tmp_path / "sky",), side=32, neighbours_arcsec=20))
    assert opened == ["m0.fits", "m1.fits", "m0.fits", "m1.fits"]
    assert sources.source_ids.tolist() == [f"s{n}" for n in range(COUNT)]


@pytest.mark.parametrize("labels", ["words", "numbers", "names in the file"])
def test_an_hdf5_of_images_with_labels(tmp_path, folder, labels):
    path = tmp_path / "mine.h5"
    with h5py.File(path, "w") as file:
        file["data/images"] = np.stack([pixels(n) for n in range(COUNT)])
        numbers = np.arange(COUNT) % 2
        file["data/label"] = numbers if labels != "words" else [KINDS[n % 2].encode() for n in range(COUNT)]
        if labels == "names in the file":
            file["data/label"].attrs["classes"] = list(KINDS)
    sources, report = read_source(path, Choices(classes=KINDS if labels == "numbers" else ()))
    assert report.form == "an HDF5 file"
    assert sources.classes.names == KINDS
    ours = read_source(folder)[0]
    assert sources.source_ids[3] == "image-03"
    np.testing.assert_array_equal(sources.images[3], ours.images[by_name(ours)["s03"]])
    assert sources.labels.tolist() == (np.arange(COUNT) % 2).tolist()


@pytest.mark.parametrize("together", [True, False])
def test_an_array_with_a_table(tmp_path, together):
    (tmp_path / "mine").mkdir()
    np.save(tmp_path / "mine" / "images.npy", np.stack([grey(n) for n in range(COUNT)]))
    table = write_table(tmp_path / "mine" / "t.csv", {"row": range(COUNT), "class": [KINDS[n % 2] for n in range(COUNT)]})
    source = tmp_path / "mine" if together else table
    sources, _ = read_source(source, Choices(images=() if together else (tmp_path / "mine" / "images.npy",)))
    np.testing.assert_array_equal(sources.images[7], grey(7))
    assert len(sources) == COUNT


def test_images_that_are_mirabest_s_pixels_have_its_recipe(tmp_path):
    for number in range(8):
        write_fits(tmp_path / "mine" / KINDS[number % 2] / f"{number}.fits", number, side=150, scale=1.8)
    assert read_source(tmp_path / "mine")[0].recipe == MIRABEST


def split_by_name(sources):
    return dict(zip(sources.source_ids.tolist(), sources.split.tolist(), strict=True))


def test_made_splits_hold_every_class_and_depend_on_the_seed(folder):
    one, two, other = (read_source(folder, Choices(seed=seed))[0] for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.split, two.split)
    assert (one.split != other.split).any()
    for split, least in (("train", 4), ("validation", 1), ("test", 1)):
        assert all(((one.split == split) & (one.labels == label)).sum() >= least for label in (0, 1))


def test_a_file_that_is_added_moves_no_other_between_test_and_training(folder):
    before = split_by_name(read_source(folder)[0])
    write_fits(folder / "Bar" / "a-first.fits", 30)
    write_fits(folder / "Dot" / "s05-and-a-half.fits", 31)
    after = split_by_name(read_source(folder)[0])
    assert sum(before[name] != after[name] for name in before) <= 1
    assert all({before[name], after[name]} != {"train", "test"} for name in before)


def test_a_file_of_the_same_stem_in_another_folder_renames_no_third(folder):
    before = split_by_name(read_source(folder)[0])
    write_fits(folder / "Bar" / "s05.fits", 30)
    after = read_source(folder)[0].source_ids.tolist()
    assert set(after) == set(before) - {"s05"} | {"Bar/s05.fits", "Dot/s05.fits"}


def test_rows_in_another_order_have_the_same_splits(tmp_path):
    order = np.random.default_rng(3).permutation(COUNT)
    columns = {"file": [f"images/s{n:02d}.fits" for n in order], "label": [KINDS[n % 2] for n in order]}
    plain = split_by_name(read_source(file_table(tmp_path / "plain", ra=None, dec=None))[0])
    assert split_by_name(read_source(file_table(tmp_path / "other", ra=None, dec=None, **columns))[0]) == plain


def test_images_without_names_have_their_splits_by_their_pixels(tmp_path):
    splits = []
    for name, order in (("plain", np.arange(COUNT)), ("other", np.random.default_rng(3).permutation(COUNT))):
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "images.npy", np.stack([grey(n) for n in order]))
        write_table(tmp_path / name / "t.csv", {"class": [KINDS[n % 2] for n in order]})
        sources, report = read_source(tmp_path / name)
        splits.append(dict(zip(order.tolist(), sources.split.tolist(), strict=True)))
        assert any("by pixels, as sources have no names" in note for note in report.notes)
    assert splits[0] == splits[1]


def grown(seed, count=300, more=30):
    """Splits by name of ``count`` sources of three classes, and of these and ``more`` in any order."""
    rng = np.random.default_rng(seed)
    names = np.array([f"J{number:06d}" for number in rng.choice(10**6, count + more, replace=False)])
    labels, order, classes = np.arange(count + more) % 3, rng.permutation(count + more), labels_of("ABC")
    rows = (np.arange(count), order)
    return [
        dict(zip(names[row].tolist(), made_split(labels[row], np.arange(len(row)), names[row], classes, seed, "here"), strict=True))
        for row in rows
    ]


@pytest.mark.parametrize("seed", range(5))
def test_all_of_three_hundred_sources_keep_their_split_when_a_tenth_is_added(seed):
    before, after = grown(seed)
    assert {name: after[name] for name in before} == before
    assert np.unique(list(before.values()), return_counts=True)[1] == pytest.approx([50, 200, 50], abs=25)


@pytest.mark.parametrize("seed", range(5))
def test_of_thirty_sources_none_that_trained_is_tested_when_three_are_added(seed):
    before, after = grown(seed, 30, 3)
    assert sum(before[name] != after[name] for name in before) <= 2
    assert not any({before[name], after[name]} == {"train", "test"} for name in before)


def test_three_sources_of_a_class_are_one_of_each_split():
    for seed in range(20):
        split = made_split(np.array([0, 0, 0, 1, 1, 1]), np.arange(6), list("abcdef"), labels_of("AB"), seed, "here")
        assert sorted(split[:3]) == sorted(split[3:]) == ["test", "train", "validation"]


def test_a_group_of_neighbours_larger_than_a_sixth_of_a_class_trains():
    groups, labels = np.r_[np.zeros(8, int), np.arange(1, 33)], np.r_[np.zeros(24, int), np.ones(16, int)]
    names = [f"s{number:02d}" for number in range(40)]
    for seed in range(20):
        assert set(made_split(labels, groups, names, labels_of("AB"), seed, "here")[:8]) == {"train"}


def test_neighbours_stay_on_one_side_and_pairs_are_counted(tmp_path):
    for number in range(40):
        ra, dec = place(number // 2)
        write_fits(tmp_path / "mine" / KINDS[number % 2] / f"s{number:02d}.fits", number, at=(ra, dec + number % 2 / 3600))
    sources, report = read_source(tmp_path / "mine", Choices(neighbours_arcsec=30))
    apart = angular_separation_arcsec(sources.ra_deg[:, None], sources.dec_deg[:, None], sources.ra_deg, sources.dec_deg)
    near = apart < 30
    assert near.sum() == 80
    assert (sources.split[:, None] == sources.split)[near].all()
    pairs = "s00 and s01, s02 and s03, s04 and s05, ..."
    line = f"20 pairs of sources lie within 5 arcsec ({pairs}): the same source twice?"
    assert f"{line} 20 of the pairs have two classes ({pairs}): decide on one" in report.notes


def test_stated_splits_by_their_usual_words(tmp_path):
    words = ["Training", "train", "val", "valid", "test", "test"] * 4
    sources, report = read_source(file_table(tmp_path, split=words))
    assert sources.split.tolist() == ["train", "train", "validation", "validation", "test", "test"] * 4
    nothing, report = read_source(file_table(tmp_path / "two", split=["train", "train", "val", "val"] * 6))
    assert "no test source: a team will have no test scores" in report.notes
    assert set(nothing.split) == {"train", "validation"}


def test_a_class_none_is_one_where_it_is_named(tmp_path):
    sources, _ = read_source(file_table(tmp_path, label=["None", "Dot"] * 12), Choices(classes=("Dot", "None")))
    assert (sources.classes.names, np.bincount(sources.labels).tolist()) == (("Dot", "None"), [12, 12])


def test_positions_that_are_nan_are_of_no_place(tmp_path):
    sources, _ = read_source(file_table(tmp_path, ra=["nan", *(place(n)[0] for n in range(1, COUNT))]))
    assert len(sources) == COUNT
    assert sources.ra_deg[0] == pytest.approx(place(0)[0])  # the image's own


def test_a_few_positions_of_other_places_than_their_images_are_noted(tmp_path):
    sources, report = read_source(file_table(tmp_path, dec=[place(n)[1] + (n in (3, 4)) for n in range(COUNT)]))
    line = "2 of 24 positions lie up to 3,600 arcsec from those of their images (s03, s04): those of the table are taken"
    assert line in report.notes
    assert sources.dec_deg[3] == pytest.approx(place(3)[1] + 1)


def test_the_scale_is_that_of_the_first_image_that_states_one(folder):
    write_array(folder / "Bar" / "a0.npy", 40)
    sources, report = read_source(folder)
    assert sources.recipe == read_source_of_all_but(folder, "a0.npy").recipe
    assert "1 of 25 images state no scale (a0): their pixels are taken for 2 arcsec as those of the others" in report.notes


def read_source_of_all_but(folder, name):
    next(folder.rglob(name)).unlink()
    return read_source(folder)[0]


def test_folders_and_files_that_are_not_read_are_noted(folder):
    for name in ("Ring/a.tif", "Ring/b.tif", "Bar/notes.txt", "Bar/.hidden"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("none")
    (folder / "Void").mkdir()
    sources, report = read_source(folder)
    assert sources.classes.names == KINDS
    assert report.notes[:3] == [
        "1 of 13 files in folder Bar are no images that are read (notes.txt)",
        "2 of 2 files in folder Ring are no images that are read (a.tif, b.tif): no source of this class",
        "folder Void is empty: no source of this class",
    ]


def test_comments_stand_before_the_heading_of_a_table_and_no_row_is_lost(tmp_path):
    path = file_table(tmp_path, split=None, name=[f"s{n}" for n in range(COUNT)])
    head, *rows = path.read_text().splitlines()
    columns = head.split(",")
    assert columns[-1] == "name"
    turned = [",".join([each.rsplit(",", 1)[1], each.rsplit(",", 1)[0]]) for each in rows]  # the name comes first
    turned[7] = turned[7].replace("s7", "#7", 1)
    path.write_text("\n".join(["# made by hand", "# in June", ",".join(["name", *columns[:-1]]), *turned]) + "\n")
    assert "#7" in read_source(path)[0].source_ids


def test_chosen_classes_are_in_their_order_and_the_others_left_out(tmp_path):
    folder = class_folder(tmp_path / "mine")
    for number in range(24, 30):
        write_fits(folder / "Other" / f"s{number}.fits", number)
    sources, report = read_source(folder, Choices(classes=("Dot", "Bar")))
    assert (sources.classes.names, len(sources)) == (("Dot", "Bar"), 24)
    assert report.lines[0].startswith("6 of 30 left out, of a class that is not wanted: s24, s25, s26, ...")
    assert sources.left_out == ("mine: " + report.lines[0],)


def test_images_of_no_use_and_doubles_are_left_out_and_counted(folder):
    write_fits(folder / "Bar" / "again.fits", 2, at=(1, 1))
    write_fits(folder / "Dot" / "torn.fits", 4, at=(2, 2))  # the pixels of a bar
    (folder / "Dot" / "empty.fits").write_bytes(b"")
    np.save(folder / "Bar" / "flat.npy", np.zeros((SIDE, SIDE), np.float32))
    sources, report = read_source(folder)
    assert report.lost == {
        "blank": ["flat (all pixels of the image are alike)"],
        "empty file": ["empty (0 bytes)"],
        "the same pixels as another": ["s02"],
        "the same pixels as another of another class": ["s04", "torn"],
    }
    assert {"s02", "s04", "torn", "flat"} & set(sources.source_ids) == set()
    assert "again" in sources.source_ids
    assert len(sources) == 23


def test_another_side_cuts_and_fills_up(folder):
    narrow, wide = (read_source(folder, Choices(side=side))[0] for side in (32, 48))
    row = by_name(narrow)["s05"]
    whole = expected(5)[4:-4, 4:-4]
    np.testing.assert_allclose(narrow.images[row].astype(float), np.floor(whole / whole.max() * 255), atol=1)
    assert (wide.images[row][:4] == 0).all()
    np.testing.assert_allclose(wide.images[row][4:-4, 4:-4].astype(float), expected(5), atol=1)


def test_the_command_writes_data_report_and_montage(folder, tmp_path, capsys):
    from PIL import Image

    out = tmp_path / "out"
    assert main(["data", "import", str(folder), "--out", str(out), "--name", "bars"]) == 0
    shown = capsys.readouterr().out
    assert "a folder per class (2), 24 rows" in shown
    assert f"look at {out / 'montage.png'}" in shown
    sources, report = read_folder(out), json.loads((out / "report.json").read_text())
    assert sources.name == "bars"
    direct = open_data(str(folder))
    for name in ("images", "labels", "split", "source_ids"):
        np.testing.assert_array_equal(getattr(sources, name), getattr(direct, name))
    assert (sources.recipe, sources.md5) == (direct.recipe, direct.md5)
    assert report["data"]["splits"]["train"] == {kind: int((direct.of_split("train").labels == n).sum()) for n, kind in enumerate(KINDS)}
    assert report["recipe"]["beam_arcsec"] is None
    with Image.open(out / "montage.png") as montage:
        assert montage.size[0] > 600
    assert main(["data", "verify", str(out)]) == 0
    assert replace(sources, folder="").recipe.side == SIDE


@pytest.mark.parametrize("kind", ["fits", "parquet"])
def test_positions_that_astropy_holds_as_one_column_are_read_and_those_of_another_frame_refused(tmp_path, kind):
    places = SkyCoord([10.0, 11.0], [1.0, 2.0], unit="deg")
    file = tmp_path / f"t.{kind}"
    Table({"label": ["a", "b"], "coord": places}).write(file, format=kind)
    assert np.allclose(positions(read_table(file)), [[10, 11], [1, 2]])
    Table({"label": ["a", "b"], "coord": places.fk4}).write(file, format=kind, overwrite=True)
    with pytest.raises(DataRefusal, match="positions in fk4; expected ICRS"):
        positions(read_table(file))


def test_a_label_that_astropy_masks_is_an_empty_cell_of_parquet(tmp_path):
    labels = MaskedColumn(["FRI", "FRII"], mask=[False, True])
    Table({"file": ["a.fits", "b.fits"], "label": labels}).write(tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.parquet").values == {"file": ["a.fits", "b.fits"], "label": ["FRI", None]}


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_the_columns_of_a_table_may_stand_between_other_marks_than_commas(tmp_path, mark):
    (tmp_path / "t.csv").write_text("file,label\na b.fits,FRI\n".replace(",", mark))
    assert read_table(tmp_path / "t.csv").values == {"file": ["a b.fits"], "label": ["FRI"]}


def turned_table(folder, **changes):
    """A table of pictures of which s20 is s00 turned by a quarter, and s18 is s02 mirrored."""
    from PIL import Image

    for number in range(COUNT):
        image = {20: np.rot90(grey(0)), 18: grey(2)[:, ::-1]}.get(number, grey(number))
        (folder / "images").mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.ascontiguousarray(image)).save(folder / "images" / f"s{number:02d}.png")
    columns = {"file": [f"images/s{n:02d}.png" for n in range(COUNT)], "label": [KINDS[n % 2] for n in range(COUNT)]}
    return write_table(folder / "t.csv", columns | changes)


def test_turned_and_mirrored_copies_are_the_same_source(tmp_path):
    splits = ["train"] * 12 + ["validation"] * 6 + ["test"] * 6
    sources, report = read_source(turned_table(tmp_path / "stated", split=splits))
    assert set(report.lost["the same pixels as another, turned or mirrored"]) == {"s18", "s20"}
    assert {"s00", "s02"} <= set(sources.source_ids.tolist())
    labels = [KINDS[(n == 20) or n % 2] for n in range(COUNT)]
    sources, report = read_source(turned_table(tmp_path / "torn", label=labels))
    assert set(report.lost["the same pixels as another, turned or mirrored, of another class"]) == {"s00", "s20"}
    assert not {"s00", "s20"} & set(sources.source_ids.tolist())


def test_the_column_of_classes_is_named_where_others_are_not_read(tmp_path):
    label = {"label": None, "type": ["G", "QSO"] * 12, "FR": [KINDS[n % 2] for n in range(COUNT)], "flux": range(COUNT)}
    sources, report = read_source(file_table(tmp_path, **label))
    assert sources.classes.names == ("G", "QSO")
    assert "classes are those of column type; columns that are not read: FR, flux" in report.notes
    assert not any("not read" in note for note in read_source(file_table(tmp_path / "plain"))[1].notes)


@pytest.mark.parametrize("classes", [(), ("Bar", "Dot")])
def test_label_minus_one_is_no_class(tmp_path, classes):
    sources, report = read_source(file_table(tmp_path, label=[0, 1, -1] * 8), Choices(classes=classes))
    assert sources.classes.names == (classes or ("0", "1"))
    assert len(sources) == 16
    assert len(report.lost["of label -1, which is no class"]) == 8


def test_classes_that_nearly_have_one_name_are_noted(tmp_path):
    _, report = read_source(file_table(tmp_path, label=["FR I", "FRI", "FRII"] * 8))
    assert "classes FR I and FRI differ in spaces or signs alone: one class?" in report.notes


def test_images_beside_the_folders_of_classes_and_names_in_two_of_them_are_noted(folder):
    write_fits(folder / "alone.fits", 40)
    write_fits(folder / "Bar" / "s01.fits", 41)
    notes = read_source(folder)[1].notes
    assert "1 images lie in no folder of a class, and are not read (alone.fits)" in notes
    assert "1 names of files occur more than once (s01): the same source twice?" in notes


def test_an_image_that_one_pixel_outshines_is_noted(folder):
    values = pixels(40)
    values[2, 3] = 1e7
    np.save(folder / "Bar" / "hot.npy", values)
    assert "1 of 25 images have 4 lit pixels or less (hot): a pixel that outshines the source?" in read_source(folder)[1].notes


def test_images_of_other_sides_than_the_cutouts_are_noted(folder):
    write_fits(folder / "Bar" / "big.fits", 40, side=60)
    notes = read_source(folder, Choices(side=48))[1].notes
    assert "1 of 25 images are larger than 48 x 48 pixels: cut about their middle" in notes
    line = "24 images end within their cutout of 48 x 48 pixels (s00, s02, s04, ...): up to 31 % of it is filled up with empty sky"
    assert line in notes


def test_spaces_before_quoted_cells_are_no_part_of_them(tmp_path):
    path = file_table(tmp_path, ra=None, dec=None)
    path.write_text("file, label\n" + "".join(f'"images/s{n:02d}.fits", "{KINDS[n % 2]}"\n' for n in range(COUNT)))
    assert read_source(path)[0].classes.names == KINDS


def test_positions_under_the_names_of_vizier(tmp_path):
    places = {"_RAJ2000": [place(n)[0] for n in range(COUNT)], "_DEJ2000": [place(n)[1] for n in range(COUNT)]}
    sources, _ = read_source(turned_table(tmp_path, **places))
    assert sources.ra_deg.tolist() == pytest.approx([place(n)[0] for n in range(COUNT) if n not in (18, 20)])


def test_what_was_noted_of_an_import_is_told_to_whoever_trains_on_it(tmp_path):
    import_data(file_table(tmp_path, flux=range(COUNT)), tmp_path / "out", Choices())
    assert "table: classes are those of column label; columns that are not read: flux" in open_data(str(tmp_path / "out")).left_out


def test_words_for_no_label_are_no_class_and_counted_but_where_they_are_named(tmp_path):
    words = ["Unlabelled", "unlabeled", "none", "?", "unknown", "n/a", *(KINDS[n % 2] for n in range(6, COUNT))]
    sources, report = read_source(file_table(tmp_path, label=words))
    assert (sources.classes.names, len(sources)) == (KINDS, 18)
    assert report.lost["without a label ('?'; --classes names it if it is a class)"] == ["s03"]
    assert sum(len(names) for names in report.lost.values()) == 6
    words = ["unknown" if n < 8 else KINDS[n % 2] for n in range(COUNT)]
    sources, report = read_source(file_table(tmp_path / "named", label=words), Choices(classes=("Bar", "Dot", "unknown")))
    assert np.bincount(sources.labels).tolist() == [8, 8, 8]
    assert not report.lost


def test_a_folder_of_sources_without_a_label_is_no_class(folder):
    for number in range(40, 44):
        write_fits(folder / "unlabelled" / f"s{number}.fits", number)
    sources, report = read_source(folder)
    assert sources.classes.names == KINDS
    assert len(report.lost["without a label ('unlabelled'; --classes names it if it is a class)"]) == 4


@pytest.mark.parametrize("classes", [(), ("Bar", "Dot")])
def test_whole_numbers_stay_numbers_beside_a_word_for_no_label(tmp_path, classes):
    sources, report = read_source(file_table(tmp_path, label=["0", "1", "?"] * 8), Choices(classes=classes))
    assert (sources.classes.names, len(sources)) == (classes or ("0", "1"), 16)
    assert len(report.lines) == 1


def test_one_of_two_classes_that_share_a_column_is_left_out_by_naming_the_others(tmp_path):
    sources, _ = read_source(file_table(tmp_path, label=["FR-I", "FR I", "FR II"] * 8), Choices(classes=("FR I", "FR II")))
    assert len(sources) == 16


def test_half_a_position_is_none_and_is_not_filled_up_from_the_image(tmp_path):
    dec = [place(n)[1] + (50 if n in (3, 4) else 0) for n in range(COUNT)]
    sources, report = read_source(file_table(tmp_path, ra=["" if n in (3, 4) else place(n)[0] for n in range(COUNT)], dec=dec))
    assert (sources.ra_deg[3], sources.dec_deg[3]) == pytest.approx(place(3))
    line = "2 rows have one of ra and dec alone (s03, s04): their positions are those of the images, if these have one"
    assert line in report.notes
    sources, _ = read_source(turned_table(tmp_path / "pictures", ra=["", *range(101, 100 + COUNT)], dec=range(COUNT)))
    assert np.isnan(sources.ra_deg[0])
    assert np.isnan(sources.dec_deg[0])


@pytest.mark.parametrize(("name", "encoding"), [("t.tsv", "utf-8"), ("t.csv", "utf-16"), ("t.tsv", "utf-8-sig")])
def test_tables_with_tabs_and_the_unicode_text_of_spreadsheets_are_read(tmp_path, name, encoding):
    path = file_table(tmp_path, ra=None, dec=None, source_id=[f"S\xfcd, {n}" for n in range(COUNT)])
    rows = [f"images/s{n:02d}.fits\t{KINDS[n % 2]}\tS\xfcd, {n}" for n in range(COUNT)]
    (tmp_path / name).write_text("\n".join(["file\tlabel\tsource_id", *rows]) + "\n", encoding=encoding)
    np.testing.assert_array_equal(read_source(tmp_path / name)[0].source_ids, read_source(path)[0].source_ids)


@pytest.mark.parametrize("kind", ["csv", "parquet", "fits", "vot"])
def test_long_numbers_as_names_keep_their_digits(tmp_path, kind):
    numbers = np.array([2**63 + 1, 2**64 - 1, 6917528997577384321], np.uint64)
    written = {"vot": numbers.astype(str)}.get(kind, numbers)
    file = tmp_path / f"t.{kind}"
    Table({"source_id": written}).write(file, format={"csv": "ascii.csv", "vot": "votable"}.get(kind, kind))
    assert read_table(file).text("source_id") == [str(number) for number in numbers.tolist()]
