"""The list of slow tests names tests that are there."""

from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize("name", (TESTS / "slow.txt").read_text(encoding="utf-8").split())
def test_a_slow_test_is_there(name):
    file, _, function = name.partition("[")[0].partition("::")
    assert f"\ndef {function}(" in (TESTS / file).read_text(encoding="utf-8")
