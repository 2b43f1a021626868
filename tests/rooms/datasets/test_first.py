"""The FIRST data set is read as published and brought to the recipe of the house; what is damaged or absent is refused."""

import json
import sys

import numpy as np
import pytest
from small_first import an_image, entries, packed, put

from equiradio.cli.main import main
from equiradio.datasets import first, threshold
from equiradio.datasets.first import FOLD, TEST, house_pixels
from equiradio.datasets.registry import chosen_split, open_data
from equiradio.errors import DataRefusal
from equiradio.folders import data_folder
from equiradio.labels import FANAROFF_RILEY


@pytest.fixture
def folder(tmp_path, monkeypatch):
    put(monkeypatch, tmp_path, FOLD, packed(entries()))
    return tmp_path


def refused(call, *arguments):
    with pytest.raises(DataRefusal) as caught:
        call(*arguments)
    line = str(caught.value)
    assert "\n" not in line
    return line


def test_the_centre_is_stretched_anew_from_nothing_to_the_brightest_of_its_own(monkeypatch):
    monkeypatch.setattr(threshold, "threshold_over_peak", lambda *_: 0.2)
    image = house_pixels(an_image(3) + np.uint8(0))
    assert (image.shape, image.dtype, image.min(), image.max()) == ((150, 150), np.uint8, 0, 255)
    assert image[149 - 75, 149 - 75] == 255
    assert image[145 - 75, 147 - 75] == int((0.2 + 0.8 * 50 / 200) * 255)
    raised = np.maximum(an_image(3), 7)  # the threshold's grey level is that of the sky
    assert house_pixels(raised)[0, 0] == 0
    assert house_pixels(np.full((300, 300), 9, np.uint8)) is None
    beside = np.zeros((300, 300), np.uint8)
    beside[10, 10] = 255
    assert house_pixels(beside) is None


def test_classes_splits_catalogues_and_positions_are_those_of_the_file(folder):
    sources = open_data("first", folder)
    assert sources.classes.names == ("FRI", "FRII", "Compact", "Bent")
    assert sources.labels.tolist() == [k % 4 for k in range(24)]  # by number, not as text: data_2 before data_10
    assert sources.split.tolist() == [("train", "validation")[k % 3 == 2] for k in range(24)]
    assert sources.catalogue.tolist() == ["Gendre", "MiraBest"] * 12
    assert (sources.ra_deg[10], sources.dec_deg[10], sources.source_ids[10]) == (102.5, 22.5, "first_102.500+22.500")
    np.testing.assert_array_equal(sources.images[10], house_pixels(an_image(10)))
    assert sources.md5 == first.FILE_MD5[FOLD]


def test_fri_and_frii_alone_are_a_data_set(folder):
    sources = open_data("first-fr", folder)
    assert (sources.name, sources.classes) == ("first-fr", FANAROFF_RILEY)
    assert sources.labels.tolist() == [0, 1] * 6
    assert sources.source_ids[2] == "first_101.000+21.000"


def test_a_blank_image_is_left_out_and_counted(tmp_path, monkeypatch, capsys):
    rows = entries()
    rows[5] = (np.zeros((300, 300), np.uint8), *rows[5][1:])
    put(monkeypatch, tmp_path, FOLD, packed(rows))
    sources = open_data("first", tmp_path)
    assert len(sources) == 23
    assert "first_101.250+21.250" not in sources.source_ids
    assert sources.left_out == ("first: 1 without a lit pixel (data_5)",)
    assert main(["data", "list", "first", "--data-dir", str(tmp_path)]) == 0
    assert "first: 1 without a lit pixel (data_5)" in capsys.readouterr().out


def test_test_sources_are_those_of_their_own_file_and_refused_without_it(folder, monkeypatch):
    line = refused(chosen_split, open_data("first", folder), "test")
    assert line.startswith(
        "first: no source is of split 'test'; expected train (16), validation (8). The test sources are a file of their own"
    )
    assert "'equiradio data fetch first'" in line
    assert TEST in line
    rows = [(*row[:4], row[4] + 50, row[5]) for row in entries(8, lambda k: "test")]
    put(monkeypatch, folder, TEST, packed(rows))
    sources = open_data("first", folder)
    assert len(chosen_split(sources, "test")) == 8
    assert len(sources) == 32
    assert sources.md5 == first.FILE_MD5[FOLD]


def damaged(rows, place, **changes):
    names = ("image", "label", "split", "catalogue", "ra", "dec")
    rows[place] = tuple(changes.get(name, value) for name, value in zip(names, rows[place], strict=True))
    return packed(rows)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"label": 4}, "data_3 has label 4 and split 'train'; expected 0 to 3, train, valid, test."),
        ({"label": np.nan}, "data_3 has label nan"),
        ({"split": "dev"}, "split 'dev'"),
        ({"image": np.zeros((150, 150), np.uint8)}, "data_3 is uint8 of shape (150, 150); expected uint8 and 300 x 300."),
        ({"ra": 400.0}, "data_3 lies at 400.0, 20.75; expected a position in degrees."),
        ({"ra": 100.0, "dec": 20.0}, "1 positions occur twice (first_100.000+20.000); expected each source once."),
    ],
)
def test_what_is_not_as_published_is_refused(tmp_path, monkeypatch, changes, line):
    put(monkeypatch, tmp_path, FOLD, damaged(entries(), 3, **changes))
    assert line in refused(open_data, "first", tmp_path)


def test_damaged_files_are_refused(folder, monkeypatch, tmp_path):
    path, whole = folder / "first" / FOLD, (folder / "first" / FOLD).read_bytes()
    path.write_bytes(whole[:-9])
    assert f"expected {first.FILE_MD5[FOLD]} as published (doi:{first.DOI}). Fetch it again" in refused(open_data, "first", folder)
    for content, line in (
        (whole[:-9], "the archive breaks off or is damaged"),
        (packed(entries(), "data.txt"), "it holds data.txt of"),
        (packed([]), "no source in it, 0 blank ones aside; expected sources."),
    ):
        put(monkeypatch, folder, FOLD, content)
        assert line in refused(open_data, "first", folder)
    monkeypatch.setattr(first, "LARGEST_UNPACKED", 1000)
    put(monkeypatch, folder, FOLD, whole)
    assert "expected one HDF5 file of up to 1,000 bytes" in refused(open_data, "first", folder)


def test_without_h5py_the_refusal_says_what_to_install(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    assert "h5py is not installed; expected h5py. Install it with: pip install 'equiradio[hdf5]'." in refused(open_data, "first", folder)


def test_absent_it_is_refused_with_both_ways_out(tmp_path, monkeypatch):
    def offline(*arguments, **named):
        raise OSError("Network is unreachable")

    monkeypatch.setattr("pooch.retrieve", offline)
    for call in (lambda: open_data("first", tmp_path), lambda: first.fetch(tmp_path), lambda: first.verify(tmp_path)):
        line = refused(call)
        assert "--data-dir" in line
        assert "10.5281/zenodo.7120632" in line
    assert first.where(tmp_path) == "not here; fetch it"


def test_both_files_are_fetched_by_md5(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("pooch.retrieve", lambda url, known_hash, fname, path, progressbar: asked.append((url, known_hash)) or path / fname)
    assert first.fetch(tmp_path) == tmp_path / "first"
    assert asked == [(f"{first.RECORD}/{name}", f"md5:{md5}") for name, md5 in first.FILE_MD5.items()]


def test_verify_and_list_answer_on_the_command_line(folder, capsys):
    assert main(["data", "verify", "first", "--data-dir", str(folder), "--json"]) == 0
    assert [check["file"] for check in json.loads(capsys.readouterr().out)] == [FOLD]
    assert main(["data", "list", "first", "--data-dir", str(folder), "--json"]) == 0
    about = json.loads(capsys.readouterr().out)
    assert about["splits"]["train"] == {"FRI": 4, "FRII": 4, "Compact": 4, "Bent": 4}
    assert about["catalogues"]["Gendre"] == {"FRI": 6, "FRII": 0, "Compact": 6, "Bent": 0}
    (folder / "first" / FOLD).write_bytes(b"no zip")
    assert main(["data", "verify", "first", "--data-dir", str(folder)]) == 2
    assert "1 of 1 files differ" in capsys.readouterr().err


def test_the_published_file_has_the_numbers_of_its_description():
    if not (data_folder() / "first" / FOLD).is_file():
        pytest.skip(f"no {FOLD} in {data_folder() / 'first'}")
    sources = open_data("first")
    counts = {split: np.bincount(sources.labels[sources.split == split]).tolist() for split in ("train", "validation")}
    assert counts == {"train": [316, 659, 232, 198], "validation": [79, 165, 59, 50]}
    assert (sources.images.reshape(len(sources), -1).max(1) == 255).all()
    assert len(open_data("first-fr")) == 1219
