"""A folder names its classes, positions and, where it has them, masks; what does not fit is refused with numbers."""

import json

import numpy as np
import pytest
from shapes import CLASSES, write_shapes

from equiradio.datasets.folder import read_folder, write_folder
from equiradio.datasets.registry import open_data
from equiradio.datasets.simulated import load
from equiradio.errors import DataRefusal, SettingRefusal
from equiradio.labels import FANAROFF_RILEY, UNKNOWN, Labels


@pytest.fixture
def folder(tmp_path):
    return write_shapes(tmp_path / "shapes")


def change(folder, old, new, file="catalogue.csv"):
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))


def refused(call, *arguments, kind=DataRefusal):
    with pytest.raises(kind) as caught:
        call(*arguments)
    line = str(caught.value)
    assert "\n" not in line
    return line


def test_classes_positions_and_no_masks_are_read(folder):
    sources = read_folder(folder)
    assert sources.classes == Labels(CLASSES)
    assert sources.labels[:5].tolist() == [0, 1, 2, 3, 0]
    assert (sources.ra_deg[3], sources.dec_deg[3]) == (150.3, -0.3)
    assert sources.masks is None
    assert sources.of_split("test").ra_deg.shape == (8,)


def test_a_folder_without_classes_is_of_fri_and_frii_and_has_no_positions(sky):
    sources = open_data(str(sky))
    assert "classes" not in json.loads((sky / "dataset.json").read_text())
    assert sources.classes == FANAROFF_RILEY
    assert (sources.ra_deg, sources.dec_deg) == (None, None)
    np.testing.assert_array_equal(sources.masks, load(count=36).masks)


@pytest.mark.parametrize("unknown", ["", "odd one"])
def test_any_sources_come_back_from_the_folder_they_were_written_to(folder, tmp_path, unknown):
    sources = read_folder(folder)
    if unknown:
        change(folder, ', "classes"', f', "unknown": "{unknown}", "classes"', "dataset.json")
        change(folder, "shape-00,0,", "shape-00,-1,")
        sources = read_folder(folder)
        assert sources.labels[0] == UNKNOWN
        assert sources.classes.name_of(-1) == unknown
    again = read_folder(write_folder(sources, tmp_path / "again"))
    assert (again.name, again.md5, again.classes) == (sources.name, sources.md5, sources.classes)
    for name in ("images", "labels", "source_ids", "split", "confidence", "ra_deg", "dec_deg", "size_arcsec"):
        np.testing.assert_array_equal(getattr(again, name), getattr(sources, name))
        assert getattr(again, name).dtype == getattr(sources, name).dtype


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("shape-01,1,", "shape-01,4,", "catalogue.csv: labels holds 4 (1 of 40 rows); expected one of 0, 1, 2, 3. Write the folder anew."),
        ("shape-01,1,", "shape-01,-1,", "catalogue.csv: labels holds -1 (1 of 40 rows); expected one of 0, 1, 2, 3."),
        ("150.3", "361.5", "catalogue.csv: ra_deg holds 361.5; expected 0 to 360, or nothing where it is unknown."),
        ("-0.3", "-90.3", "catalogue.csv: dec_deg holds -90.3; expected -90 to 90"),
        ("150.3", "north", "catalogue.csv: cannot be understood (could not convert string to float: 'north')"),
    ],
)
def test_what_does_not_fit_is_refused(folder, old, new, line):
    change(folder, old, new)
    assert line in refused(read_folder, folder)


@pytest.mark.parametrize(
    ("classes", "line"),
    [
        (["one"], "classes: 1 of them (one); at least 2 would do"),
        (["a", "A"], "classes: 'a' and 'A' share the column p_a"),
        (["FRII", "FRII low"], "classes: 'FRII low' has the column p_frii_low, which is one of 'FRII' too; names whose columns are"),
        (["FRI high", "FRI", "FRII"], "classes: 'FRI high' has the column p_fri_high, which is one of 'FRI' too"),
        (["bent", "bent unturned"], "classes: 'bent unturned' has the column p_bent_unturned, which is one of 'bent' too"),
        (["bent", "unturned"], "classes: 'unturned' has the column p_unturned, which is one of every explanation too"),
        ("ab", "classes is no list of names"),
        ([1, 2], "classes is no list of names"),
    ],
)
def test_strange_classes_are_refused(tmp_path, classes, line):
    folder = write_shapes(tmp_path / "strange")
    about = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps(about | {"classes": classes}))
    assert f"dataset.json: cannot be understood ({line}" in refused(read_folder, folder)


def test_a_position_may_be_unknown(folder):
    change(folder, "150.3,-0.3", ",")
    sources = read_folder(folder)
    assert np.isnan([sources.ra_deg[3], sources.dec_deg[3]]).all()
    assert np.isfinite(np.delete(sources.ra_deg, 3)).all()


def test_what_is_unknown_is_written_as_nothing_and_read_back(folder, tmp_path):
    change(folder, "150.3,-0.3", ",")
    sources = read_folder(folder)
    again = write_folder(sources, tmp_path / "again")
    assert "nan" not in (again / "catalogue.csv").read_text()
    read = read_folder(again)
    for name in ("size_arcsec", "ra_deg", "dec_deg"):
        np.testing.assert_array_equal(getattr(read, name), getattr(sources, name))


@pytest.mark.parametrize("name", ["mirabest", "mirabest-mine"])
def test_a_folder_cannot_call_itself_a_published_data_set(folder, name):
    change(folder, '"shapes"', f'"{name}"', "dataset.json")
    assert f"name is '{name}', which is a published data set's" in refused(read_folder, folder)


def law_of_only(sources):
    chosen = sources.only(["Cross", "Ring"])
    assert chosen.classes == Labels(("Cross", "Ring"))
    assert len(chosen) == 20
    for row, name in enumerate(chosen.source_ids):
        before = sources.labels[sources.source_ids.tolist().index(name)]
        assert chosen.classes.names[chosen.labels[row]] == CLASSES[before]
    assert sources.only([]) is sources


def test_only_the_classes_asked_for_are_left_under_their_names(folder):
    law_of_only(read_folder(folder))


def test_the_law_catches_classes_in_their_old_order(folder, monkeypatch):
    sources = read_folder(folder)
    whole = type(sources).only
    monkeypatch.setattr(type(sources), "only", lambda self, names: whole(self, sorted(names, key=CLASSES.index)) if names else self)
    with pytest.raises(AssertionError):
        law_of_only(sources)


def test_a_class_that_is_not_there_is_refused_with_the_nearest(folder):
    line = refused(open_data, str(folder), None, ("Ring", "Cros"), kind=SettingRefusal)
    assert line == f"data.classes: 'Cros' is no class of {folder}; expected Ring, Bar, Cross, Two dots. Did you mean Cross?"
    assert "1 of them (Ring); expected at least 2" in refused(open_data, str(folder), None, ("Ring",), kind=SettingRefusal)
    none = read_folder(folder).choose(np.arange(0, 40, 4))  # rings alone
    line = refused(none.only, ["Bar", "Cross"])
    assert line == f"{folder}: none of 10 sources is Bar or Cross; expected at least one. Choose other classes."


def test_sources_of_no_class_are_left_out_by_a_choice(sky):
    sources = open_data(str(sky))
    sources.labels[:2] = UNKNOWN
    assert len(sources.only(["FRI", "FRII"])) == 34
    assert sources.only(["FRI", "FRII"]).classes == FANAROFF_RILEY
    turned = sources.only(["FRII", "FRI"])
    np.testing.assert_array_equal(turned.labels, 1 - sources.labels[2:])


SORT = "Put the images of each class into a folder of its name"
HOLDS = {
    "images": (["a.fits", "b.fits.gz", "c.png"], "3 images and no dataset.json", SORT),
    "images and a table": (["a.fits", "truth.csv"], "1 image, 1 table (truth.csv) and no dataset.json", "data import plain/truth.csv"),
    "one class": (["FRI/a.fits", "FRI/b.fits"], "1 folder (FRI) and no dataset.json", SORT),
    "a data set in it": (["mine/dataset.json"], "1 folder (mine) and no dataset.json", "Name the data set in it: plain/mine"),
    "nothing": ([], "nothing in it", SORT),
    "a run": (["settings.toml", "card.json"], "card.json, settings.toml and no dataset.json", SORT),
}


@pytest.mark.parametrize("case", HOLDS)
def test_a_folder_that_is_no_data_set_says_what_makes_one_of_it(tmp_path, monkeypatch, case):
    files, found, do = HOLDS[case]
    monkeypatch.chdir(tmp_path)
    for name in ("", *files):
        path = tmp_path / "plain" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"") if name else path.mkdir()
    with pytest.raises(DataRefusal) as caught:
        read_folder("plain")
    assert caught.value.found == found
    assert caught.value.expected == "a data set (dataset.json, images.npy, catalogue.csv), a folder per class, or a table of images"
    assert do in caught.value.do
    assert "data import" in caught.value.do


def test_a_data_set_that_lacks_a_file_is_to_be_written_anew(tmp_path):
    (tmp_path / "dataset.json").write_text("{}")
    with pytest.raises(DataRefusal, match=r"has no images.npy and no catalogue.csv; expected .*\. Write the folder anew\.") as caught:
        read_folder(tmp_path)
    assert "simulate" not in str(caught.value)
