"""Memory that is free goes back to the system where that is asked for, also from between blocks in use."""

import platform
import subprocess
import sys

import pytest

CODE = """
import numpy as np
from equiradio.compute.memory import give_back, keep_large_blocks

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 1e6

assert keep_large_blocks()
blocks = [np.ones(131072) for _ in range(200)]  # a megabyte each
full = resident()
last = blocks[-1]
del blocks
assert resident() > full - 20
assert give_back()
assert resident() < full - 150
assert last.sum() == 131072
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc" or sys.platform != "linux", reason="malloc is not glibc's")
def test_what_lies_free_below_a_block_in_use_is_handed_back():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
