"""One process at a time works in a run folder; what its holder left behind is taken over, and only once."""

import errno
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from equiradio.artefacts import claim as module
from equiradio.artefacts.claim import Claim, Claimed, claimed, is_claimed, lock_file
from equiradio.errors import DiskRefusal


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "runs" / "lenet-seed0"


def left_behind(folder, host="elsewhere", process=1, age=0.0, **more):
    """The lock of another machine, last touched ``age`` seconds ago."""
    file = lock_file(folder)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"host": host, "process": process, "token": "theirs", "since": "then"} | more))
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
        "expected a place that nobody else works in. Wait for it. If it is gone, its lock lenet-seed0.lock is taken over after 5 minutes."
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
    left_behind(folder, **module.place(), process=a_process_that_is_gone())
    with claimed(folder):
        pass


def a_process_that_is_gone():
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    return gone.pid


@pytest.mark.parametrize("what", ["boot", "namespace"])
def test_a_lock_of_a_container_of_the_same_name_or_of_another_boot_is_no_matter_of_our_processes(folder, what):
    """Its process number is nobody here; whether it lives cannot be seen from here."""
    left_behind(folder, **(module.place() | {what: "another"}), process=a_process_that_is_gone())
    assert is_claimed(folder)
    with pytest.raises(Claimed), claimed(folder):
        pass


def test_a_lock_whose_process_number_is_another_process_now_is_taken_over(folder):
    if not module.started(os.getpid()):
        pytest.skip("this system does not say when a process was started")
    left_behind(folder, **module.place(), process=os.getpid(), started="1")
    with claimed(folder):
        pass
    left_behind(folder, **module.place(), process=os.getpid(), started=module.started(os.getpid()))
    with pytest.raises(Claimed), claimed(folder):
        pass


@pytest.mark.skipif(shutil.which("unshare") is None, reason="no unshare")
def test_a_live_process_of_another_process_namespace_keeps_its_claim(folder):
    """As of two containers on one host that were given one name."""
    code = "import sys, pathlib; from equiradio.artefacts.claim import claimed\n"
    code += "with claimed(pathlib.Path(sys.argv[1])): print(flush=True); input()"
    other = ["unshare", "-r", "--pid", "--fork", "--mount-proc", "--kill-child", sys.executable, "-c", code, str(folder)]
    holder = subprocess.Popen(other, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        if not holder.stdout.readline():
            pytest.skip("no namespace may be made here")
        content = json.loads(lock_file(folder).read_text())
        assert (content["host"], content["process"]) == (socket.gethostname(), 1)
        with pytest.raises(Claimed), claimed(folder):
            pass
        lock_file(folder).write_text(
            json.dumps(content | {"process": a_process_that_is_gone()})
        )  # a number of theirs that is nobody's here
        with pytest.raises(Claimed), claimed(folder):
            pass
    finally:
        holder.kill()
        holder.communicate()


@pytest.mark.parametrize("process", [10**30, -1, 0, True, 1.5, "1", None, [1]])
def test_a_lock_with_an_absurd_process_is_waited_for(folder, process):
    left_behind(folder, **(module.place() | {"process": process, "since": "a\nb\x1b[0m" * 99}))
    with pytest.raises(Claimed) as caught, claimed(folder):
        pass
    assert "\n" not in str(caught.value)
    left_behind(folder, **module.place(), process=process, age=module.STALE + 30)
    with claimed(folder):
        pass


@pytest.mark.parametrize("text", ["", "{", "[" * 99_999, "[]", '{"process": ' + "9" * 5000 + "}", "\udcff"])
def test_a_lock_that_cannot_be_read_is_waited_for(folder, text):
    left_behind(folder).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(Claimed, match=r"process \? on \? works in it since \?"), claimed(folder):
        pass


def test_a_lock_from_the_future_is_taken_over(folder):
    left_behind(folder, age=-1e6)
    with claimed(folder):
        pass


def test_another_holder_can_be_waited_for(folder):
    first = Claim(folder)
    first.take()
    threading.Timer(0.3, first.release).start()
    with claimed(folder, patience=60):
        pass


def test_a_folder_is_free_once_its_holder_gives_no_sign_of_life(folder, monkeypatch):
    monkeypatch.setattr(module, "BEAT", 0.05)
    with claimed(folder):
        assert module.free_of([folder]) == []
        assert module.free_of([folder, folder.with_name("other")]) == [folder.with_name("other")]
    assert module.free_of([folder]) == [folder]
    left_behind(folder, **module.place(), process=a_process_that_is_gone())
    assert module.free_of([folder]) == [folder]
    left_behind(folder)
    monkeypatch.setattr(module, "STALE", 0.5)
    assert module.free_of([folder]) == [folder]


def test_a_place_that_cannot_be_written_is_called_as_the_user_called_it(monkeypatch, folder):
    with pytest.raises(OSError, match="'/proc/x'"), claimed(Path("/proc/x")):
        pass
    monkeypatch.setattr(module.json, "dump", full)
    with pytest.raises(DiskRefusal, match=f"{folder}: no space left on the disk"), claimed(folder):
        pass
    assert not lock_file(folder).exists()


def full(*arguments):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


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
        with pytest.raises(Claimed, match="another process took it over"):
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


def test_a_lock_without_end_is_no_error(tmp_path):
    lock_file(tmp_path / "run").write_text("[" * 100_000)
    assert is_claimed(tmp_path / "run")


def test_a_lock_that_was_renewed_while_it_was_judged_stays(tmp_path, monkeypatch):
    folder = tmp_path / "run"
    lock_file(folder).write_text(json.dumps({"host": "elsewhere", "process": 1, "token": "old"}))
    fresh = {"host": "elsewhere", "process": 2, "token": "fresh"}
    judge = module._abandoned

    def judged_slowly(file):
        if json.loads(file.read_text())["token"] == "old":
            file.write_text(json.dumps(fresh))  # another process took the old one over in between
            return True
        return judge(file)

    monkeypatch.setattr(module, "_abandoned", judged_slowly)
    with pytest.raises(Claimed), claimed(folder):
        pass
    assert json.loads(lock_file(folder).read_text()) == fresh
