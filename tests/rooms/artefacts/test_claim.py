"""One process at a time works in a run folder; what its holder left behind is taken over, and only once."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from equiradio.artefacts import claim as module
from equiradio.artefacts.claim import Claim, Claimed, claimed, is_claimed, lock_file


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "runs" / "lenet-seed0"


def left_behind(folder, host="elsewhere", process=1, age=0.0):
    """The lock of another machine, last touched ``age`` seconds ago."""
    file = lock_file(folder)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"host": host, "process": process, "token": "theirs", "since": "then"}))
    os.utime(file, (time.time() - age,) * 2)
    return file


def law_of_one_holder(folder):
    with claimed(folder):
        assert is_claimed(folder)
        with pytest.raises(Claimed) as caught, claimed(folder):
            pass
        assert is_claimed(folder)
    assert not lock_file(folder).exists()
    line = str(caught.value)
    assert f"{folder}: process {os.getpid()} on " in line
    assert line.endswith(
        "expected a folder that nobody else trains in. Wait for it. If it is gone, its lock lenet-seed0.lock is taken over after 5 minutes."
    )


def test_a_claim_excludes_all_others(folder):
    law_of_one_holder(folder)


def test_the_law_of_one_holder_catches_a_lock_that_looks_before_it_writes(folder, monkeypatch):
    monkeypatch.setattr(module.os, "O_EXCL", 0)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        law_of_one_holder(folder)


def test_a_folder_has_one_lock_however_it_is_spelled(folder, tmp_path, monkeypatch):
    folder.mkdir(parents=True)
    (tmp_path / "link").symlink_to(folder)
    monkeypatch.chdir(folder)
    for spelled in (Path(), folder / ".." / folder.name, tmp_path / "link", Path("..") / folder.name):
        assert lock_file(spelled) == lock_file(folder)
    with claimed(folder), pytest.raises(Claimed), claimed(Path()):
        pass


def test_of_many_that_try_at_once_one_gets_it(folder):
    start, got = threading.Barrier(8), []

    def attempt():
        one = Claim(folder)
        start.wait()
        try:
            one.take()
            got.append(one)
        except Claimed:
            pass

    threads = [threading.Thread(target=attempt) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1
    got[0].release()


def test_other_processes_are_excluded(folder):
    code = "import sys, pathlib; from equiradio.artefacts.claim import claimed\nwith claimed(pathlib.Path(sys.argv[1])): pass"
    with claimed(folder):
        other = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=False)
    assert "Claimed" in other.stderr
    assert subprocess.run([sys.executable, "-c", code, str(folder)], check=False).returncode == 0


@pytest.mark.parametrize(("age", "taken"), [(0, False), (module.STALE - 30, False), (module.STALE + 30, True)])
def test_a_lock_of_another_machine_is_taken_over_when_it_is_old(folder, age, taken):
    left_behind(folder, age=age)
    assert is_claimed(folder) != taken
    if taken:
        with claimed(folder):
            assert is_claimed(folder)
        assert not list(folder.parent.iterdir())
    else:
        with pytest.raises(Claimed, match="process 1 on elsewhere works in it since then"), claimed(folder):
            pass


def test_a_lock_of_a_process_of_this_machine_that_is_gone_is_taken_over_at_once(folder):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    left_behind(folder, host=module.socket.gethostname(), process=gone.pid)
    with claimed(folder):
        pass


def test_a_holder_keeps_its_lock_young(folder, monkeypatch):
    monkeypatch.setattr(module, "BEAT", 0.02)
    with claimed(folder):
        os.utime(lock_file(folder), (1, 1))
        end = time.monotonic() + 5
        while lock_file(folder).stat().st_mtime < 10 and time.monotonic() < end:
            time.sleep(0.02)
        assert lock_file(folder).stat().st_mtime > 10


def test_a_holder_that_was_overtaken_learns_of_it_and_leaves_the_new_lock_alone(folder):
    with claimed(folder) as claim:
        claim.check()
        file = left_behind(folder)
        with pytest.raises(Claimed, match="another process took this run over"):
            claim.check()
    assert json.loads(file.read_text())["token"] == "theirs"


def test_a_fresh_lock_that_replaced_the_old_one_is_put_back(folder, monkeypatch):
    """Two find the same old lock; the slower one must not take the quicker one's new lock away."""
    file = left_behind(folder, age=1e6)
    rename = os.rename

    def overtaken(source, target):
        left_behind(folder, host="quicker")
        rename(source, target)

    monkeypatch.setattr(module.os, "rename", overtaken)
    with pytest.raises(Claimed, match="process 1 on quicker"), claimed(folder):
        pass
    assert json.loads(file.read_text())["host"] == "quicker"
    assert [path.name for path in folder.parent.iterdir()] == [file.name]


@pytest.mark.parametrize("process", [10**30, -(10**30), 2**40])
def test_a_lock_of_a_process_that_cannot_be_is_taken_over(tmp_path, process):
    lock_file(tmp_path / "run").write_text(json.dumps({"host": socket.gethostname(), "process": process, "token": "t"}))
    assert not is_claimed(tmp_path / "run")
    with claimed(tmp_path / "run"):
        assert is_claimed(tmp_path / "run")


def test_a_lock_without_end_is_no_error(tmp_path):
    lock_file(tmp_path / "run").write_text("[" * 100_000)
    assert is_claimed(tmp_path / "run")
