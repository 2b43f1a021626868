#!/usr/bin/env bash
# PyTorch's threads go on computing nothing, on full cores, for milliseconds after an operation has been answered.
#
# Versions: torch 2.13.0 (Linux, CPU build from PyPI, with its own libgomp), numpy 2.4.6
# Behaviour: an operation on several threads leaves all but the first of them in a loop that waits for the next one (some
#   7 ms on a Zen 5 core), each time. That long they take a core from other threads of the same program: a pool that
#   calls compiled code, a reader of files. The variable OMP_WAIT_POLICY=PASSIVE, read when torch is imported, lets
#   them sleep at once.
# Expected: what torch.set_num_threads allows is used while an operation is computed, and nothing when it is answered.
# Needs: python3 (3.11 or later), two processors and PyPI; a minute, some GB where pip takes the build with CUDA
# Seen:
#> not set: more than 1 ms of processor time in 20 ms of sleep behind an addition: True; behind the sleep: False
#> PASSIVE: more than 1 ms of processor time in 20 ms of sleep behind an addition: False; behind the sleep: False
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
cat >waits.py <<'PYTHON'
import os
import statistics
import time

import torch

torch.set_num_threads(2)
numbers = torch.ones(1 << 20)


def used(seconds=0.02):
    """Processor time of all threads while this one sleeps, ms."""
    start = time.process_time()
    time.sleep(seconds)
    return 1000 * (time.process_time() - start)


behind, later = [], []
for _ in range(30):
    numbers.add_(1)
    behind.append(used())
    later.append(used())
busy = [statistics.median(times) > 1 for times in (behind, later)]
print(
    f"{os.environ.get('OMP_WAIT_POLICY', 'not set')}: more than 1 ms of processor time in 20 ms of sleep"
    f" behind an addition: {busy[0]}; behind the sleep: {busy[1]}"
)
PYTHON
unset GOMP_SPINCOUNT
{
    env -u OMP_WAIT_POLICY env/bin/python waits.py
    OMP_WAIT_POLICY=PASSIVE env/bin/python waits.py
} >seen
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
