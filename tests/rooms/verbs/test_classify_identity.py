"""A catalogue is joined of rows of one job alone: the same team, options and files, by one process at a time."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from sky_files import sky, write

from equiradio.artefacts.claim import Claimed, claimed, lock_file
from equiradio.artefacts.job import JOB
from equiradio.cli.main import main
from equiradio.errors import ImageRefusal, RunRefusal
from equiradio.inference.team import Team, load
from equiradio.sky.listing import image_files
from equiradio.verbs import classify as room
from equiradio.verbs import suspects

SUFFIXES = ("parquet", "csv", "fits", "vot")


@pytest.fixture(scope="module")
def team(trained):
    return load(trained("lenet"))


@pytest.fixture
def folder(tmp_path):
    """Forty good cutouts: three parts."""
    place = tmp_path / "cutouts"
    place.mkdir()
    for number in range(4):
        write(place / f"J{number:02d}.fits", sky(at=(number, -number), seed=number))
    for number in range(4, 40):
        shutil.copy(place / f"J{number % 4:02d}.fits", place / f"J{number:02d}.fits")
    return place


def interrupted(team, files, out, monkeypatch, after=1, **options):
    """Stop a run after so many parts."""
    answered, calls = room.answered, []

    def stops(*arguments, **given):
        if len(calls) == after:
            raise KeyboardInterrupt
        calls.append(1)
        return answered(*arguments, **given)

    with monkeypatch.context() as patch:
        patch.setattr(room, "answered", stops)
        with pytest.raises(KeyboardInterrupt):
            room.classify(team, files, out=out, **options)


def rows_of(path):
    return repr(pq.read_table(path).to_pylist())


def change(file, seed=77):
    """Another image in a file's place, of the same size."""
    write(file, sky(at=(20, 20), seed=seed))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_finished_catalogue_is_taken_for_done_only_where_it_is_the_one_asked_for(team, trained, folder, tmp_path, suffix):
    files, out = [*image_files([folder])[:3], tmp_path / "gone.fits"], tmp_path / f"c.{suffix}"
    room.classify(team, files, out=out)
    written = out.read_bytes()
    room.classify(team, files, out=out, resume=True)
    others = [
        (team, files[1:], {}, r"other files \(4 there, 3 asked\), names"),
        (team, files[::-1], {}, "other names"),
        (load(trained("attention")), files, {}, "other model"),
        (load(trained("lenet"), precision="bf16"), files, {}, r"other precision \(float32 there, bf16 asked\)"),
        (team, files, {"ra_deg": 150.0, "dec_deg": 30.0}, r"other ra_deg \(none there, 150.0 asked\), dec_deg"),
        (team, files, {"hdu": 0}, r"other hdu \(none there, 0 asked\)"),
        (team, files, {"plane": "1"}, r"other plane \(none there, 1 asked\)"),
        (team, files, {"max_nonfinite": 0.5}, r"other max_nonfinite \(0.05 there, 0.5 asked\)"),
        (team, files, {"maps": tmp_path / "maps"}, "other maps"),
    ]
    for asked, listed, options, line in others:
        with pytest.raises(RunRefusal, match=f"a catalogue with {line}"):
            room.classify(asked, listed, out=out, resume=True, **options)
    change(files[0])
    with pytest.raises(RunRefusal, match="a catalogue with other contents; expected the same"):
        room.classify(team, files, out=out, resume=True)
    assert out.read_bytes() == written
    room.classify(team, files, out=out)
    assert out.read_bytes() != written
    room.classify(team, files, out=out, resume=True)


def test_a_catalogue_that_two_processors_computed_says_so(team, trained, folder, tmp_path, monkeypatch, capsys):
    out = tmp_path / "c.parquet"
    monkeypatch.setattr("equiradio.inference.team.computer", lambda device: "CPU, old kernels")
    interrupted(team, image_files([folder]), out, monkeypatch)
    monkeypatch.setattr("equiradio.inference.team.computer", lambda device: "a GPU")
    assert main(["classify", str(folder), "--model", str(trained("lenet")), "--out", str(out), "--resume"]) == 0
    line = f"{out}: computed in turn by CPU, old kernels and by a GPU, whose answers differ by the rounding of float32"
    assert line in " ".join(capsys.readouterr().err.split())
    assert pq.read_schema(out).metadata[b"computed_by"] == b"CPU, old kernels; a GPU"
    assert main(["classify", str(folder), "--model", str(trained("lenet")), "--out", str(out)]) == 0
    assert "computed" not in capsys.readouterr().err
    assert pq.read_schema(out).metadata[b"computed_by"] == b"a GPU"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_catalogue_that_was_damaged_or_does_not_say_of_what_it_is_is_not_taken_for_done(team, folder, tmp_path, suffix):
    files, out = image_files([folder])[:2], tmp_path / f"c.{suffix}"
    room.classify(team, files, out=out)
    whole, beside = out.read_bytes(), out.with_name(f"{out.name}.{JOB}")
    for damaged in (b"nothing of the kind", whole[:-1], whole[:300] + bytes([whole[300] ^ 1]) + whole[301:]):
        out.write_bytes(damaged)
        with pytest.raises(RunRefusal, match="changed since it was written"):
            room.classify(team, files, out=out, resume=True)
    out.write_bytes(whole)
    job = json.loads(beside.read_text())
    for text in (None, "", "[]", "[" * 99_999, json.dumps(job | {"answered": "2"}), json.dumps(job | {"answered": None})):
        beside.unlink(missing_ok=True)
        if text is not None:
            beside.write_text(text)
        with pytest.raises(RunRefusal, match=r"finished, but c.* does not say of what"):
            room.classify(team, files, out=out, resume=True)


def test_a_team_that_was_calibrated_anew_is_another(team, folder, tmp_path):
    from dataclasses import replace

    files, out = image_files([folder])[:2], tmp_path / "c.csv"
    room.classify(team, files, out=out)
    again = Team(team.members, replace(team.calibration, temperature=2.0), team.card)
    with pytest.raises(RunRefusal, match="a catalogue with other calibration"):
        room.classify(again, files, out=out, resume=True)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_run_with_maps_takes_its_own_finished_catalogue_for_done(trained, folder, tmp_path, suffix, capsys):
    """Also where a source has no answer, and so no map."""
    (folder / "J03.fits").write_bytes(b"")
    files = [str(folder / f"J{number:02d}.fits") for number in range(4)]
    out, maps = tmp_path / f"c.{suffix}", tmp_path / "maps"
    words = ["classify", *files, "--model", str(trained("lenet")), "--out", str(out), "--maps", str(maps)]
    assert main(words) == 0
    before = out.stat().st_mtime_ns
    assert main([*words, "--resume"]) == 0
    assert out.stat().st_mtime_ns == before
    (maps / "J01.fits").unlink()
    capsys.readouterr()
    assert main([*words, "--resume"]) == 2
    assert f"{maps}: no maps of 1 of 3 sources, but {out} is finished; expected all maps." in capsys.readouterr().err


def test_maps_that_another_run_wrote_over_are_not_taken_for_its_own(team, folder, tmp_path, monkeypatch):
    files, out, maps = image_files([folder])[:20], tmp_path / "c.csv", tmp_path / "maps"
    room.classify(team, files, out=out, maps=maps)
    interrupted(team, files, tmp_path / "d.csv", monkeypatch, maps=maps)
    room.classify(team, files, maps=maps, max_nonfinite=0.2)
    for name in ("c.csv", "d.csv"):
        with pytest.raises(RunRefusal, match=r"maps: maps of a run with other max_nonfinite \(0.2 there, 0.05 asked\)"):
            room.classify(team, files, out=tmp_path / name, maps=maps, resume=True)


def test_a_source_without_an_answer_keeps_no_map_of_an_earlier_run(team, folder, tmp_path):
    files, maps = image_files([folder])[:2], tmp_path / "maps"
    room.classify(team, files, maps=maps)
    files[0].write_bytes(b"")
    room.classify(team, files, maps=maps)
    assert sorted(path.name for path in maps.iterdir()) == ["J01.fits", "J01.png", "J01.reg", JOB]


def test_parts_of_another_job_are_not_gone_on_with(team, trained, folder, tmp_path, monkeypatch):
    files, out = image_files([folder]), tmp_path / "c.csv"
    interrupted(team, files, out, monkeypatch)
    with pytest.raises(RunRefusal, match=r"parts of a run with other precision \(float32 there, bf16 asked\); expected the same"):
        room.classify(load(trained("lenet"), precision="bf16"), files, out=out, resume=True)
    with pytest.raises(RunRefusal, match="other max_nonfinite"):
        room.classify(team, files, out=out, resume=True, max_nonfinite=0.9)
    with pytest.raises(RunRefusal, match="other maps"):
        room.classify(team, files, out=out, maps=tmp_path / "maps", resume=True)
    (tmp_path / "c.csv.parts" / JOB).unlink()
    with pytest.raises(RunRefusal, match="other version, model, calibration, precision"):
        room.classify(team, files, out=out, resume=True)


def test_parts_of_files_that_were_changed_since_are_made_anew_and_no_others(team, folder, tmp_path, monkeypatch):
    files, out = image_files([folder]), tmp_path / "c.parquet"
    interrupted(team, files, out, monkeypatch, after=2)
    change(files[3])
    asked, answered = [], room.answered
    monkeypatch.setattr(room, "answered", lambda team, batch, **options: asked.append(batch) or answered(team, batch, **options))
    room.classify(team, files, out=out, resume=True)
    assert [[source for source, _ in batch] for batch in asked] == [files[:16], files[32:]]
    assert rows_of(out) == repr(room.classify(team, files).to_pylist())


def test_a_damaged_part_is_made_anew(team, folder, tmp_path, monkeypatch):
    files, out = image_files([folder]), tmp_path / "c.parquet"
    interrupted(team, files, out, monkeypatch, after=2)
    first, second = (tmp_path / "c.parquet.parts" / f"00000{number}.parquet" for number in (0, 1))
    whole = first.read_bytes()
    first.write_bytes(whole[:200] + bytes([whole[200] ^ 255]) + whole[201:])
    second.write_bytes(b"PAR1")
    room.classify(team, files, out=out, resume=True)
    assert rows_of(out) == repr(room.classify(team, files).to_pylist())


def test_with_hashes_files_are_known_by_their_contents(team, trained, folder, tmp_path):
    file, out = folder / "J00.fits", tmp_path / "c.csv"
    words = ["classify", str(file), "--model", str(trained("lenet")), "--out", str(out), "--hash"]
    assert main(words) == 0
    os.utime(file, (1, 1))
    assert main([*words, "--resume"]) == 0
    change(file)
    os.utime(file, (1, 1))
    assert main([*words, "--resume"]) == 2
    assert main([*words[:-1], "--resume"]) == 2


def test_two_runs_do_not_write_one_catalogue_or_folder_of_maps(team, folder, tmp_path):
    files, out, maps = image_files([folder])[:2], tmp_path / "c.csv", tmp_path / "maps"
    with claimed(out), pytest.raises(Claimed, match=r"c.csv: process .* works in it since .*; expected a place that nobody else works in"):
        room.classify(team, files, out=out)
    with claimed(maps):
        for other in (out, None):
            with pytest.raises(Claimed, match="maps: process"):
                room.classify(team, files, out=other, maps=maps)
    room.classify(team, files, out=out, maps=maps)
    assert not [*tmp_path.glob("*.lock")]


def test_two_processes_at_once_on_one_catalogue(trained, folder, tmp_path):
    """Each of its own files: one is refused in a line, the other's catalogue is its own."""
    out, lists = tmp_path / "c.parquet", [sorted(folder.glob("J0*.fits")), sorted(folder.glob("J[123]*.fits"))]
    command = [sys.executable, "-m", "equiradio", "classify"]
    options = ["--model", str(trained("lenet")), "--out", str(out)]
    running = [subprocess.Popen([*command, *map(str, files), *options], stderr=subprocess.PIPE, text=True) for files in lists]
    lines = [process.communicate()[1] for process in running]
    codes = [process.returncode for process in running]
    if sorted(codes) == [0, 2]:
        assert "works in it since" in lines[codes.index(2)]
        assert pq.read_table(out)["file"].to_pylist() == [str(file) for file in lists[codes.index(0)]]
    else:  # one after the other
        assert codes == [0, 0]
        assert pq.read_table(out)["file"].to_pylist() in [[str(file) for file in files] for files in lists]
    assert not lock_file(out).exists()


DIES_IN_ONE_FILE = """
import os, pathlib
read = pathlib.Path.read_bytes
def read_bytes(path):
    if path.name == "killer.fits":
        {what}
    return read(path)
pathlib.Path.read_bytes = read_bytes
"""


@pytest.fixture
def deadly(tmp_path):
    """Environment of processes that die of SIGKILL where they read a file named killer.fits, as a decoder in C might make them."""

    def environment(what):
        (tmp_path / "site").mkdir(exist_ok=True)
        (tmp_path / "site" / "sitecustomize.py").write_text(DIES_IN_ONE_FILE.format(what=what))
        paths = [str(tmp_path / "site"), *(path for path in sys.path if path)]
        return os.environ | {"PYTHONPATH": os.pathsep.join(paths)}

    return environment


def test_a_file_that_ends_the_process_is_flagged_by_resume_and_the_others_are_answered(trained, folder, tmp_path, deadly, monkeypatch):
    """Here the second run would live, read there or not: only the process that tries the file dies again."""
    killer = Path(shutil.copy(folder / "J00.fits", folder / "killer.fits"))
    files, out = [*sorted(folder.glob("J*.fits")), killer, folder / "J01.fits"], tmp_path / "c.parquet"
    command = [sys.executable, "-m", "equiradio", "classify", *map(str, files), "--model", str(trained("lenet")), "--out", str(out)]
    environment = deadly("os.kill(os.getpid(), 9)")
    assert subprocess.run(command, env=environment, check=False).returncode == -signal.SIGKILL
    assert not out.exists()
    monkeypatch.setenv("PYTHONPATH", environment["PYTHONPATH"])
    assert main([*command[3:], "--resume"]) == 0
    rows = pq.read_table(out).to_pylist()
    assert [row["flag_names"] for row in rows if row["file"] == str(killer)] == ["damaged"]
    assert all(row["label"] for row in rows if row["file"] != str(killer))
    assert len(rows) == 42


def test_a_file_that_a_run_was_killed_in_by_chance_is_answered(trained, folder, tmp_path, deadly):
    """Killed from outside while it read; a process of its own reads the file well."""
    killer = Path(shutil.copy(folder / "J00.fits", folder / "killer.fits"))
    out = tmp_path / "c.parquet"
    command = [sys.executable, "-m", "equiradio", "classify", str(killer), str(folder / "J01.fits"), "--model", str(trained("lenet"))]
    command += ["--out", str(out)]
    process = subprocess.Popen(command, env=deadly("import time; time.sleep(600)"))
    note, end = tmp_path / "c.parquet.parts" / suspects.NOTE, time.monotonic() + 60
    while not (note.is_file() and note.read_text()) and time.monotonic() < end:
        time.sleep(0.05)
    process.kill()
    process.wait()
    assert note.read_text() == str(killer)
    assert main([*command[3:], "--resume"]) == 0
    assert all(row["label"] for row in pq.read_table(out).to_pylist())


def test_a_file_that_never_ends_is_given_up(folder, monkeypatch, deadly):
    killer = Path(shutil.copy(folder / "J00.fits", folder / "killer.fits"))
    options = {"max_nonfinite": 0.05}
    assert not suspects.ends_its_process(killer, options)
    for name, value in deadly("import time; time.sleep(600)").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(suspects, "SECONDS", 3.0)
    assert suspects.ends_its_process(killer, options)


def test_a_file_that_two_runs_died_in_is_not_tried_again(team, folder, tmp_path, monkeypatch):
    files, out = image_files([folder])[:2], tmp_path / "c.parquet"
    parts = tmp_path / "c.parquet.parts"
    parts.mkdir()
    (parts / suspects.DEATHS).write_text(json.dumps({str(files[0]): 1}))
    (parts / suspects.NOTE).write_text(str(files[0]))
    monkeypatch.setattr(suspects, "ends_its_process", lambda *arguments: False)
    room.classify(team, files, out=out, resume=True)
    assert pq.read_table(out)["flag_names"].to_pylist()[0] == "damaged"


def test_a_single_file_that_ends_the_process_stays_refused(team, folder, tmp_path, monkeypatch):
    file, out = folder / "J00.fits", tmp_path / "c.csv"
    (tmp_path / "c.csv.parts").mkdir()
    (tmp_path / "c.csv.parts" / suspects.NOTE).write_text(str(file))
    monkeypatch.setattr(suspects, "ends_its_process", lambda *arguments: True)
    for _ in range(2):
        with pytest.raises(
            ImageRefusal, match="reading it ended an earlier run, and a process of its own; expected a file that can be read"
        ):
            room.classify(team, [file], out=out, resume=True)
