"""What cannot be imported is refused in one line with numbers, and nothing is half written."""

import h5py
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from own_images import KINDS, SIDE, class_folder, file_table, grey, pixels, place, write_array, write_fits, write_picture, write_table

from equiradio.cli.main import main
from equiradio.datasets.imports.tables import Columns, positions, read_table
from equiradio.errors import DataRefusal

COUNT = 24
WORDS = [KINDS[n % 2] for n in range(COUNT)]


def with_value(values, row, value):
    return [value if place == row else each for place, each in enumerate(values)]


def array(folder, rows=COUNT, **columns):
    np.save(folder / "images.npy", np.stack([grey(n) for n in range(COUNT)]))
    write_table(folder / "t.csv", {"label": (WORDS * 2)[:rows]} | columns)
    return folder


def hdf5(folder, **arrays):
    with h5py.File(folder / "x.h5", "w") as file:
        for name, values in arrays.items():
            file[name] = values
    return folder / "x.h5"


def mosaic(folder, **columns):
    write_fits(folder / "sky.fits", 0, side=200, at=(20, 10))
    return write_table(folder / "t.csv", {"ra": [20.0] * COUNT, "dec": [10.0] * COUNT, "label": WORDS} | columns)


def more(folder, write):
    """A folder per class, and something else in it."""
    class_folder(folder)
    write(folder / "Bar")
    return folder


FILES = [f"images/s{n:02d}.fits" for n in range(COUNT)]
TWICE = with_value(FILES, 3, FILES[2])
WIDE = {"ra": list(np.linspace(1, 23, COUNT)), "dec": list(np.linspace(-40, 60, COUNT))}
STACK = np.stack([pixels(n) for n in range(COUNT)])


CASES = {
    "an empty label": (
        lambda f: file_table(f, label=with_value(WORDS, 5, "")),
        [],
        "1 of 24 rows have no class (first: s05); expected a class in every row. Fill it in, or take them out.",
    ),
    "a label that is not a number": (
        lambda f: hdf5(f, images=STACK, label=with_value([0.0, 1.0] * 12, 4, np.nan)),
        [],
        "1 of 24 rows have no class (first: image-04)",
    ),
    "words for nothing": (
        lambda f: file_table(f, label=["NaN", "nan", "None", "null", "NA", *WORDS[5:]]),
        [],
        "5 of 24 rows have no class (first: s00); expected a class in every row.",
    ),
    "a class with one source": (
        lambda f: file_table(f, label=with_value(WORDS, 5, "Ring")),
        [],
        "too few sources of Ring 1 (of 3 classes); expected 3 or more of each class.",
    ),
    "one class": (lambda f: file_table(f, label=["Bar"] * COUNT), [], "classes: 1 of them (Bar); expected at least 2."),
    "classes that share a column": (
        lambda f: file_table(f, label=["FR-I", "FR I"] * 12),
        [],
        "'FR I' and 'FR-I' share the column p_fr_i; expected names that differ in letters or digits. "
        "Rename one of them, or leave it out by --classes.",
    ),
    "a file twice with two labels": (
        lambda f: file_table(f, file=TWICE),
        [],
        "images/s02.fits is Bar in one row and Dot in another (1 such files); expected one class for each file.",
    ),
    "files that are not there": (
        lambda f: file_table(f, file=with_value(FILES, 7, "images/nowhere.fits")),
        [],
        "1 of 24 files are not there (first: ",
    ),
    "an empty file name": (lambda f: file_table(f, file=with_value(FILES, 7, "")), [], "file is empty in 1 rows (first: row 8)"),
    "mixed sides": (
        lambda f: more(f / "mine", lambda bars: write_fits(bars / "wide.fits", 30, side=48)),
        [],
        "images of 2 sizes (24 of 40 x 40, 1 of 48 x 48 pixels); expected one size. Name the side of cutouts by --side",
    ),
    "mixed scales": (
        lambda f: more(f / "mine", lambda bars: [write_fits(bars / f"a{n}.fits", 30 + n, scale=1.5) for n in range(5)]),
        [],
        "cannot be used (first: ",
    ),
    "mixed scales behind an image that states none": (
        lambda f: more(
            f / "mine",
            lambda bars: [write_array(bars / "a0.npy", 40), *(write_fits(bars / f"t{n}.fits", 30 + n, scale=1.5) for n in range(5))],
        ),
        [],
        "t0.fits: pixels of 1.5 arcsec); expected at most 10 %, and 2 arcsec, as the others. Bring all images to one scale.",
    ),
    "pictures among numbers": (
        lambda f: more(f / "mine", lambda bars: write_picture(bars / "a.png", 30)),
        [],
        "24 images of numbers and 1 images of pictures (pictures are clipped already); expected images of one kind.",
    ),
    "colours": (
        lambda f: class_folder(f / "mine", write=lambda path, number: coloured(path, number), suffix=".png"),
        [],
        "24 of 24 images cannot be used (first: ",
    ),
    "pixels that are not finite": (
        lambda f: class_folder(f / "mine", write=lambda path, number: torn(path, number), suffix=".npy"),
        [],
        "12 of 24 images cannot be used (first: ",
    ),
    "positions in hours": (
        lambda f: file_table(f, **WIDE),
        [],
        "ra lies between 1 and 23, dec between -40 and 60: hours?; expected degrees. Multiply it by 15",
    ),
    "positions in hours by the images": (
        lambda f: file_table(f, ra=[place(n)[0] / 15 for n in range(COUNT)]),
        [],
        "arcsec from those of their images (s00, s01, s02, ...); expected at most 10 % over 60 arcsec. They are hours: multiply",
    ),
    "an eighth of the positions of other places": (
        lambda f: file_table(f, dec=[place(n)[1] + (n % 8 == 0) for n in range(COUNT)]),
        [],
        "3 of 24 positions lie up to 3,600 arcsec from those of their images (s00, s08, s16); expected at most 10 % over 60 arcsec.",
    ),
    "sexagesimal positions": (
        lambda f: file_table(f, ra=with_value(list(range(COUNT)), 0, "12:30:00.5")),
        [],
        "ra is '12:30:00.5' in row 1: sexagesimal; expected decimal degrees. Convert it.",
    ),
    "positions beyond the sky": (
        lambda f: file_table(f, dec=with_value([1] * COUNT, 2, 91)),
        [],
        "dec is 91 in row 3 (1 of 24 rows); expected degrees, -90 to 90.",
    ),
    "a table of another order": (
        lambda f: array(f, row=with_value(list(range(COUNT)), 3, 9)),
        [],
        "row is 9 in row 4 (1 of 24 rows); expected rows in the order of the images, numbered from 0 or 1.",
    ),
    "a table of another order than the files": (
        lambda f: file_table(f, ra=[place(n)[0] for n in reversed(range(COUNT))]),
        [],
        "Are the rows in another order than the files?",
    ),
    "another number of rows": (lambda f: array(f, rows=20), [], "24 images, and 20 rows in "),
    "a row cut short": (
        lambda f: cut_short(file_table(f)),
        [],
        "row 24 has 2 cells (1 of 24 rows); expected 4, as its heading.",
    ),
    "text in Latin-1": (
        lambda f: in_latin_1(file_table(f, note=["S\xfcd", "Nord"] * 12)),
        [],
        "table.csv: line 2 has a byte that is no UTF-8 (0xfc); expected text in UTF-8. Save it as UTF-8; of Latin-1 with: iconv",
    ),
    "a comment among the rows": (
        lambda f: commented(file_table(f)),
        [],
        "row 3 has 1 cells (1 of 25 rows); expected 4, as its heading.",
    ),
    "no column of classes": (lambda f: file_table(f, label=None), [], "no column of classes among file, ra, dec"),
    "a column that is not there": (lambda f: file_table(f), ["--labels", "labl"], "no column 'labl' (--labels); expected file, label"),
    "another word for a split": (
        lambda f: file_table(f, split=with_value(["train", "train", "val", "val"] * 6, 9, "hold")),
        [],
        "split is 'hold' of source s09 (1 of 24 sources); expected train, validation or test.",
    ),
    "another word for a split behind rows that are left out": (
        lambda f: file_table(f, label=["Other"] * 6 + WORDS[6:], split=with_value(["train", "train", "val", "val"] * 6, 9, "hold")),
        ["--classes", "Bar,Dot"],
        "split is 'hold' of source s09 (1 of 18 sources)",
    ),
    "no validation source of a class": (
        lambda f: file_table(f, split=["train", "train", "train", "val"] * 6),
        [],
        "no Bar among the validation sources (train 18, validation 6, test 0); expected some of every class.",
    ),
    "a class that is not there": (
        lambda f: class_folder(f / "mine"),
        ["--classes", "Bar,Dots"],
        "no source of class 'Dots'; expected Bar (12), Dot (12). Did you mean Dot?",
    ),
    "too few names for the numbers": (
        lambda f: file_table(f, label=list(range(4)) * 6),
        ["--classes", "a,b"],
        "labels up to 3 (12 rows), and 2 names of classes; expected labels from 0 to 1.",
    ),
    "neighbours everywhere": (
        lambda f: file_table(f, ra=None, dec=None),
        ["--neighbours", "900000"],
        "neighbours make groups of up to 24 of 24 sources",
    ),
    "no images at all": (lambda f: empty(f / "mine"), [], "a folder without images (.fits, .fit, .fts, ...) in subfolders"),
    "an HDF5 of two stacks": (lambda f: hdf5(f, a=STACK, b=STACK, label=[0, 1] * 12), [], "2 arrays of images among a (24 x 40 x 40)"),
    "an HDF5 without labels": (lambda f: hdf5(f, a=STACK), [], "24 images in a, and no labels beside them"),
    "a column of files under another name": (
        lambda f: renamed(file_table(f), "file", "cutout"),
        [],
        "file names in column cutout, and no column 'file'; expected a column 'file'. Rename cutout.",
    ),
    "a column twice": (
        lambda f: renamed(file_table(f), ",ra,", ",label,"),
        [],
        "column label occurs 2 times; expected each name once. Correct the table.",
    ),
    "all images in both classes": (
        lambda f: both(f / "mine"),
        [],
        "too few sources of Bar 0, Dot 0 are of use (24 of 24 left out, the same pixels as another of another class: Bar/s00.npy,",
    ),
    "positions without images": (lambda f: mosaic(f), [], "positions, and no images; expected the images that hold them."),
    "a pattern that stands for nothing": (
        lambda f: mosaic(f),
        ["--images", "{folder}/m*.fits"],
        "m*.fits: a pattern that matches no FITS file; expected FITS images, a folder of them, or a pattern in quotes. Check the path.",
    ),
    "images that are not there": (
        lambda f: mosaic(f),
        ["--images", "{folder}/mosaics"],
        "mosaics: no FITS file, and no folder of some; expected FITS images, a folder of them, or a pattern in quotes.",
    ),
    "positions outside the images": (
        lambda f: mosaic(f, ra=[200.0] * COUNT),
        ["--images", "{folder}/sky.fits"],
        "none of 24 positions lies in 1 images",
    ),
    "the wanted positions outside the images": (
        lambda f: mosaic(f, ra=[20.0 if n % 3 == 0 else 200.0 for n in range(COUNT)], label=["Other", *KINDS] * 8),
        ["--images", "{folder}/sky.fits", "--classes", "Bar,Dot", "--side", "32"],
        "16 of 16 images cannot be used (first: row-2: in none of 1 images); expected at most 10 %, and a position inside.",
    ),
    "maps of noise": (
        lambda f: of_noise(mosaic(f)),
        ["--images", "{folder}/sky.fits", "--side", "32"],
        "sky.fits: no source stands out and the median of the field is",
    ),
    "no such source": (lambda f: f / "nothing.csv", [], "no such file or folder; expected a folder per class, a table"),
    "a damaged table": (lambda f: damaged(f / "t.parquet"), [], "cannot be read ("),
    "an odd side": (lambda f: class_folder(f / "mine"), ["--side", "33"], "--side: 33; expected an even number from 16 to 1024."),
    "a published name": (
        lambda f: class_folder(f / "mine"),
        ["--name", "mirabest"],
        "--name: 'mirabest', which is a published data set's; expected",
    ),
    "names that occur twice": (
        lambda f: file_table(f, name=with_value([f"n{n}" for n in range(COUNT)], 3, "n2")),
        [],
        "name is n2 in 2 rows; expected a name of its own for each.",
    ),
}


def of_noise(path):
    """A smooth map far above zero in the place of the image."""
    with fits.open(path.parent / "sky.fits", mode="update") as hdus:
        rows, columns = np.indices(hdus[0].shape)
        hdus[0].data[:] = 1 + 0.2 * np.sin(columns / 30) * np.cos(rows / 25)
    return path


def in_latin_1(path):
    path.write_bytes(path.read_text("utf-8").encode("latin-1"))
    return path


def renamed(path, before, after):
    heading, rest = path.read_text().split("\n", 1)
    path.write_text(heading.replace(before, after) + "\n" + rest)
    return path


def both(folder):
    for kind in KINDS:
        for number in range(12):
            write_array(folder / kind / f"s{number:02d}.npy", number)
    return folder


def coloured(path, number):
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.stack([grey(number), grey(number + 1), grey(number)], -1)).save(path)


def torn(path, number):
    write_array(path, number)
    if number % 2:
        values = pixels(number)
        values[:, : SIDE // 2] = np.nan
        np.save(path, values)


def cut_short(path):
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:-1], "a,b"]) + "\n")
    return path


def commented(path):
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:3], "# the rest is of another night", *lines[3:]]) + "\n")
    return path


def empty(folder):
    (folder / "Bar").mkdir(parents=True)
    (folder / "Bar" / "notes.txt").write_text("none")
    return folder


def damaged(path):
    path.write_bytes(b"PAR1 and nothing more")
    return path


@pytest.mark.parametrize("case", CASES)
def test_what_cannot_be_imported_is_one_line_and_nothing_is_written(case, tmp_path, capsys):
    make, options, line = CASES[case]
    source, out = make(tmp_path), tmp_path / "made" / "out"
    options = [word.format(folder=tmp_path) for word in options]
    assert main(["data", "import", str(source), "--out", str(out), *options]) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1
    assert line in error[0]
    assert "; expected " in error[0]
    assert not out.exists()
    assert not list(tmp_path.glob("made/*"))


def test_there_are_more_than_twenty_kinds_and_each_line_is_its_own():
    assert len(CASES) > 30
    assert len({(line, *options) for _, options, line in CASES.values()}) > 30


def test_a_folder_in_use_is_refused_before_anything_is_read(tmp_path, capsys):
    class_folder(tmp_path / "mine")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    assert main(["data", "import", str(tmp_path / "mine"), "--out", str(tmp_path / "out")]) == 2
    assert "exists and is not empty" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(("unit", "times"), [("hourangle", "15"), ("15 deg", "15"), ("rad", "57.29578"), ("arcmin", "0.016666667")])
def test_positions_in_another_unit_of_angle(unit, times):
    table = Columns("a.vot", {"ra": [1.0, 2.0], "dec": [3.0, 4.0]}, {"ra": unit})
    with pytest.raises(DataRefusal) as caught:
        positions(table)
    assert str(caught.value) == f"a.vot: ra is in {unit} (up to 2); expected degrees. Multiply it by {times}."


def test_an_equinox_in_the_unit_counts():
    positions_in = lambda unit: positions(Columns("a", {"ra": [1.0], "dec": [3.0]}, {"ra": unit, "dec": "Degrees"}))
    assert positions_in("deg (J2000)")[0] == [1.0]
    with pytest.raises(DataRefusal, match=r"positions in B1950; expected ICRS \(or FK5 J2000\)"):
        positions_in("deg (B1950)")


def test_hours_that_a_votable_has_no_word_for(tmp_path):
    written = Table({"ra": [1.0, 2.0], "dec": [3.0, 4.0]})
    written["ra"].unit, written["dec"].unit = "hourangle", "deg"
    written.write(tmp_path / "a.vot", format="votable")
    with pytest.raises(DataRefusal, match="Multiply it by 15"):
        positions(read_table(tmp_path / "a.vot"))
    assert positions(Columns("a", {"ra": [1.0], "dec": [3.0]}, {"ra": "deg", "dec": "deg"}))[0] == [1.0]
