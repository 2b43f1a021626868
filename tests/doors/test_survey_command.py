"""The command ``survey``: refusals in one line, the script of an array, and the way from a catalogue to results."""

import json
import subprocess

import pyarrow.parquet as pq
import pytest
from survey_files import positions, table_of, write_catalogue, write_mosaics

from equiradio.cli.main import main


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("command")
    write_mosaics(folder / "mosaics")
    write_catalogue(folder)
    return folder


def given(place, out, *more):
    return [str(place / "c.parquet"), "--images", str(place / "mosaics" / "*.fits"), "--out", str(out), *more]


def test_a_catalogue_becomes_results_and_an_array_the_same(untrained, place, tmp_path, capsys):
    model = ["--model", str(untrained("lenet")), "--shard-size", "5"]
    assert main(["survey", *given(place, tmp_path / "a", *model, "--readers", "0")]) == 0
    assert "12 sources in 2 of 2 images, 3 shards" in capsys.readouterr().out
    script = tmp_path / "survey.sh"
    assert main(["survey", "plan", *given(place, tmp_path / "b", *model), "--slurm", str(script), "--parts", "2"]) == 0
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0
    text = script.read_text()
    assert "#SBATCH --array=1-2\n" in text
    line = next(line for line in text.splitlines() if line.startswith("exec "))
    for task in ("1", "2"):
        said = subprocess.run(
            ["bash", "-c", line.replace("exec equiradio", "printf '%s\\n'")],
            env={"SLURM_ARRAY_TASK_ID": task},
            capture_output=True,
            text=True,
            check=True,
        )
        assert main([*said.stdout.splitlines(), "--readers", "0"]) == 0
    assert main(["survey", "merge", str(tmp_path / "b"), "--no-page"]) == 0
    one, other = (pq.read_table(tmp_path / out / "catalogue.parquet") for out in "ab")
    assert one.column("catalogue_row").to_pylist() == list(range(12))
    assert one.equals(other)
    assert (tmp_path / "a" / "catalogue.parquet.html").is_file()
    assert not (tmp_path / "b" / "catalogue.parquet.html").exists()
    for number in range(3):
        one, other = (pq.read_table(tmp_path / out / "results" / f"{number:06d}.parquet").replace_schema_metadata(None) for out in "ab")
        assert one.equals(other)


def test_pictures_beside_the_images_are_counted(untrained, place, tmp_path, capsys):
    images = tmp_path / "mosaics"
    write_mosaics(images)
    for name in ("a.JPG", "b.png", "notes.txt"):
        (images / name).write_bytes(b"x")
    command = [str(place / "c.parquet"), "--images", str(images), "--out", str(tmp_path / "out"), "--model", str(untrained("lenet"))]
    line = f"{images}: 2 of .png, .jpg, .jpeg, .npy passed over; a survey takes FITS"
    for _ in range(2):
        assert main(["survey", "plan", *command]) == 0
        assert line in capsys.readouterr().err.splitlines()


def test_shards_that_are_not_done_are_not_joined(untrained, place, tmp_path, capsys):
    model = ["--model", str(untrained("lenet")), "--shard-size", "5"]
    assert main(["survey", *given(place, tmp_path / "out", *model, "--readers", "0", "--part", "1/3")]) == 0
    capsys.readouterr()
    assert main(["survey", "merge", str(tmp_path / "out"), "--out", str(tmp_path / "all.csv")]) == 2
    assert "2 of 3 shards are not finished (1, 2)" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_engine_of_arrays_writes_its_script_into_the_folder(untrained, place, tmp_path):
    assert main(["survey", *given(place, tmp_path, "--model", str(untrained("lenet")), "--engine", "slurm")]) == 0
    plain = (tmp_path / "survey.sh").read_text()
    assert "--part" in plain
    assert "#SBATCH --cpus-per-task=2\n" in plain
    assert not any(word in plain for word in ("--readers", "--device", "gpus"))
    assert json.loads((tmp_path / "plan.json").read_text())["shards"] == 1


def test_tasks_of_an_array_read_and_compute_as_asked(untrained, place, tmp_path):
    more = ["--engine", "slurm", "--readers", "3", "--device", "cuda"]
    assert main(["survey", *given(place, tmp_path, "--model", str(untrained("lenet")), *more)]) == 0
    script = (tmp_path / "survey.sh").read_text()
    assert "#SBATCH --cpus-per-task=4\n#SBATCH --gpus-per-task=1\n" in script
    assert "--readers 3 --device cuda" in script


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (["--images", "nowhere/*.fits"], "no such file, and a pattern that matches none"),
        (["--part", "3/2"], "--part: '3/2'; expected K/N"),
        (["--max-nonfinite", "7"], "--max-nonfinite: 7; expected a share"),
        (["--beam", "wide"], "--beam: 'wide'"),
        (["--model", "nosuch"], "nosuch"),
        (["--ra", "alpha"], "--ra --dec: one of the two"),
        (["--group", "isl"], "no column 'isl' (--group)"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_line(untrained, place, tmp_path, capsys, change, words):
    model = [] if "--model" in change else ["--model", str(untrained("lenet"))]
    assert main(["survey", *given(place, tmp_path / "out", *model, *change)]) == 2
    line = capsys.readouterr().err
    assert words in line
    assert line.count("\n") == 1
    assert not list((tmp_path / "out").glob("*.json")) + list((tmp_path / "out").glob("*/*"))


@pytest.mark.parametrize("verb", [[], ["plan"]])
def test_features_of_a_cascade_are_refused_before_a_network_is_opened(place, tmp_path, capsys, monkeypatch, verb):
    monkeypatch.setattr("equiradio.cli.survey.opened", lambda *_: pytest.fail("opened"))
    assert main(["survey", *verb, *given(place, tmp_path / "out", "--cascade", "--features")]) == 2
    line = capsys.readouterr().err
    assert line.startswith("--features: asked of a cascade, whose two teams have features of their own; expected one team")
    assert line.count("\n") == 1


def test_a_survey_without_images_is_refused(place, tmp_path, capsys):
    assert main(["survey", str(place / "c.parquet"), "--out", str(tmp_path / "out")]) == 2
    assert "--images: none; expected the images that hold the sources" in capsys.readouterr().err


def test_a_pattern_that_the_shell_has_filled_in_is_taken_too(untrained, place, tmp_path, capsys):
    write_catalogue(tmp_path, table_of(ra=positions()[0]))
    files = [str(place / "mosaics" / f"m{number}.fits") for number in (0, 1)]
    words = [
        "survey",
        "plan",
        str(tmp_path / "c.parquet"),
        "--images",
        *files,
        "--out",
        str(tmp_path / "out"),
        "--model",
        str(untrained("lenet")),
    ]
    assert main(words) == 0
    assert "in 2 of 2 images" in capsys.readouterr().out
    quoted = [*words[:3], "--images", str(place / "mosaics" / "m*.fits"), "--out", str(tmp_path / "quoted"), *words[8:]]
    assert main(quoted) == 0
    plans = [json.loads((tmp_path / name / "plan.json").read_text()) for name in ("out", "quoted")]
    assert plans[0] == plans[1], "the same choice of images, not one after the other"


def test_of_several_choices_the_shell_must_leave_the_patterns_alone(place, tmp_path, capsys):
    files = [str(place / "mosaics" / f"m{number}.fits") for number in (0, 1)]
    words = [
        "survey",
        "plan",
        str(place / "c.parquet"),
        "--images",
        files[0],
        "--images",
        files[1],
        files[1],
        "--out",
        str(tmp_path / "out"),
    ]
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        "--images: 2 times, and 1 image besides, of which choice is not clear; expected patterns in quotes, which the shell leaves alone. "
        "For example --images 'first/*.fits'."
    )
