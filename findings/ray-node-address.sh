#!/usr/bin/env bash
# A local Ray cluster asked for the address 127.0.0.1 takes the machine's network address in its place.
#
# Versions: ray 2.60.0
# Behaviour: on Linux the names localhost and 127.0.0.1 are replaced, without a word, by the address by which the machine
#   reaches others, and the processes of the cluster listen there. 127.0.0.2, which is this machine as well, is taken as
#   it stands; so is 127.0.0.1 where RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0 says that there is to be no cluster of several
#   machines: a variable named for the two systems where that is usual, which Linux heeds too.
# Expected: the address that was asked for, in all three.
# Needs: python3 (3.11 or later), PyPI, a machine with a network address; about two minutes
# Seen:
#> asked for 127.0.0.1: the same: False
#> asked for 127.0.0.2: the same: True
#> asked for 127.0.0.1, with the variable: the same: True
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check ray==2.60.0
cat >ask.py <<'PYTHON'
import os
import sys

import ray

asked, words = sys.argv[1], ", with the variable" if "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER" in os.environ else ""
ray.init(num_cpus=1, _node_ip_address=asked, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
print(f"asked for {asked}{words}: the same: {ray.nodes()[0]['NodeManagerAddress'] == asked}")
ray.shutdown()
PYTHON
export RAY_USAGE_STATS_ENABLED=0 RAY_TMPDIR=$folder
{
    env/bin/python ask.py 127.0.0.1
    env/bin/python ask.py 127.0.0.2
    RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0 env/bin/python ask.py 127.0.0.1
} >seen 2>log || { cat log; exit 1; }
cat seen
diff <(sed -n 's/^#> //p' "$script") seen
