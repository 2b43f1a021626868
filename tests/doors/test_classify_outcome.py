"""`equiradio classify` to its end: the last line sums up, refused files are named, and nothing answered is exit code 2."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from equiradio.artefacts.catalogue import read_texts
from equiradio.cli.main import main
from equiradio.cli.outcome import Outcome
from equiradio.datasets.simulated_cutouts import write_cutouts
from equiradio.labels import FANAROFF_RILEY, Labels
from equiradio.sky.recipe import Recipe


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    return write_cutouts(2, 4, tmp_path_factory.mktemp("fits") / "cutouts")


@pytest.fixture
def folder(sources, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return shutil.copytree(sources, tmp_path / "cutouts")


@pytest.mark.parametrize("nothing", ["", None, "--"])
def test_the_counts_are_right(nothing):
    outcome = Outcome(
        FANAROFF_RILEY,
        ["FRI", "FRII", "FRII", nothing, nothing],
        [True, False, True, True, True],
        ["", "nonfinite", "nonfinite", "blank", nothing],
    )
    assert str(outcome) == "1 FRI, 2 FRII, 2 abstain, 2 without an answer (flags: 2 nonfinite, 1 blank)"
    assert outcome.refused == [3, 4]
    assert str(Outcome(FANAROFF_RILEY, ["FRI"], [False], [nothing])) == "1 FRI, 0 FRII, 0 abstain, 0 without an answer"


def test_classes_that_fits_writes_in_ascii_are_answers_too():
    outcome = Outcome(Labels(("Köpfe", "Arme")), ["K\\xf6pfe", "Arme", ""], ["True", "False", "True"], ["", "", "blank"])
    assert str(outcome) == "1 Köpfe, 1 Arme, 1 abstain, 1 without an answer (flags: 1 blank)"
    outcome.refuse_emptiness()


@pytest.mark.parametrize("suffix", ["csv", "fits", "vot"])
def test_a_catalogue_of_classes_with_other_letters_is_a_good_one(untrained, folder, capsys, suffix):
    model = str(untrained("lenet", kernel_size=3, classes=("Köpfe", "Ärme")))
    assert main(["classify", "cutouts", "--model", model, "--out", f"result.{suffix}"]) == 0
    assert " 0 without an answer" in capsys.readouterr().out.splitlines()[-1]


def test_pictures_in_a_folder_are_read_where_the_recipe_of_the_team_reads_them(untrained, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = shutil.copytree(untrained("lenet", kernel_size=3), "run")
    Path("pictures").mkdir()
    for name in ("a.jpg", "b.JPEG"):
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (150, 150), np.uint8)).save(f"pictures/{name}", "JPEG")
    assert main(["classify", "pictures", "--model", run]) == 2
    assert "pictures: a folder without any .fits" in capsys.readouterr().err
    np.save("pictures/c.npy", np.random.default_rng(0).integers(0, 255, (150, 150), np.uint8))
    assert main(["classify", "pictures", "--model", run]) == 0
    assert capsys.readouterr().err.startswith("pictures: 2 of .jpg, .jpeg passed over; this model takes .fits")
    Path("pictures/c.npy").unlink()
    card = json.loads(Path(run, "card.json").read_text())
    card["recipe"] = Recipe(150, 0.0, 300, beam_arcsec=0.0, stretch="linear").as_card()
    Path(run, "card.json").write_text(json.dumps(card))
    assert main(["classify", "pictures", "--model", run, "--json"]) == 0
    assert [row["file"] for row in json.loads(capsys.readouterr().out)] == ["pictures/a.jpg", "pictures/b.JPEG"]


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ("--out there.csv", "--out: there.csv is a folder; expected a file."),
        ("--out a.csv --features there.parquet", "--features: there.parquet is a folder; expected a file."),
        ("--maps file", "--maps: file is a file; expected a folder."),
        ("--out file/a.csv", "--out: file is a file, and file/a.csv lies below it; expected a place in a folder."),
        ("--out new.csv --maps new.csv", "--maps: new.csv, as --out; expected a place of its own."),
        ("--features f.parquet --maps ./f.parquet", "--maps: f.parquet, as --features; expected a place of its own."),
    ],
)
def test_places_that_cannot_be_written_are_refused_before_any_work(untrained, folder, capsys, options, line):
    for name in ("there.csv", "there.parquet"):
        Path(name).mkdir()
    Path("file").touch()
    before = sorted(Path.cwd().rglob("*"))
    assert main(["classify", "cutouts", "--model", str(untrained("lenet", kernel_size=3)), *options.split()]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith(line)
    assert sorted(Path.cwd().rglob("*")) == before


@pytest.mark.parametrize("suffix", [None, "parquet", "csv", "fits", "vot"])
def test_the_last_line_sums_up_and_refused_files_are_named(untrained, folder, capsys, suffix):
    """A team that never abstains is not needed: an untrained network is uncertain of both, or of none."""
    (folder / "bad.fits").write_bytes(b"SIMPLE")
    out = [] if suffix is None else ["--out", f"result.{suffix}"]
    model = ["--model", str(untrained("lenet", kernel_size=3))]
    assert main(["classify", "cutouts", *model, *out]) == 0
    shown, err = capsys.readouterr()
    last = shown.splitlines()[-1]
    assert last.endswith("1 without an answer (flags: 2 uncalibrated, 1 not_an_image_file)")
    counts = [int(part.split()[0]) for part in last.partition(" (")[0].split(", ")]
    assert counts[0] + counts[1] == 2
    assert len(err.splitlines()) == 1
    assert err.startswith("cutouts/bad.fits: ")
    assert "; expected " in err
    if out:
        columns = read_texts(folder.parent / out[1], ("label", "uncertain"))
        answers = [unsure for label, unsure in zip(*columns.values(), strict=True) if label in FANAROFF_RILEY.names]
        assert counts[2] == [str(unsure).lower() for unsure in answers].count("true")


def test_json_stays_json(untrained, folder, capsys):
    assert main(["classify", "cutouts", "--model", str(untrained("lenet", kernel_size=3)), "--json"]) == 0
    out, err = capsys.readouterr()
    assert len(json.loads(out)) == 2
    assert err.splitlines()[-1].endswith(" 0 without an answer (flags: 2 uncalibrated)")


def test_where_nothing_is_answered_the_catalogue_is_written_and_the_code_is_2(untrained, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = [f"{number:02d}.fits" for number in range(14)]
    assert main(["classify", *files, "--model", str(untrained("lenet", kernel_size=3)), "--out", "result.csv"]) == 2
    out, err = capsys.readouterr()
    assert out.splitlines()[-1] == "0 FRI, 0 FRII, 0 abstain, 14 without an answer (flags: 14 missing)"
    lines = err.splitlines()
    assert [line.partition(":")[0] for line in lines[:10]] == files[:10]
    assert lines[10] == "and 4 more without an answer: see the column flag_names"
    assert lines[11:] == ["images: none of 14 could be answered; expected at least one that can be used. The lines above say why."]
    assert read_texts(tmp_path / "result.csv", ("file",))["file"] == files


def test_the_examples_are_written_once_and_used_again(untrained, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = ["--model", str(untrained("lenet", kernel_size=3))]
    assert main(["classify", "--example", *model]) == 0
    out, err = capsys.readouterr()
    assert err.startswith("example-cutouts: simulated cutouts, FRI and FRII in turn; their truth is in example-cutouts/truth.csv")
    assert out.splitlines()[-1].endswith(" 0 without an answer (flags: 6 uncalibrated)")
    times = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "example-cutouts").iterdir()}
    assert main(["classify", "--example", *model]) == 0
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "example-cutouts").iterdir()} == times
    (tmp_path / "example-cutouts" / "truth.csv").unlink()
    capsys.readouterr()
    assert main(["classify", "--example", *model]) == 2
    assert capsys.readouterr().err.startswith("example-cutouts: a folder with other files and without truth.csv; expected a new folder")


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--plane", "3"], "a.npy: --plane 3 of an image that has no planes; expected no --plane. Drop --plane."),
        (["--hdu", "1"], "a.npy: --hdu 1 of an image without HDUs; expected no --hdu. Drop --hdu."),
        (["--ra", "10", "--dec", "3"], "a.npy: no sky position in it; expected a FITS file with a WCS. Drop --ra --dec."),
    ],
)
def test_choices_that_an_array_cannot_follow_are_refused(untrained, tmp_path, capsys, monkeypatch, options, line):
    monkeypatch.chdir(tmp_path)
    np.save("a.npy", np.random.default_rng(0).integers(0, 256, (150, 150), np.uint8))
    assert main(["classify", "a.npy", "--model", str(untrained("lenet", kernel_size=3)), *options]) == 2
    assert capsys.readouterr().err.splitlines() == [line]


def test_the_first_hdu_and_plane_of_an_array_are_itself(untrained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("a.npy", np.random.default_rng(0).integers(0, 256, (150, 150), np.uint8))
    assert main(["classify", "a.npy", "--model", str(untrained("lenet", kernel_size=3)), "--hdu", "0", "--plane", "0"]) == 0
