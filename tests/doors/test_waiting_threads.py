"""Threads of PyTorch that wait leave their core to others, unless the user says otherwise."""

import os
import subprocess
import sys

import pytest

SAY = "import sys; from equiradio.cli.main import main; main(['models']); import os; print(os.environ['OMP_WAIT_POLICY'])"


@pytest.mark.parametrize(("given", "policy"), [({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE")], ids=str)
def test_a_command_waits_passively_unless_it_is_asked_not_to(given, policy):
    without = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    done = subprocess.run([sys.executable, "-c", SAY], env=without | given, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == policy


def test_it_is_said_before_pytorch_is_loaded():
    script = "import sys, equiradio.cli.main; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip() == "False"
