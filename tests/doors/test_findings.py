"""Every finding says what it shows, is pinned and can be run; every line of what-files-say.md names what holds it."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FINDINGS = sorted((ROOT / "findings").iterdir())
PAGE = (ROOT / "docs/reference/what-files-say.md").read_text(encoding="utf-8")
FIELDS = ("Versions", "Behaviour", "Expected", "Needs", "Seen")


@pytest.mark.parametrize("path", FINDINGS, ids=lambda path: path.stem)
def test_a_finding_can_be_run_and_says_what_it_shows(path):
    text = path.read_text(encoding="utf-8")
    head, _, code = text.partition("set -euo pipefail\n")
    assert path.suffix == ".sh"
    assert os.access(path, os.X_OK)
    assert subprocess.run(["bash", "-n", path], check=False).returncode == 0
    assert re.findall(r"^# (\w+):", head, re.MULTILINE) == list(FIELDS)
    assert re.search(r"^#> .", head, re.MULTILINE)
    assert f"findings/{path.name}" in PAGE
    assert "mktemp -d" in code
    assert "equiradio" not in code
    assert code.rstrip().endswith("""diff <(sed -n 's/^#> //p' "$script") seen""")
    for name, version in re.findall(r"(\S+?)==?(\d\S*)", "".join(line for line in code.splitlines(True) if "install" in line)):
        assert name == "numpy" or version in head, f"{name} {version} is not in the head"


@pytest.mark.parametrize("path", FINDINGS, ids=lambda path: path.stem)
def test_what_a_finding_installs_is_pinned(path):
    lines = re.findall(r"pip install --quiet --disable-pip-version-check (.*)", path.read_text(encoding="utf-8"))
    packages = [package for line in lines for package in line.split()]
    assert all(re.fullmatch(r"[\w-]+==\d[\w.]*", package) for package in packages)
    assert packages or "apt-get download" in path.read_text(encoding="utf-8")


def test_every_finding_and_every_test_that_the_page_names_exists():
    assert set(re.findall(r"findings/([\w-]+\.sh)", PAGE)) == {path.name for path in FINDINGS}
    tests = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")}
    functions = set(re.findall(r"^def (test_\w+)", "\n".join(tests.values()), re.MULTILINE))
    named = set(re.findall(r"`(?:tests/\S*/)?(test_\w+(?:\.py)?)`", PAGE))
    assert len(named) > 50
    assert named - functions - set(tests) == set()
