"""Whole files or none, and words that name the file where it cannot be written."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from equiradio import folders, processes
from equiradio.artefacts.atomic import is_unused, write_atomically, write_text
from equiradio.cli.main import main
from equiradio.errors import DiskRefusal, Refusal, RunRefusal

FULL = [
    OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
    OSError(errno.EDQUOT, os.strerror(errno.EDQUOT), "/tmp/.a.part-123"),
    OSError("Not enough space on disk: requested 9, available 1. "),  # of astropy
    RuntimeError("I/O error: No space left on device (os error 28)"),  # as safetensors says it
]


@pytest.mark.parametrize("error", FULL)
def test_a_full_disk_is_said_of_the_file_and_what_was_there_stays(tmp_path, error):
    file = tmp_path / "weights.safetensors"
    write_text(file, "before")

    def fails(part):
        part.write_text("half")
        raise error

    with pytest.raises(DiskRefusal) as caught:
        write_atomically(file, fails)
    assert str(caught.value) == (
        f"{file}: no space left on the disk while it was written; expected free space. "
        "Free some and run the command again (train and classify with --resume); what was written before is kept."
    )
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(file.name, "before")]


def test_other_errors_of_writing_name_the_file_too(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError) as caught:
        write_text(tmp_path / "file" / "a.json", "")
    assert str(caught.value.filename) == str(tmp_path / "file")
    with pytest.raises(FileNotFoundError) as caught:
        write_text(Path("/proc/b.json"), "")
    assert caught.value.filename == "/proc/b.json"


def test_a_refusal_within_writing_is_left_as_it_is(tmp_path):
    def refuses(part):
        raise RunRefusal("a", "No space left on device", "b", "C.")

    with pytest.raises(Refusal, match="a: No space"):
        write_atomically(tmp_path / "x", refuses)


KILLED = """
import os, sys
from pathlib import Path
from equiradio.artefacts.atomic import write_atomically
write_atomically(Path(sys.argv[1]), lambda part: os.kill(os.getpid(), 9))
"""


def test_what_a_kill_in_the_first_writing_leaves_is_no_other_s_file(tmp_path):
    folder = tmp_path / "run"
    assert is_unused(folder)
    assert subprocess.run([sys.executable, "-c", KILLED, str(folder / "settings.toml")], check=False).returncode == -9
    assert len(list(folder.iterdir())) == 1
    assert is_unused(folder)
    (folder / ".git").mkdir()
    assert not is_unused(folder)
    (tmp_path / "file").touch()
    assert not is_unused(tmp_path / "file")


WRITTEN = """
import sys
from pathlib import Path
from equiradio.artefacts.atomic import write_text
write_text(Path(sys.argv[1]), "")
"""
KILLED_FOLDER = """
import os, sys
from pathlib import Path
from equiradio.folders import whole_folder
with whole_folder(Path(sys.argv[1])) as filled:
    (filled / "big.fits").write_text("half")
    os.kill(os.getpid(), 9)
"""


def run(code, *arguments):
    return subprocess.run([sys.executable, "-c", code, *map(str, arguments)], check=False).returncode


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="a process's start cannot be seen here")
@pytest.mark.parametrize(("code", "name"), [(KILLED, "a.json"), (KILLED_FOLDER, "sky"), (KILLED, "long" * 60)])
def test_what_a_kill_leaves_is_removed_by_the_next_process_that_writes_there(tmp_path, code, name):
    assert run(code, tmp_path / name) == -9
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(f".{name[:40]}.part-")
    assert run(WRITTEN, tmp_path / "b.json") == 0
    assert [path.name for path in tmp_path.iterdir()] == ["b.json"]


@pytest.mark.parametrize("whose", ["the first one's", "ours"])
def test_what_others_still_write_is_left(tmp_path, whose):
    """Of a process that is there, of another machine or container, and what is named alike by chance."""
    number = os.getpid() if whose == "ours" else 1
    here, _, since = processes.mark().split("-")
    others = [
        f".a.part-{here}-{number}-{processes.started(number)}-x",
        f".a.part-00000000-99999999-{since}-x",
        ".a.part-x",
        "a.part-x",
    ]
    for name in others:
        (tmp_path / name).touch()
    assert run(WRITTEN, tmp_path / "b.json") == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*others, "b.json"])


def a_leftover(folder, name="a.json"):
    """What a process of this place left that is gone."""
    here = processes.mark().split("-")[0]
    left = folder / f".{name}.part-{here}-{2**22 + 7}-1-x"
    left.touch()
    return left


@pytest.mark.skipif(not all(processes.place().values()), reason="places cannot be told apart here")
def test_one_that_cannot_be_removed_keeps_no_other(tmp_path, monkeypatch):
    kept, gone = a_leftover(tmp_path, "a"), a_leftover(tmp_path, "b")
    unlink = os.unlink

    def sticky(path, **how):
        if Path(path).name == kept.name:
            raise PermissionError(path)
        unlink(path, **how)

    monkeypatch.setattr(os, "unlink", sticky)
    folders.clear(tmp_path)
    assert kept.exists()
    assert not gone.exists()


@pytest.mark.parametrize("lacking", ["boot", "namespace"])
def test_nothing_is_removed_where_places_cannot_be_told_apart(tmp_path, monkeypatch, lacking):
    """Two machines of one name on one disk have processes of the same numbers."""
    place = processes.place() | {lacking: ""}
    monkeypatch.setattr(processes, "place", lambda: place)
    left = a_leftover(tmp_path)
    folders.clear(tmp_path)
    assert left.exists()


def test_a_folder_in_which_another_one_is_made_is_in_use(tmp_path):
    assert is_unused(tmp_path)
    with folders.whole_folder(tmp_path / "sky"):
        assert not is_unused(tmp_path)


def test_the_command_line_says_of_a_full_disk_what_it_is(capsys, monkeypatch):
    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("equiradio.cli.main.app", full)
    assert main(["models"]) == 2
    assert capsys.readouterr().err.startswith("output: no space left on the disk while it was written; expected free space. Free some")
