"""What a process says of itself: the most memory that it has held."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from equiradio import processes

SAY = "from equiradio.processes import peak_mib; print(peak_mib())"
LARGE = f"""
import subprocess, sys
held = b"1" * (400 << 20)
print(subprocess.run([sys.executable, "-c", {SAY!r}], capture_output=True, text=True, check=True).stdout, end="")
{SAY}
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not hand a parent's figure on")
def test_memory_is_this_program_s_and_not_that_of_the_one_that_started_it():
    answer = subprocess.run([sys.executable, "-c", LARGE], capture_output=True, text=True, check=True).stdout.split()
    child, parent = map(int, answer)
    assert parent > 400
    assert child < 200


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_memory_is_counted_as_the_system_does(monkeypatch, platform):
    monkeypatch.setattr(processes.sys, "platform", platform)
    monkeypatch.setattr(processes, "Path", lambda path: SimpleNamespace(read_text=not_there))  # as where there is no /proc
    of_this_process = SimpleNamespace(ru_maxrss=5 * 1024**2 if platform == "darwin" else 5 * 1024)
    stub = SimpleNamespace(RUSAGE_SELF=0, getrusage=lambda who: of_this_process)
    monkeypatch.setitem(sys.modules, "resource", None if platform == "win32" else stub)
    assert processes.peak_mib() == (None if platform == "win32" else 5)


def not_there(**options):
    raise FileNotFoundError
